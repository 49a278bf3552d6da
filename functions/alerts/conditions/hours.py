"""What is usual in grains finer than a day, and how far from it is unusual; with numpy, for many buckets at once.

The shape of the week is `shapes`'. **Level**: the median of three days without that shape, the
newest hours left out, carried forward by the growth of the last two weeks, as far as that is
known. **Noise**: what the last four weeks' buckets, and sums of so many buckets, were off by,
with the shape that is known now; beyond what counts vary by themselves (the root of what is
expected) it grows with what is expected. So it contains how each bucket resembles the one
before, and how badly the level was known. Sums (`LASTING_HOURS`) find what is small and lasts.

An hourly series is looked at seven hundred times a month; the bar of each look (`BARS`) is what
healthy series pass once in years, and higher while there are few weeks to know them by (`YOUNG`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.alerts.conditions import days, shapes
from functions.alerts.conditions.anomaly import LEAST_SHARE, MAD, SENSITIVITY
from functions.alerts.conditions.days import Expected
from functions.alerts.conditions.series import DAY, HOUR

if TYPE_CHECKING:
    from functions.alerts.conditions.history import Flags, Floats, Instants

LEAST_DAYS, LEAST_DAYS_OF_HOURS = 8, 14
WEEKS = shapes.WEEKS
LEVEL_HOURS, APART_HOURS = 72, 12
GROWTH_DAYS = 7
HELD_GROWTH, MOST_GROWTH = 0.5, 0.1
LASTING_HOURS = (2, 4, 8, 12, 16)
BAR, YOUNG = 5.0, 3.0
"""Standard deviations that are unusual, and by how many parts more on the first day whose noise is known."""
TAMED, TAMED_AT = 1.2, 0.86
"""It takes so many times what one day in seven passes, as what happens in any week is no news."""
TOUCH = 2.0
"""What lasts is only asked about when its newest bucket is so many standard deviations off."""
NOISE_DAYS = 28
ENOUGH = 60
UNKNOWN = 1e18
"""Stands for noise that is not known."""
QUANTILES = ((0.5, 0.6745), (0.8, 1.2816), (0.9, 1.645), (0.95, 1.96))
"""Parts of the buckets, and how many standard deviations they lie within if noise is normal."""
CORRELATED = 0.15
"""The least noise of the mean of a long sum, in least noises of a bucket, as a variance."""
SLIGHT = 0.05
"""A bucket with less than this part of the mean is taken to have that much, where noise is asked for."""


class Known(NamedTuple):
    """Of each day from `first` on: the shape, and of its buckets the level."""

    first: int
    shape: shapes.Shapes
    level: Floats


def least_days(grain: int) -> int:
    """How many days must have passed before a bucket of this grain is judged."""
    return LEAST_DAYS_OF_HOURS if grain >= HOUR else LEAST_DAYS


def usual(values: Floats, there: Flags, grain: int, *, only_last: bool = False) -> Expected:
    """What is expected of each step (or the last one), by the steps before it, in columns.

    `values` has no gaps; what was put into them is not `there`. `mads` is scaled so that
    `SENSITIVITY` is the limit. NaN where nothing can be said.
    """
    import numpy as np

    a_day, count = max(1, round(DAY / grain)), len(values)
    shift = _shift(values[: 7 * a_day])
    rows = -(-count // a_day)
    span = max(14, -(-max(1, a_day // 24) * (LEVEL_HOURS + APART_HOURS) // a_day))
    dropped = max(0, rows - (shapes.WEEK * (WEEKS + 1) + NOISE_DAYS + span + 2)) if only_last else 0
    moved = np.zeros((rows - dropped) * a_day)
    moved[: count - dropped * a_day] = values[dropped * a_day :] + shift
    is_there = np.zeros(len(moved), dtype=bool)
    is_there[: count - dropped * a_day] = there[dropped * a_day :]
    table, marks = moved.reshape(-1, a_day), is_there.reshape(-1, a_day)
    first = max(shapes.WEEK, len(table) - 1 - NOISE_DAYS) if only_last else shapes.WEEK
    judged = max(first, least_days(grain) - dropped, len(table) - 1 if only_last else 0)
    if judged >= len(table):
        return Expected(*(np.full(1 if only_last else count, np.nan) for _ in Expected._fields))
    known = _known(table, marks, first)
    at_once = max(1, 2_000_000 // (NOISE_DAYS * a_day))
    parts = [
        _judged(table, marks, known, np.arange(start, min(start + at_once, len(table))), dropped)
        for start in range(judged, len(table), at_once)
    ]
    found = Expected(*(np.concatenate(column).ravel() for column in zip(*parts, strict=True)))
    moved_back = found._replace(
        expected=found.expected - shift,
        lasting_mean=found.lasting_mean - shift,
        lasting_expected=found.lasting_expected - shift,
    )
    begin = (judged + dropped) * a_day
    if only_last:
        return Expected(*(column[count - 1 - begin : count - begin] for column in moved_back))
    return Expected(*(np.concatenate([np.full(begin, np.nan), column])[:count] for column in moved_back))


def _shift(early: Floats) -> float:
    """What makes values below zero positive, so that shares can be taken."""
    import numpy as np

    lowest = float(np.min(early)) if len(early) else 0.0
    return 2 * (float(np.max(early)) - lowest) + abs(lowest) + 0.5 if lowest < 0 else 0.0


def _known(table: Floats, marks: Flags, first: int) -> Known:
    """Shape and level of each day from `first` on."""
    import numpy as np

    count, a_day = table.shape
    shape = shapes.known(table, first)
    an_hour = max(1, a_day // 24)
    lags = (APART_HOURS + 1 + np.arange(LEVEL_HOURS)) * an_hour
    span = -(-int(lags[-1]) // a_day)
    at_once = max(1, 2_000_000 // (LEVEL_HOURS * a_day))
    levels: list[Floats] = []
    for start in range(first, count, at_once):
        some = np.arange(start, min(start + at_once, count))
        share = shape.share[some - first]
        flats = [_flat(table, marks, share, some, back) for back in range(max(span, 2 * GROWTH_DAYS), 0, -1)]
        growth = _growth(flats[-2 * GROWTH_DAYS :])
        around = np.concatenate([*flats[-span:], np.full((len(some), a_day), np.nan)], axis=1)
        past = around[:, span * a_day + np.arange(a_day)[:, None] - lags[None, :]]
        middle = _medians(past.reshape(-1, LEVEL_HOURS)).reshape(len(some), a_day)
        far = (lags[0] + lags[-1]) / 2 / a_day
        levels.append(middle * np.exp(growth * far)[:, None])
    return Known(first, shape, np.concatenate(levels))


def _flat(table: Floats, marks: Flags, share: Floats, some: Instants, back: int) -> Floats:
    """The day so many days before each, without the week's shape; NaN where nothing is known."""
    import numpy as np

    its = share[:, -back % shapes.WEEK]
    at = np.maximum(some - back, 0)
    is_known = marks[at] & (its > 0) & (some >= back)[:, None]
    return np.where(is_known, table[at] / np.where(its > 0, its, 1.0), np.nan)


def _medians(rows: Floats) -> Floats:
    """Of what is known of each row; 0 of nothing."""
    import numpy as np

    ranked = np.sort(rows, axis=1)
    known, at = rows.shape[1] - np.isnan(rows).sum(axis=1), np.arange(len(rows))
    last = np.maximum(known - 1, 0)
    return np.where(known > 0, (ranked[at, last // 2] + ranked[at, np.minimum(known // 2, last)]) / 2, 0.0)


def _growth(flats: list[Floats]) -> Floats:
    """How much a day is more than the one before it, logarithmic: each of a week against a week before, held back."""
    import numpy as np

    daily = np.stack([_medians(flat) for flat in flats], axis=1)
    known = (daily[:, :GROWTH_DAYS] > 0) & (daily[:, GROWTH_DAYS:] > 0)
    logs = np.log(np.where(daily > 0, daily, 1.0))
    growths = np.where(known, (logs[:, GROWTH_DAYS:] - logs[:, :GROWTH_DAYS]) / GROWTH_DAYS, np.nan)
    middle = _medians(growths)
    error = _medians(np.abs(growths - middle[:, None])) / MAD * 1.25 / np.sqrt(GROWTH_DAYS)
    share = error / np.where(middle != 0, middle, 1.0)
    held: Floats = (middle * np.maximum(0.0, 1 - HELD_GROWTH * share * share)).clip(-MOST_GROWTH, MOST_GROWTH)
    return held


class _Past(NamedTuple):
    """Four weeks before each day, as running sums; and what holds of each bucket."""

    sums: Floats
    shares: Floats
    level: Floats
    mean: Floats
    is_known: Flags
    is_count: Flags


def _judged(table: Floats, marks: Flags, known: Known, some: Instants, dropped: int) -> list[Floats]:
    """`Expected` of the buckets of some days, a row each."""
    import numpy as np

    a_day = table.shape[1]
    share, unsure = known.shape.share[some - known.first], known.shape.unsure[some - known.first]
    wider = ((1 + unsure) / np.maximum(1 - unsure, 0.3))[:, None]
    level = known.level[some - known.first]
    past = _past(table, marks, known, some, share)
    young = 1 + YOUNG / np.minimum(some + dropped - shapes.WEEK, NOISE_DAYS).clip(1)[:, None]
    is_there = np.concatenate([marks[some - 1], marks[some]], axis=1)
    values = np.concatenate([table[some - 1], table[some]], axis=1)
    shares = np.concatenate([share[:, -1], share[:, 0]], axis=1)
    totals, parts = _running(values * is_there), _running(shares * is_there)
    counted = _running(is_there.astype(np.float64))
    is_count = table[some] == np.floor(table[some])
    found: list[Floats] = []
    for steps in _sums(a_day):
        here = slice(a_day + 1 - steps, 2 * a_day + 1 - steps)
        total = totals[:, a_day + 1 :] - totals[:, here]
        size = parts[:, a_day + 1 :] - parts[:, here]
        number = np.maximum(counted[:, a_day + 1 :] - counted[:, here], 1.0)
        expected = size * level
        noise, passed = _noise(past, wider, steps, a_day)
        limit = np.maximum(BAR * young, TAMED * passed[:, None])
        wide = np.maximum(expected, SLIGHT * number * past.mean[:, None])
        rare = is_count * np.maximum(expected, 1.0)
        deviation = np.sqrt((rare + noise[:, None] * wide * wide) * wider)
        if steps == 1:
            expected = share[:, 0] * level
            deviation = np.maximum(deviation, days.floors(expected, table[some]))
            mad = deviation * limit / SENSITIVITY
            mads = (table[some] - expected) / mad
            off = mads * limit / SENSITIVITY
            found = [expected, mad, mads, np.ones_like(mad), *(np.zeros_like(mad) for _ in range(3))]
            continue
        told = (total - expected) / np.maximum(deviation, 1e-9) * SENSITIVITY / limit
        better = (np.abs(off) > TOUCH) & (told * off > 0)
        better &= np.abs(told) > np.maximum(np.abs(found[2]), np.abs(found[4]))
        columns = (np.full_like(mad, steps), told, total / number, expected / number)
        found[3:] = [np.where(better, new, old) for new, old in zip(columns, found[3:], strict=True)]
    return found


def _sums(a_day: int) -> list[int]:
    """How many buckets are summed up, beginning with one."""
    an_hour = max(1, a_day // 24)
    return [1, *(an_hour * hours for hours in (1, *LASTING_HOURS) if 1 < an_hour * hours <= a_day)]


def _running(rows: Floats) -> Floats:
    import numpy as np

    sums = np.zeros((len(rows), rows.shape[1] + 1))
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    return sums


def _past(table: Floats, marks: Flags, known: Known, some: Instants, share: Floats) -> _Past:
    import numpy as np

    back = np.arange(-NOISE_DAYS, 0)
    at = some[:, None] + back
    inside = np.maximum(at, known.first)
    wide = (len(some), -1)
    is_known = (marks[inside] & (at >= known.first)[:, :, None]).reshape(wide)
    values = table[inside].reshape(wide)
    shares = share[:, back % shapes.WEEK].reshape(wide)
    sums = _running(values * is_known)
    return _Past(
        sums,
        _running(shares * is_known),
        known.level[inside - known.first].reshape(wide),
        sums[:, -1] / np.maximum(is_known.sum(axis=1), 1),
        is_known,
        values == np.floor(values),
    )


def _noise(past: _Past, wider: Floats, steps: int, a_day: int) -> tuple[Floats, Floats]:
    """The variance of sums beyond that of counts, in squares of what was expected, a number a day.

    And how many standard deviations one day in seven passes.
    """
    import numpy as np

    last = slice(steps - 1, None)
    level = past.level[:, last]
    expected = (past.shares[:, steps:] - past.shares[:, :-steps]) * level
    off = past.sums[:, steps:] - past.sums[:, :-steps] - expected
    rare = past.is_count[:, last] * np.maximum(expected, 1.0)
    wide = np.maximum(expected, SLIGHT * steps * past.mean[:, None])
    is_known = past.is_known[:, last] & (wide > 0)
    square = wide * wide
    square[square == 0] = 1.0
    spread, squares = rare / square, off * off / wider / square
    known = is_known.sum(axis=1)
    total = np.zeros(len(known))
    for part, deviations in QUANTILES:
        total += _quantile(np.where(is_known, squares / deviations**2 - spread, np.inf), known, part)
    least = LEAST_SHARE**2 * max(1 / steps, CORRELATED)
    noise = np.where(known >= ENOUGH, np.maximum(total / len(QUANTILES), least), UNKNOWN)
    sizes = np.zeros((len(known), NOISE_DAYS * a_day))
    sizes[:, steps - 1 :] = np.where(is_known, squares / (spread + noise[:, None]), 0.0)
    most = sizes.reshape(len(known), NOISE_DAYS, a_day).max(axis=2)
    has_any = most > 0
    return noise, np.sqrt(_quantile(np.where(has_any, most, np.inf), has_any.sum(axis=1), TAMED_AT))


def _quantile(rows: Floats, known: Instants, part: float) -> Floats:
    """Of the so many that are known of each row, the others being infinite; 0 of nothing."""
    import numpy as np

    wanted = (part * np.maximum(known - 1, 0)).astype(np.int64)
    if (wanted == wanted[0]).all():
        found: Floats = np.partition(rows, wanted[0], axis=1)[:, wanted[0]]
    else:
        found = np.sort(rows, axis=1)[np.arange(len(rows)), wanted]
    return np.where(known > 0, found, 0.0)
