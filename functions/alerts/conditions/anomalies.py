"""The anomaly's verdict: which way of knowing what is usual fits the series, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import ref

from functions.alerts.conditions import anomaly, grid, sentences
from functions.alerts.conditions.anomaly import BEFORE, CALM, LEAST, SENSITIVITY, Usual
from functions.alerts.conditions.history import History
from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.conditions.series import DAY, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.alerts.conditions.days import Expected
    from functions.alerts.conditions.history import Flags, Floats, Instants


def judge_at(condition: Anomaly, series: Series, place: int) -> Verdict:
    """The verdict on one bucket, by what is before it."""
    if series.seconds < DAY:
        return _finer(condition, series, place)
    before = _before(series, place)
    if before is None or len(before) < LEAST:
        return warming_up(series, place)
    return verdict_of(
        condition, series, place, of_days(before, series.values[place]), min(len(before) // 7, anomaly.WEEKS)
    )


def of_days(before: Sequence[float], value: float) -> Usual:
    """What is usual, of values below zero too: they are judged as if moved above it."""
    lowest = min(before)
    if lowest >= 0:
        return anomaly.usual(before, value)
    shift = shift_of(lowest, max(before))
    found = anomaly.usual([one + shift for one in before], value + shift)
    return found._replace(
        expected=found.expected - shift,
        lasting_mean=found.lasting_mean - shift,
        lasting_expected=found.lasting_expected - shift,
    )


def shift_of(lowest: float, highest: float) -> float:
    """What makes values positive, so that shares can be taken of them; never whole, as counts are."""
    return 2 * (highest - lowest) - lowest + 0.5


def warming_up(series: Series, place: int) -> Verdict:
    """How much there is, and how much is needed."""
    have = (series.begins[place] - series.begins[0]) // series.seconds
    needed = LEAST if series.seconds >= DAY else _least_days(series.seconds) * DAY // series.seconds
    told = (
        f"{series.name}: {sentences.buckets(have, series.seconds)} of history, "
        f"{sentences.buckets(needed, series.seconds)} are needed to say what is usual."
    )
    return Verdict(
        "errored",
        "warming_up",
        told,
        series.begins[place],
        series.values[place],
        numbers={"have": have, "needed": needed},
    )


def verdict_of(condition: Anomaly, series: Series, place: int, usual: Usual, weeks: int) -> Verdict:
    """What is said of a bucket, given what is usual there."""
    value, begin, limit = series.values[place], series.begins[place], condition.sensitivity or SENSITIVITY
    width = limit * usual.mad
    low, high = usual.expected - width, usual.expected + width
    if low < 0 <= usual.expected:
        low = 0.0
    lasts = usual.lasting > 1 and abs(usual.lasting_mads) > limit >= abs(usual.mads)
    mads = usual.lasting_mads if lasts else usual.mads
    score = abs(mads)
    is_asked = (
        score > limit
        and condition.direction != ("drop" if mads > 0 else "rise")
        and (not condition.minimum or max(value, usual.expected) >= condition.minimum)
    )
    unit = series.unit
    if lasts:
        half = abs(usual.lasting_mean - usual.lasting_expected) * limit / score
        least, most = usual.lasting_expected - half, usual.lasting_expected + half
        least = 0.0 if least < 0 <= usual.lasting_expected else least
        span = sentences.buckets(int(usual.lasting), series.seconds)
        shown = f"{sentences.number(usual.lasting_mean, unit)} on average over the last {span}"
        told = f"{series.name}: {shown}, usually {sentences.band(least, most, unit)}."
    else:
        told = f"{series.name}: {sentences.number(value, unit)}, usually {sentences.band(low, high, unit)}{sentences.when(series, begin)}."
    return Verdict(
        "firing" if is_asked else "not_firing",
        ("above_usual" if mads > 0 else "below_usual") if is_asked else "as_usual",
        told,
        begin,
        value,
        low,
        high,
        score,
        min(1.0, 0.5 * score / limit) if is_asked else 1.0,
        not is_asked and score <= CALM * limit,
        numbers={"expected": usual.expected, "mad": usual.mad, "weeks": weeks},
    )


def history(condition: Anomaly, series: Series) -> History:
    """Every bucket, by what is before it."""
    import numpy as np

    begins = np.asarray(series.begins, dtype=np.int64)
    values = np.asarray(series.values, dtype=np.float64)
    nothing = np.full(len(begins), np.nan)
    if not len(begins):
        none = np.zeros(0, dtype=bool)
        return History(begins, none, none, nothing, nothing, nothing, none)
    expected, mad, mads, lasting = (column.copy() for column in (nothing,) * 4)
    if series.seconds < DAY:
        _fill_finer(series, expected, mad, mads, lasting)
    else:
        _fill_days(series, expected, mad, mads, lasting)
    limit = condition.sensitivity or SENSITIVITY
    judged = ~np.isnan(mads)
    score, firing = firings(condition, values, expected, mads, lasting)
    with np.errstate(invalid="ignore"):
        low = expected - limit * mad
        low = np.where((low < 0) & (expected >= 0), 0.0, low)
        recovered = judged & ~firing & (score <= CALM * limit)
    return History(begins, firing, recovered, score, low, expected + limit * mad, judged)


def firings(
    condition: Anomaly, values: Floats, expected: Floats, mads: Floats, lasting: Floats
) -> tuple[Floats, Flags]:
    """The score of each bucket, and whether it fires: what `verdict_of` says, in columns."""
    import numpy as np

    limit = condition.sensitivity or SENSITIVITY
    with np.errstate(invalid="ignore"):
        lasts = (np.abs(lasting) > limit) & (np.abs(mads) <= limit)
        told = np.where(lasts, lasting, mads)
        score = np.abs(told)
        firing: Flags = score > limit
        if condition.minimum:
            firing &= np.maximum(values, expected) >= condition.minimum
        if condition.direction != "both":
            firing &= (told < 0) if condition.direction == "drop" else (told > 0)
    return score, firing


def _least_days(grain: int) -> int:
    from functions.alerts.conditions import hours

    return hours.least_days(grain)


def _before(series: Series, place: int) -> Sequence[float] | None:
    """The values before a day, at most `BEFORE`, gaps filled; None for too few."""
    if grid.is_even(series, place, BEFORE):
        return series.values[place - BEFORE : place]
    if place == 0:
        return None
    first = series.begins[place] - (BEFORE * series.seconds + series.seconds // 2)
    start = max(0, place - BEFORE)
    while start > 0 and series.begins[start - 1] > first:
        start -= 1
    return _filled(series, start, place)


def _filled(series: Series, start: int, place: int) -> list[float]:
    """The values from a bucket to another, with what is missing between and before it."""
    begins, grain = series.begins, series.seconds
    steps = [(begins[at] - begins[place] - grain // 2) // grain + 1 for at in range(start, place)]
    wanted = min(BEFORE, (begins[place] - begins[0] + grain // 2) // grain)
    values: list[float] = []
    known = dict(zip(steps, series.values[start:place], strict=True))
    first = series.values[start]
    for step in range(-wanted, 0):
        found = known.get(step)
        if found is None:
            found = values[-anomaly.SEASON] if len(values) >= anomaly.SEASON else values[-1] if values else first
        values.append(found)
    return values


def _finer(condition: Anomaly, series: Series, place: int) -> Verdict:
    from functions.alerts.conditions import hours

    upto = replace(series, begins=series.begins[: place + 1], values=series.values[: place + 1])
    a_day = max(1, round(DAY / series.seconds))
    if (series.begins[place] - series.begins[0]) < hours.least_days(series.seconds) * DAY - series.seconds:
        return warming_up(series, place)
    laid, steps = grid.laid(upto, a_day)
    if steps[-1] < 0:
        told = f"{series.name}: the clocks were changed, and this hour is there twice."
        return Verdict("waiting", "doubled_hour", told, series.begins[place], series.values[place])
    found = hours.usual(laid, _there(laid, steps), series.seconds, only_last=True)
    if found.mads[0] != found.mads[0]:
        return warming_up(series, place)
    usual = Usual(*(float(column[0]) for column in found))
    return verdict_of(condition, series, place, usual, min(len(laid) // (7 * a_day), hours.WEEKS))


def _there(laid: Floats, steps: Instants) -> Flags:
    """Which steps of the grid have a point."""
    import numpy as np

    there = np.zeros(len(laid), dtype=bool)
    there[steps[steps >= 0]] = True
    return there


_latest: list[tuple[ref[Series], Instants, Expected | None]] = []
"""What was usual in the series judged last, while it is there: a back-test asks for it with fifty settings."""


def _usual_of(series: Series) -> tuple[Instants, Expected | None]:
    """The steps of a finer series, and what is usual there; None while too little is known of all of it."""
    for of, steps, found in _latest:
        if of() is series:
            return steps, found
    from functions.alerts.conditions import hours

    a_day = max(1, round(DAY / series.seconds))
    laid, steps = grid.laid(series, a_day)
    is_long = len(laid) > hours.least_days(series.seconds) * a_day
    found = hours.usual(laid, _there(laid, steps), series.seconds) if is_long else None
    _latest[:] = [(ref(series, lambda _: _latest.clear()), steps, found)]
    return steps, found


def _fill_finer(series: Series, expected: Floats, mad: Floats, mads: Floats, lasting: Floats) -> None:
    import numpy as np

    steps, found = _usual_of(series)
    if found is None:
        return
    there = np.flatnonzero(steps >= 0)
    for column, known in zip((expected, mad, mads, lasting), (*found[:3], found.lasting_mads), strict=True):
        column[there] = known[steps[there]]


def _fill_days(series: Series, expected: Floats, mad: Floats, mads: Floats, lasting: Floats) -> None:
    import numpy as np

    from functions.alerts.conditions import days

    even = [place for place in range(BEFORE, len(series.values)) if grid.is_even(series, place, BEFORE)]
    is_even = set(even)
    values = np.asarray(series.values, dtype=np.float64)
    if even:
        at = np.asarray(even)
        windows = np.lib.stride_tricks.sliding_window_view(values, BEFORE)[at - BEFORE]
        positive = windows.min(axis=1) >= 0
        found = days.usual(windows[positive], values[at][positive])
        for column, known in zip((expected, mad, mads, lasting), (*found[:3], found.lasting_mads), strict=True):
            column[at[positive]] = known
        is_even -= set(at[~positive].tolist())
    for place in range(1, len(values)):
        if place in is_even:
            continue
        before = _before(series, place)
        if before is None or len(before) < LEAST:
            continue
        usual = of_days(before, series.values[place])
        expected[place], mad[place], mads[place], lasting[place] = (
            usual.expected,
            usual.mad,
            usual.mads,
            usual.lasting_mads,
        )
