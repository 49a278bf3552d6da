"""Many anomalies at once: the days of all series as rows of one array. Says what judging one by one says.

What is usual, and who fires, is worked out for all at once. The sentences are put together
when they are asked for, as hardly anybody reads those of what does not fire.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, overload

from functions.alerts.conditions import anomalies, days, grid, newest
from functions.alerts.conditions.anomaly import BEFORE, WEEKS, Usual
from functions.alerts.conditions.days import Expected
from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.conditions.series import DAY, Series, Verdict

if TYPE_CHECKING:
    from functions.alerts.conditions.history import Floats

ROWS = 512
"""So many series at a time stay within a processor's cache."""
PACKED = Struct(f"{BEFORE + 1}d")
"""The quickest way from a list of numbers to a row."""


class Verdicts(Sequence[Verdict]):
    """The verdict on each series, in their order. `firing` are the numbers of those that fire, ascending."""

    def __init__(
        self,
        condition: Anomaly,
        many: Sequence[Series],
        rows: dict[int, int],
        usual: Expected | None,
        apart: dict[int, Verdict],
        firing: list[int],
    ) -> None:
        self._condition = condition
        self._many = many
        self._rows = rows
        self._usual = usual
        self._apart = apart
        self.firing = firing

    def __len__(self) -> int:
        return len(self._many)

    @overload
    def __getitem__(self, number: int) -> Verdict: ...
    @overload
    def __getitem__(self, number: slice) -> list[Verdict]: ...
    def __getitem__(self, number: int | slice) -> Verdict | list[Verdict]:
        places = range(len(self._many))[number]
        return self._one(places) if isinstance(places, int) else [self._one(place) for place in places]

    def _one(self, number: int) -> Verdict:
        if self._usual is None or number not in self._rows:
            return self._apart[number]
        row, series = self._rows[number], self._many[number]
        usual = Usual(*(float(column[row]) for column in self._usual))
        return anomalies.verdict_of(self._condition, series, len(series.begins) - 1, usual, WEEKS)


def judge(condition: Anomaly, many: Sequence[Series], one: Callable[[Anomaly, Series], Verdict]) -> Verdicts:
    """Together what are whole days without gaps; `one` by one what is not."""
    import numpy as np

    chosen = [number for number, series in enumerate(many) if _is_plain(series)]
    rows: dict[int, int] = {}
    parts: list[Expected] = []
    firing: list[int] = []
    for start in range(0, len(chosen), ROWS):
        table = _table(many, chosen[start : start + ROWS])
        numbers = np.asarray(chosen[start : start + ROWS])
        if table.min() < 0:
            # Values below zero are rare: they are judged one by one, as if moved above it.
            is_positive = table.min(axis=1) >= 0
            table, numbers = table[is_positive], numbers[is_positive]
        before = len(rows)
        rows.update(zip(numbers.tolist(), range(before, before + len(numbers)), strict=True))
        found = days.usual(table[:, :-1], table[:, -1])
        _, fires = anomalies.firings(condition, table[:, -1], found.expected, found.mads, found.lasting_mads)
        firing += numbers[fires].tolist()
        parts.append(found)
    apart = {number: one(condition, series) for number, series in enumerate(many) if number not in rows}
    firing += [number for number, verdict in apart.items() if verdict.state == "firing"]
    usual = Expected(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else None
    return Verdicts(condition, many, rows, usual, apart, sorted(firing))


def _is_plain(series: Series) -> bool:
    """Whether the day to judge is the last, over and complete, after as many as are looked at."""
    begins = series.begins
    place = len(begins) - 1
    if series.seconds != DAY or place < BEFORE or not grid.is_even(series, place, BEFORE):
        return False
    if series.arrived is not None and series.arrived[place] < newest.COMPLETE:
        return False
    return series.until >= begins[place] + DAY


def _table(many: Sequence[Series], chosen: Sequence[int]) -> Floats:
    """The days looked at and the one judged, a row a series."""
    import numpy as np

    flat = b"".join([PACKED.pack(*many[number].values[-BEFORE - 1 :]) for number in chosen])
    return np.frombuffer(flat, dtype=np.float64).reshape(-1, BEFORE + 1)
