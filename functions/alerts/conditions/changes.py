"""The change: against the bucket before, the same weekday (and hour) a week before, or a trailing mean.

How much is too much is a percentage, a number, or both (then both must be passed). With
neither, the series' own past says it: `TIMES` its median change, and more than all but one in
two hundred of its changes, and at least a tenth of what it is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.alerts.conditions import grid, sentences
from functions.alerts.conditions.history import History
from functions.alerts.conditions.kinds import Change
from functions.alerts.conditions.series import DAY, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.alerts.conditions.history import Floats

TIMES = 6.0
LEAST = 0.1
REMEMBERED = 400
"""So many past changes say what is usual; `ENOUGH` of them must be there."""
ENOUGH = 14
RANK = 0.995
BEYOND = 1.25


def judge_at(condition: Change, series: Series, place: int) -> Verdict:
    """The verdict on one bucket."""
    value, begin, unit = series.values[place], series.begins[place], series.unit
    walls = grid.wall(series)
    before = _before(condition, series, walls, place)
    if before is None:
        needed = _needed(condition, series)
        return Verdict(
            "errored", "warming_up", f"{series.name}: nothing to compare with yet, {needed} needed.", begin, value
        )
    width = _width(condition, before)
    if width is None:
        width, known = _own_width(condition, series, walls, place, before)
        if width is None:
            told = f"{series.name}: {known} earlier changes are known, {ENOUGH} are needed to say what is usual."
            return Verdict("errored", "warming_up", told, begin, value)
    low, high = before - width, before + width
    is_rise = value > high and condition.direction != "drop"
    is_drop = value < low and condition.direction != "rise"
    fires = (is_rise or is_drop) and (not condition.minimum or max(value, before) >= condition.minimum)
    against = _named(condition, series, begin)
    low = 0.0 if low < 0 <= min(value, before) else low
    told = f"{series.name}: {sentences.number(value, unit)}, {_by(value, before)} against {sentences.number(before, unit)} {against}"
    return Verdict(
        "firing" if fires else "not_firing",
        ("rise" if is_rise else "drop") if fires else "small_change",
        f"{told}; {sentences.band(low, high, unit)} would not be remarkable.",
        begin,
        value,
        low,
        high,
        abs(value - before) / width if width else 0.0,
        recovered=not fires,
        numbers={"before": before},
    )


def history(condition: Change, series: Series) -> History:
    """Every bucket, against what was before it."""
    import numpy as np

    values = np.asarray(series.values, dtype=np.float64)
    before = _all_before(condition, series)
    if condition.percent is None and condition.absolute is None:
        width = _own_widths(values - before, before)
    else:
        width = np.maximum(np.abs(before) * (condition.percent or 0) / 100, condition.absolute or 0)
    low, high = before - width, before + width
    low = np.where((low < 0) & (values >= 0) & (before >= 0), 0.0, low)
    judged = ~np.isnan(low)
    with np.errstate(invalid="ignore", divide="ignore"):
        fires = ((values > high) & (condition.direction != "drop")) | ((values < low) & (condition.direction != "rise"))
        if condition.minimum:
            fires &= np.maximum(values, before) >= condition.minimum
        score = np.where(width > 0, np.abs(values - before) / width, np.where(judged, 0.0, np.nan))
    begins = np.asarray(series.begins, dtype=np.int64)
    return History(begins, fires & judged, ~fires & judged, score, low, high, judged)


def _before(condition: Change, series: Series, walls: Sequence[int], place: int) -> float | None:
    """What a bucket is compared with; None where there is nothing."""
    grain = series.seconds
    if condition.against == "trailing_mean":
        first = place - condition.periods
        return sum(series.values[first:place]) / condition.periods if first >= 0 else None
    seconds = grain if condition.against == "previous" else max(grid.WEEK, grain)
    found = grid.place_before(walls, place, seconds, grain)
    return None if found is None else series.values[found]


def _all_before(condition: Change, series: Series) -> Floats:
    import numpy as np

    values = np.asarray(series.values, dtype=np.float64)
    count = len(values)
    if condition.against == "trailing_mean":
        sums = np.concatenate([[0.0], np.cumsum(values)])
        before = np.full(count, np.nan)
        before[condition.periods :] = (
            sums[condition.periods : -1] - sums[: -condition.periods - 1]
        ) / condition.periods
        return before
    grain = series.seconds
    seconds = grain if condition.against == "previous" else max(grid.WEEK, grain)
    walls = np.asarray(grid.wall(series), dtype=np.int64)
    wanted = walls - seconds
    found = np.minimum(np.searchsorted(walls, wanted - grain // 2), np.arange(count))
    return np.where((found < np.arange(count)) & (walls[found] <= wanted + grain // 2), values[found], np.nan)


def _width(condition: Change, before: float) -> float | None:
    if condition.percent is None and condition.absolute is None:
        return None
    return max(abs(before) * (condition.percent or 0) / 100, condition.absolute or 0)


def _own_width(
    condition: Change, series: Series, walls: Sequence[int], place: int, before: float
) -> tuple[float | None, int]:
    """How much is too much by the series' own past, and how many of its changes are known."""
    sizes: list[float] = []
    for earlier in range(max(0, place - REMEMBERED), place):
        then = _before(condition, series, walls, earlier)
        if then is not None:
            sizes.append(abs(series.values[earlier] - then))
    known = len(sizes)
    if known < ENOUGH:
        return None, known
    sizes.sort()
    middle = (sizes[(known - 1) // 2] + sizes[known // 2]) / 2
    rare = sizes[min(known - 1, int(RANK * known))]
    return max(TIMES * middle, BEYOND * rare, LEAST * abs(before)), known


def _own_widths(changes: Floats, before: Floats) -> Floats:
    import numpy as np

    padded = np.concatenate([np.full(REMEMBERED, np.nan), np.abs(changes)])
    past = np.sort(np.lib.stride_tricks.sliding_window_view(padded, REMEMBERED)[:-1], axis=1)
    known = (~np.isnan(past)).sum(axis=1)
    rows, last = np.arange(len(past)), np.maximum(known - 1, 0)
    middle = (past[rows, last // 2] + past[rows, np.minimum(known // 2, REMEMBERED - 1)]) / 2
    rare = past[rows, np.minimum(last, (RANK * known).astype(np.int64))]
    width = np.maximum(np.maximum(TIMES * middle, BEYOND * rare), LEAST * np.abs(before))
    return np.where(known >= ENOUGH, width, np.nan)


def _by(value: float, before: float) -> str:
    if before == 0:
        return "the same" if value == 0 else "up from nothing"
    percent = (value - before) / abs(before) * 100
    return f"{'up' if percent >= 0 else 'down'} {sentences.figures(abs(round(percent, 1)))} %"


def _named(condition: Change, series: Series, begin: int) -> str:
    if condition.against == "previous":
        return (
            "in the bucket before"
            if series.seconds not in (DAY, 3600)
            else f"the {'day' if series.seconds == DAY else 'hour'} before"
        )
    if condition.against == "same_weekday":
        return "a week before"
    return f"in the mean of the {sentences.buckets(condition.periods, series.seconds)} before"


def _needed(condition: Change, series: Series) -> str:
    if condition.against == "trailing_mean":
        return f"{sentences.buckets(condition.periods, series.seconds)} are"
    return f"the bucket {'before' if condition.against == 'previous' else 'a week before'} is"
