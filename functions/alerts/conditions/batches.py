"""Many anomalies at once: the days of all series as rows of one array. Says what judging one by one says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from functions.alerts.conditions import anomalies, grid, newest
from functions.alerts.conditions.anomaly import BEFORE, WEEKS, Usual
from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.conditions.series import DAY, Series, Verdict

ROWS = 512
"""So many series at a time stay within a processor's cache."""


def judge(condition: Anomaly, many: Sequence[Series], one: Callable[[Anomaly, Series], Verdict]) -> list[Verdict]:
    """Together what are whole days without gaps; `one` by one what is not."""
    found: list[Verdict | None] = [None] * len(many)
    chosen: list[tuple[int, int]] = []
    for number, series in enumerate(many):
        place = _place(series)
        if place is None:
            found[number] = one(condition, series)
        else:
            chosen.append((number, place))
    for start in range(0, len(chosen), ROWS):
        for (number, _), verdict in zip(
            chosen[start : start + ROWS], _rows(condition, many, chosen[start : start + ROWS]), strict=True
        ):
            found[number] = verdict
    return [verdict for verdict in found if verdict is not None]


def _place(series: Series) -> int | None:
    """The day to judge, where that is plain: the last, over and complete, after as many as are looked at."""
    place = len(series.begins) - 1
    if series.seconds != DAY or place < BEFORE or not grid.is_even(series, place, BEFORE):
        return None
    if series.arrived is not None and series.arrived[place] < newest.COMPLETE:
        return None
    return place if series.until >= series.begins[place] + DAY else None


def _rows(condition: Anomaly, many: Sequence[Series], chosen: Sequence[tuple[int, int]]) -> list[Verdict]:
    import numpy as np

    from functions.alerts.conditions import days

    table = np.array([many[number].values[place - BEFORE : place + 1] for number, place in chosen], dtype=np.float64)
    before, values = table[:, :-1], table[:, -1]
    # Values below zero are rare: they are judged one by one, as if moved above it.
    is_negative = (before.min(axis=1) < 0).tolist()
    found = days.usual(np.maximum(before, 0.0), values)
    columns = zip(*(column.tolist() for column in found), strict=True)
    return [
        anomalies.judge_at(condition, many[number], place)
        if negative
        else anomalies.verdict_of(condition, many[number], place, Usual(*row), WEEKS)
        for (number, place), negative, row in zip(chosen, is_negative, columns, strict=True)
    ]
