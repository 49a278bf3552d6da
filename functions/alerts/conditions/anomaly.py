"""What is usual at this weekday, and how far from it is unusual: one day (or longer bucket) at a time, without numpy.

**Season.** Each value is divided by the sum of the week that ends with it; a weekday's share
is the trimmed mean of its last eight. One holiday is one of eight, and is trimmed.

**Level and trend.** A straight line through eight weeks without their season, after the median
growth of the weeks was taken out. What lies more than `CUT` standard deviations from the
median, and then from the line, has no part in it: an outage pulls nothing, and a level that
stays becomes usual in two or three weeks. The slope is held back by how little is known of it.
The newest `APART` days are left out, so that what is going on now does not become usual at once.

**Noise.** The standard deviation around that line, not less than counts vary by themselves (the
root of what is expected), nor than a hundredth. To it comes how well season, level and slope
are known, and for several days together how much each day resembles the one before.

**Unusual** is more than `SENSITIVITY` MADs away (a MAD is `MAD` standard deviations), or less
when it lasts: sums of the last days have bars of their own (`LASTING`), as there are fewer of them.

`days.py` says the same of many days at once, `hours.py` judges finer grains.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, compress, repeat
from math import exp, log, sqrt
from operator import and_, mul, sub, truediv
from typing import NamedTuple

SENSITIVITY = 7.25
SEASON = 7
WEEKS = 8
BEFORE = SEASON * WEEKS + SEASON - 1
"""So many days before it are looked at: 62. `LEAST` of them must be there."""
LEAST = 28
DAYS_BACK = tuple(range(-SEASON, 0))
APART, LEVEL = 6, 56
LASTING = {2: 1.1, 4: 1.16, 6: 1.19}
"""So many days together, and by how much their bar is lower."""
TOUCH = 1.35 / 0.6745
"""What lasts is only asked about when its newest bucket is so many MADs off."""
MAD = 0.6745
FIRST_GUESS = 28
"""The newest days whose median is what the others are first held to."""
CUT = 3.25
FREE = 2
"""Level and slope are two numbers that the noise does not show."""
TRUNCATED = 1.015
"""What is cut off makes the noise look less by this."""
HELD_GROWTH, HELD_SLOPE = 2.0, 1.5
"""A growth or slope g known to a standard error e counts as g × (1 − held × e² / g²), or not at all."""
MOST_GROWTH = 0.05
OF_SLOPE, OF_SEASON, YOUNG = 0.5, 1.1, 0.3
"""How much the guesses at slope and season add to the noise."""
KIN, MOST_KIN = 0.03, 0.7
"""How much more than it seems each day resembles the one before, as short series hide it; and the most."""
AT = tuple(float(day) for day in range(-APART - LEVEL, -APART))
"""The days of the level, the day judged being 0."""
QUARTERS = 1.349
"""How many standard deviations lie between the first quarter and the last."""
SLIGHT = 0.05
"""A weekday with less of the week than this says nothing about level and noise."""
LEAST_SHARE = 0.01
TINY = 1e-300
"""Stands for a week of nothing, of which every share is nothing."""
CALM = 0.6
"""Recovered: within this part of the band."""


class Usual(NamedTuple):
    """What is expected of a bucket. `mad` is the noise around it; `lasting` days may be more remarkable together."""

    expected: float
    mad: float
    mads: float
    lasting: float = 1
    lasting_mads: float = 0.0
    lasting_mean: float = 0.0
    lasting_expected: float = 0.0


class Line(NamedTuple):
    """What is known of level and noise: `noise` is a share of the level, `kin` how much of a day is in the next.

    `known` days lie around `centre` days from today; `slope_error` is a share of the noise, a day.
    """

    level: float
    noise: float = 0.0
    kin: float = 0.0
    known: float = 1.0
    centre: float = 0.0
    slope_error: float = 0.0


def usual(before: Sequence[float], value: float) -> Usual:
    """What is expected of a day after the `before`, at least `LEAST` and at most `BEFORE` values, none negative."""
    count = len(before)
    sums = list(accumulate(before, initial=0.0))
    weeks = list(map(sub, sums[SEASON:], sums))
    if min(weeks) <= 0:
        weeks = [week if week > 0 else TINY for week in weeks]
    shares = list(map(truediv, before[SEASON - 1 :], weeks))
    season = _season(shares)
    line = _line(before, season, _growth(weeks), is_count=value == int(value))
    in_season = min(WEEKS, (count - SEASON + 1) // SEASON)
    noise = line.noise * sqrt(1 + YOUNG / in_season)
    expected = season[0] * line.level
    deviation = max(
        max(season[0], SLIGHT) * line.level * noise * sqrt(_variance(line, 1, in_season)), floor(expected, value)
    )
    found = Usual(expected, MAD * deviation, (value - expected) / (MAD * deviation))
    if -TOUCH <= found.mads <= TOUCH:
        return found
    return _lasting(before, value, season, line, noise, in_season, found)


def floor(expected: float, value: float) -> float:
    """The least standard deviation of a number: a share of it, and of counts (whole numbers) their root."""
    size = abs(expected)
    share = LEAST_SHARE * size
    if value == int(value):
        share = max(share, sqrt(size if size > 1 else 1.0))
    return share if share > 0 else 1e-9


def _season(shares: list[float]) -> list[float]:
    """What part of the week each of the next seven days is: the mean of its last without the least and the greatest."""
    by_day = [shares[day::-SEASON] for day in DAYS_BACK]
    weeks = len(by_day[0])
    if weeks > 2 and len(by_day[-1]) == weeks:
        return [max(sum(day) - min(day) - max(day), 0.0) / (weeks - 2) for day in by_day]
    return [
        max(sum(day) - min(day) - max(day), 0.0) / (len(day) - 2) if len(day) > 2 else sum(day) / len(day)
        for day in by_day
    ]


def _median(ranked: list[float]) -> float:
    count = len(ranked)
    return (ranked[(count - 1) // 2] + ranked[count // 2]) / 2


def held(slope: float, error: float, by: float) -> float:
    """What is left of a slope, known to a standard error."""
    return slope * max(0.0, 1 - by * (error / slope) ** 2) if slope else 0.0


def _growth(weeks: list[float]) -> float:
    """How much a day is more than the one before it, logarithmic: the median over pairs of weeks, held back."""
    logs = [log(week) for week in weeks[-1::-SEASON]]
    growths = sorted([(new - old) / 14 for new, old in zip(logs, logs[2:], strict=False)])
    middle = _median(growths)
    apart = sorted([abs(one - middle) for one in growths])
    growth = held(middle, _median(apart) / MAD * 1.25 / sqrt(len(growths)), HELD_GROWTH)
    return max(-MOST_GROWTH, min(MOST_GROWTH, growth))


def _line(before: Sequence[float], season: list[float], growth: float, *, is_count: bool) -> Line:
    """Level and trend of the days before, the newest left out."""
    count = len(before)
    span = min(LEVEL, count - APART)
    first = SEASON * (WEEKS + 1) - APART - span
    divisors = (season * (WEEKS + 1))[first : first + span]
    counted = None
    if min(season) < SLIGHT:
        counted = [divisor >= SLIGHT for divisor in divisors]
        divisors = [divisor if divisor >= SLIGHT else 1.0 for divisor in divisors]
    flat = list(map(truediv, before[count - APART - span : count - APART], divisors))
    if growth:
        flat = list(map(mul, flat, map(exp, map(mul, repeat(-growth), AT[-span:]))))
    newest = flat[-FIRST_GUESS:]
    if counted:
        newest = list(compress(newest, counted[-FIRST_GUESS:]))
    newest.sort()
    known = len(newest)
    middle = (newest[(known - 1) // 2] + newest[known // 2]) / 2 if known else 0.0
    if middle <= 0:
        return Line(0.0)
    shape = middle * season[0]
    least = middle * max(LEAST_SHARE / 2, 1 / sqrt(shape if shape > 1 else 1.0) if is_count else 0.0)
    noise = max((newest[3 * known // 4] - newest[known // 4]) / QUARTERS, least)
    line = Line(middle, noise)
    free = FREE + (SEASON - 1) * span / count
    whole: tuple[Line, float] | None = None
    slope = 0.0
    low, high = min(flat), max(flat)
    for _ in range(2):
        limit = CUT * line.noise
        old, new = line.level + slope * AT[-span], line.level + slope * AT[-1]
        if counted is None and max(old, new) - limit < low and high < min(old, new) + limit:
            whole = whole or _whole(flat, free, least)
            line, slope = whole
        else:
            line, slope = _part(flat, counted, line, slope, free, least)
    return line._replace(noise=line.noise / middle)


def _whole(flat: list[float], free: float, least: float) -> tuple[Line, float]:
    """A line through all of it, and its slope. By sums, as that is quick."""
    span = len(flat)
    half = (span - 1) / 2
    centre, spread = -APART - 1 - half, span * (span * span - 1) / 12
    total = sum(flat)
    mean = total / span
    steep = (sum(map(mul, flat, AT[-span:])) - centre * total) / spread
    square = sum(map(mul, flat, flat)) - total * mean - steep * steep * spread
    first, last = flat[0], flat[-1]
    beside = sum(map(mul, flat, flat[1:])) - mean * (2 * total - first - last) + (span - 1) * mean * mean
    beside -= steep * (2 * steep * spread - (half + 1) * (last - first))
    beside += steep * steep * (spread - half * half - half)
    return _held_line(span, centre, mean, spread, steep, square, beside, free, least)


def _part(
    flat: list[float], counted: list[bool] | None, near: Line, slope: float, free: float, least: float
) -> tuple[Line, float]:
    """A line through what is near another one, and its slope."""
    at = AT[-len(flat) :]
    limit = CUT * near.noise
    kept = [abs(one - near.level - slope * day) < limit for one, day in zip(flat, at, strict=True)]
    if counted:
        kept = list(map(and_, kept, counted))
    days, some = list(compress(at, kept)), list(compress(flat, kept))
    known = len(days)
    if not known:
        return near, slope
    centre, mean = sum(days) / known, sum(some) / known
    spread = max(sum(map(mul, days, days)) - known * centre * centre, 1e-9)
    steep = (sum(map(mul, some, days)) - centre * mean * known) / spread
    base = mean - steep * centre
    rest = [one - base - steep * day if keep else 0.0 for one, day, keep in zip(flat, at, kept, strict=True)]
    square, beside = sum(map(mul, rest, rest)), sum(map(mul, rest, rest[1:]))
    return _held_line(known, centre, mean, spread, steep, square, beside, free, least)


def _held_line(
    known: float,
    centre: float,
    mean: float,
    spread: float,
    steep: float,
    square: float,
    beside: float,
    free: float,
    least: float,
) -> tuple[Line, float]:
    free_of = known - free
    noise = sqrt(square / (free_of if free_of > 3 else 3.0)) * TRUNCATED if square > 0 else 0.0
    like = KIN + 2 / known
    if noise > least:
        like += beside / square
    else:
        noise = least
    kin = 0.0 if like < 0 else min(like, MOST_KIN)
    error = sqrt((1 + kin) / (1 - kin) / spread)
    slope = held(steep, noise * error, HELD_SLOPE)
    return Line(mean - slope * centre, noise, kin, known, centre, error), slope


def _variance(line: Line, days: int, in_season: int) -> float:
    """Of a sum of so many days, in variances of one."""
    kin = line.kin
    alone = days + 2 * sum([(days - step) * kin**step for step in range(1, days)]) if days > 1 else 1.0
    slope = (line.slope_error * (-(days - 1) / 2 - line.centre)) ** 2
    level = (1 + kin) / (1 - kin) / line.known + OF_SLOPE * slope
    return alone + days * OF_SEASON / in_season + days * days * level


def _lasting(
    before: Sequence[float],
    value: float,
    season: list[float],
    line: Line,
    noise: float,
    in_season: int,
    newest: Usual,
) -> Usual:
    """The same for the sum of the last days, where that is more remarkable than the newest alone."""
    total, share = value, season[0]
    best = newest
    for days in range(2, max(LASTING) + 1):
        total += before[1 - days]
        share += season[1 - days]
        if days not in LASTING:
            continue
        expected = share * line.level
        wide = max(share / days, SLIGHT) * line.level * noise * sqrt(_variance(line, days, in_season))
        mads = (total - expected) / (MAD * max(wide, floor(expected, value))) * LASTING[days]
        if mads * newest.mads > 0 and abs(mads) > max(abs(newest.mads), abs(best.lasting_mads)):
            best = best._replace(
                lasting=days, lasting_mads=mads, lasting_mean=total / days, lasting_expected=expected / days
            )
    return best
