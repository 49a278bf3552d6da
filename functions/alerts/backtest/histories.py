"""Every bucket of a history with what a condition said of it: the conditions' own judging, brought to one form.

Adds what only a back-test has: thresholds that nobody set, and values seen for the first time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import TYPE_CHECKING

from functions.alerts.backtest import newcomers, thresholds
from functions.alerts.conditions.kinds import Condition, NewValue, StaleFlag, Threshold
from functions.alerts.conditions.series import Series
from hedgerow.errors import InvalidError

if TYPE_CHECKING:
    from functions.alerts.conditions.history import Floats

# More values than this, and as many as half of the times there are: they are measurements.
MANY_VALUES, MOSTLY = 100, 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged history. The sequences are of one length, a bucket each; `places` are those that could be judged.

    `values` and `scores` are None where there is none; `outside` is how far beyond the nearer
    bound of what was expected a value lies, in its own unit, below 0 within it. `told` gives
    reason and sentence of a bucket, by its place.
    """

    series: Series
    condition: Condition
    begins: Sequence[int]
    ends: Sequence[int]
    values: Sequence[float | None]
    firing: Sequence[bool]
    recovered: Sequence[bool]
    scores: Sequence[float | None]
    outside: Sequence[float | None]
    places: Sequence[int]
    told: Callable[[int], tuple[str, str]]
    remarks: tuple[str, ...] = ()


def judged(condition: Condition, series: Series) -> Judged:
    """The history of a condition over a series."""
    if isinstance(condition, NewValue | StaleFlag):
        raise InvalidError(f"{condition.kind} looks at values, not at one series.", hint="Give a series with `by`.")
    if isinstance(condition, Threshold) and thresholds.is_unset(condition):
        return _by_own_threshold(condition, series)
    from functions.alerts.conditions import judging

    history = judging.judge_history(condition, series)
    begins = [int(begin) for begin in history.begins]
    by_begin = dict(zip(series.begins, series.values, strict=True))
    values = [by_begin.get(begin) for begin in begins]
    ends = ends_of(begins, series.seconds)

    def told(place: int) -> tuple[str, str]:
        verdict = judging.judge(condition, as_of(series, ends[place]))
        return verdict.reason, verdict.sentence

    return Judged(
        series,
        condition,
        begins,
        ends,
        values,
        history.firing.tolist(),
        history.recovered.tolist(),
        _known(history.score.tolist()),
        _outside(values, history.low, history.high),
        [place for place, could in enumerate(history.judged.tolist()) if could],
        told,
    )


def judged_values(condition: NewValue, seen: Mapping[str, Sequence[int]], series: Series) -> Judged:
    """The history of values as they came. `series` has every instant; a peak is how many were new at once."""
    new = newcomers.newcomers(seen, condition.days)
    begins = series.begins
    usual_until = begins[0] + newcomers.warm_up(seen, condition.days) if begins else 0
    firing = [begin in new for begin in begins]
    news = [float(len(new[begin])) if begin in new else None for begin in begins]

    def told(place: int) -> tuple[str, str]:
        if not firing[place]:
            return "no_new_value", "Too short to know what is usual."
        return "new_value", newcomers.sentence(new[begins[place]], condition.days)

    return Judged(
        series,
        condition,
        begins,
        ends_of(begins, series.seconds),
        news,
        firing,
        [not fires for fires in firing],
        news,
        news,
        [place for place, begin in enumerate(begins) if begin >= usual_until],
        told,
        (_different(len(seen), len(begins)),),
    )


def as_of(series: Series, until: int) -> Series:
    """The series as it was at the end of a bucket: what begins then or later is not known yet."""
    last = bisect_left(series.begins, until)
    return replace(
        series,
        begins=series.begins[:last],
        values=series.values[:last],
        arrived=None,
        until=until,
    )


def bucket_of(begin: int, series: Series) -> str:
    """A bucket's beginning in the series' own zone: 2026-03-12, or 2026-03-12 14:00."""
    from functions.alerts.conditions import sentences

    return sentences.bucket(series, begin)


def ends_of(begins: Sequence[int], grain: int) -> list[int]:
    """Where each bucket ends: a grain after its begin, or where the next begins if that is sooner."""
    following = [*begins[1:], None]
    return [
        begin + grain if after is None else min(begin + grain, after)
        for begin, after in zip(begins, following, strict=True)
    ]


def _known(numbers: Sequence[float]) -> list[float | None]:
    return [None if isnan(number) else number for number in numbers]


def _outside(values: Sequence[float | None], lows: Floats, highs: Floats) -> list[float | None]:
    """One bound may be NaN, where a condition has but one."""
    import numpy as np

    known = np.asarray([nan if value is None else value for value in values], dtype=np.float64)
    return _known(np.fmax(known - highs, lows - known).tolist())


def _different(values: int, buckets: int) -> str:
    if values > MANY_VALUES and values > buckets * MOSTLY:
        return f"{values:,} different values at {buckets:,} times: new_value is for names, not for measurements."
    return f"{values:,} different value{'' if values == 1 else 's'}."


def _by_own_threshold(condition: Threshold, series: Series) -> Judged:
    import numpy as np

    values = np.asarray(series.values, dtype=np.float64)
    bands = thresholds.bands(series)
    count = len(values)
    above, below = np.full(count, np.inf), np.full(count, -np.inf)
    for band in bands:
        above[band.first :] = band.above
        below[band.first :] = -np.inf if band.below is None else band.below
    firing = (values > above) | (values < below)
    excess = np.maximum(values - above, below - values)
    first = bands[0].first if bands else count

    chosen_at = [band.first for band in bands]

    def told(place: int) -> tuple[str, str]:
        if place < first:
            return "warming_up", _too_short()
        value = float(values[place])
        side, bound = ("above", above[place]) if value > above[place] else ("below", below[place])
        observed, number = apart(value, float(bound))
        days = _days(bands[bisect_right(chosen_at, place) - 1])
        sentence = f"{observed}, {side} {number}, which was chosen from the {days} before."
        return f"{side}_threshold", sentence

    return Judged(
        series,
        condition,
        series.begins,
        ends_of(series.begins, series.seconds),
        series.values,
        firing.tolist(),
        (~firing).tolist(),
        excess.tolist(),
        excess.tolist(),
        range(first, count),
        told,
        (_chosen(bands[-1]) if bands else _too_short(),),
    )


def _chosen(band: thresholds.Band) -> str:
    numbers = thresholds.fixed(band)
    below = f", or below {shown(numbers.below)}" if numbers.below is not None else ""
    return (
        f"No threshold was set: it was chosen each day from the days before it, four weeks at most; the newest, "
        f"from {_days(band)}, is above {shown(numbers.above or 0.0)}{below}."
    )


def _days(band: thresholds.Band) -> str:
    return f"{max(1, round(band.days))} day{'' if round(band.days) <= 1 else 's'}"


def _too_short() -> str:
    return f"No threshold was set, and {thresholds.LEAST_POINTS} points and two days are needed to choose one from."


def shown(number: float) -> str:
    """A number as people read it: four figures, thousands grouped."""
    return _figures(number, 4)


def apart(value: float, bound: float) -> tuple[str, str]:
    """Both as people read them, with as many figures as it takes to tell them from each other."""
    for figures in range(4, 16):
        told = _figures(value, figures), _figures(bound, figures)
        if told[0] != told[1]:
            break
    return told


def _figures(number: float, figures: int) -> str:
    rounded = thresholds.rounded(number, figures)
    return f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,}"
