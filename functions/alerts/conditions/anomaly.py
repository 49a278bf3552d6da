"""What is usual at this weekday (and hour), and how far from it is unusual.

**Season.** Each value is divided by the mean of the week that ends with it; a weekday's share
is the trimmed mean of its last eight. One holiday is one of eight, and is trimmed.

**Level.** The median of the last three weeks without their season, carried forward by the
median growth of the weeks. It leaves out the newest `APART` days, so that what is going on now
does not become usual at once; a level that stays becomes it in two weeks.

**Noise.** The MAD of the differences from the same weekday a week before, as a share of the
week. Not less than the tails allow (nine of ten differences lie within 1.645 standard
deviations when noise is normal; where they do not, the noise is that much wider), than counts
vary by themselves (the root of what is expected), and than a hundredth of what is expected.

**Unusual** is more than `SENSITIVITY` such MADs away, or less when it lasts: the sum of the
last two or four days is held to the noise of such a sum, which grows faster than its root
where days resemble those before them.

This module judges days (and longer buckets) one by one without numpy; `days.py` many at once,
`hours.py` finer grains.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from operator import sub, truediv
from typing import NamedTuple

SENSITIVITY = 7.25
SEASON = 7
WEEKS = 8
BEFORE = SEASON * WEEKS + SEASON - 1
"""So many days before it are looked at: 62. `LEAST` of them must be there."""
LEAST = 28
DAYS_BACK = tuple(range(-SEASON, 0))
APART, LEVEL = 4, 21
LASTING = (2, 4)
TOUCH = 2.0
"""What lasts is only asked about when its newest bucket is so many MADs off."""
TAIL, TAIL_AT = 0.9, 1.645
BACK = (7, 6, 5, 11, 10, 9, 8)
"""How many days back the newest that counts for the level is, by days from the one judged on: `APART` < back."""
MAD = 0.6745
ROOT_OF_TWO = sqrt(2)
LEAST_SHARE = 0.01
TINY = 1e-300
"""Stands for a week of nothing, of which every share is nothing."""
OF_SEASON, OF_LEVEL = 1.1, 1.57
"""How much the guesses at season and level add to the noise, over the number of values they are made of."""
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


def usual(before: Sequence[float], value: float) -> Usual:
    """What is expected of a day after the `before`, at least `LEAST` and at most `BEFORE` values, none negative."""
    count = len(before)
    sums = list(accumulate(before, initial=0.0))
    weeks = list(map(sub, sums[SEASON:], sums))
    if min(weeks) <= 0:
        weeks = [week if week > 0 else TINY for week in weeks]
    shares = list(map(truediv, before[SEASON - 1 :], weeks))
    season = [_trimmed(shares[day::-SEASON]) for day in DAYS_BACK]
    level = _level(before, season) * (1 + _growth(weeks) * (APART + (LEVEL + 1) / 2) / SEASON)
    expected = season[0] * level
    swings = list(map(sub, shares[SEASON:], shares))
    sizes = sorted(map(abs, swings))
    known = len(sizes)
    middle = (sizes[(known - 1) // 2] + sizes[known // 2]) / 2
    tail = sizes[int(TAIL * (known - 1))] / TAIL_AT * MAD
    swing = max(middle, tail) / ROOT_OF_TWO * weeks[-1]
    in_season = min(WEEKS, (count - SEASON + 1) // SEASON)
    noise = swing * sqrt(1 + OF_SEASON / in_season + OF_LEVEL / LEVEL)
    mad = max(noise, floor(expected, value))
    mads = (value - expected) / mad
    if -TOUCH < mads < TOUCH:
        return Usual(expected, mad, mads)
    return _lasting(before, value, shares, swings, level, swing, in_season, Usual(expected, mad, mads))


def floor(expected: float, value: float) -> float:
    """The least noise there is around a number: a share of it, and of counts (whole numbers) their root."""
    size = abs(expected)
    share = LEAST_SHARE * size
    if value == int(value):
        share = max(share, sqrt(size if size > 1 else 1.0))
    return MAD * share if share > 0 else 1e-9


def _trimmed(shares: list[float]) -> float:
    """The mean without the least and the greatest. Sorts what it is given."""
    count = len(shares)
    if count <= 2:
        return sum(shares) / count
    shares.sort()
    return sum(shares[1:-1]) / (count - 2)


def _level(before: Sequence[float], season: list[float]) -> float:
    """The median of three weeks without their season, the newest `APART` days left out."""
    flat: list[float] = []
    for share, back in zip(season, BACK, strict=True):
        if share > 0:
            flat += (before[-back - 14] / share, before[-back - 7] / share, before[-back] / share)
    if not flat:
        return 0.0
    flat.sort()
    count = len(flat)
    return (flat[(count - 1) // 2] + flat[count // 2]) / 2


def _growth(weeks: list[float]) -> float:
    """How much a week was more than the one before it: the median, so that one shift of level is no trend."""
    ends = weeks[-1::-SEASON]
    growths = sorted([(new - old) / (new + old) for new, old in zip(ends, ends[2:], strict=False)])
    count = len(growths)
    return (growths[(count - 1) // 2] + growths[count // 2]) / 2


def _lasting(
    before: Sequence[float],
    value: float,
    shares: list[float],
    swings: list[float],
    level: float,
    swing: float,
    in_season: int,
    newest: Usual,
) -> Usual:
    """The same for the sum of the last days, where that is more remarkable than the newest alone."""
    runs = list(accumulate(swings, initial=0.0))
    alone = sum(map(abs, swings)) / len(swings)
    total, expected = value, newest.expected
    best = newest
    for back in range(1, max(LASTING)):
        total += before[-back]
        expected += _trimmed(shares[-SEASON - back :: -SEASON]) * level
        days = back + 1
        if days not in LASTING:
            continue
        together = sum(map(abs, map(sub, runs[days:], runs))) / (len(swings) - days + 1)
        grows = min(float(days), max(sqrt(days), together / alone if alone > 0 else 0.0))
        noise = swing * grows * sqrt(1 + OF_SEASON / in_season + OF_LEVEL * days / LEVEL)
        mads = (total - expected) / max(noise, sqrt(days) * floor(newest.expected, value))
        if mads * newest.mads > 0 and abs(mads) > max(abs(newest.mads), abs(best.lasting_mads)):
            best = best._replace(
                lasting=days, lasting_mads=mads, lasting_mean=total / days, lasting_expected=expected / days
            )
    return best
