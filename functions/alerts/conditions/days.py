"""What `anomaly.usual` says, of many days at once: in arrays, a row each. It must say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.alerts.conditions import anomaly
from functions.alerts.conditions.anomaly import APART, MAD, SEASON, SLIGHT, WEEKS

if TYPE_CHECKING:
    from functions.alerts.conditions.history import Flags, Floats


class Expected(NamedTuple):
    """`anomaly.Usual` in columns."""

    expected: Floats
    mad: Floats
    mads: Floats
    lasting: Floats
    lasting_mads: Floats
    lasting_mean: Floats
    lasting_expected: Floats


class Lines(NamedTuple):
    """`anomaly.Line` in columns."""

    level: Floats
    noise: Floats
    kin: Floats
    known: Floats
    centre: Floats
    slope_error: Floats


def usual(before: Floats, values: Floats) -> Expected:
    """A row of days before, and the day after it, each."""
    import numpy as np

    rows, count = before.shape
    sums = np.zeros((rows, count + 1))
    np.cumsum(before, axis=1, out=sums[:, 1:])
    weeks = sums[:, SEASON:] - sums[:, :-SEASON]
    weeks = np.where(weeks > 0, weeks, anomaly.TINY)
    shares = before[:, SEASON - 1 :] / weeks
    season = _season(shares)
    lines = _lines(before, season, _growth(weeks), values == np.floor(values))
    in_season = min(WEEKS, (count - SEASON + 1) // SEASON)
    noise = lines.noise * np.sqrt(1 + anomaly.YOUNG / in_season)
    expected = season[:, 0] * lines.level
    wide = np.maximum(season[:, 0], SLIGHT) * lines.level * noise * np.sqrt(_variance(lines, 1, in_season))
    mad = MAD * np.maximum(wide, floors(expected, values))
    mads = (values - expected) / mad
    best = [np.ones(rows), *(np.zeros(rows) for _ in range(3))]
    at = np.flatnonzero(np.abs(mads) > anomaly.TOUCH)
    if len(at):
        some = Lines(*(column[at] for column in lines))
        found = _lasting(before[at], values[at], season[at], some, noise[at], in_season, mads[at])
        for column, known in zip(best, found, strict=True):
            column[at] = known
    return Expected(expected, mad, mads, *best)


def floors(expected: Floats, values: Floats) -> Floats:
    """`anomaly.floor` of each."""
    import numpy as np

    size = np.abs(expected)
    share = anomaly.LEAST_SHARE * size
    share = np.where(values == np.floor(values), np.maximum(share, np.sqrt(np.maximum(size, 1.0))), share)
    return np.where(share > 0, share, 1e-9)


def _season(shares: Floats) -> Floats:
    """What part of the week each of the next seven days is: of up to `WEEKS`, the mean without the least and the greatest."""
    import numpy as np

    rows, count = shares.shape
    weeks = min(WEEKS, -(-count // SEASON))
    padded = shares[:, -weeks * SEASON :]
    missing = weeks * SEASON - padded.shape[1]
    if missing:
        padded = np.concatenate([np.full((rows, missing), np.nan), padded], axis=1)
    by_day = padded.reshape(rows, weeks, SEASON)
    found: Floats
    if missing or weeks <= 2:
        known = weeks - np.isnan(by_day).sum(axis=1)
        total = np.nansum(by_day, axis=1)
        inner = total - np.fmin.reduce(by_day, axis=1) - np.fmax.reduce(by_day, axis=1)
        found = np.where(known > 2, inner / np.maximum(known - 2, 1), total / known).clip(0)
    else:
        inner = by_day.sum(axis=1) - by_day.min(axis=1) - by_day.max(axis=1)
        found = inner.clip(0) / (weeks - 2)
    return found


def _median(rows: Floats) -> Floats:
    import numpy as np

    count = rows.shape[1]
    ranked = np.partition(rows, ((count - 1) // 2, count // 2), axis=1)
    middle: Floats = (ranked[:, (count - 1) // 2] + ranked[:, count // 2]) / 2
    return middle


def _middles(rows: Floats, counted: Flags | None) -> tuple[Floats, Floats]:
    """The median of what is counted of each row, and how far apart its quarters are; 0 of nothing."""
    import numpy as np

    if counted is None:
        known = rows.shape[1]
        places = (known // 4, (known - 1) // 2, known // 2, 3 * known // 4)
        ranked = np.partition(rows, places, axis=1)
        low, under, over, high = (ranked[:, place] for place in places)
        return (under + over) / 2, high - low
    ranked = np.sort(np.where(counted, rows, np.inf), axis=1)
    some, at = counted.sum(axis=1), np.arange(len(rows))
    has_any, last = some > 0, np.maximum(some - 1, 0)
    low, under, over, high = (
        np.where(has_any, ranked[at, np.minimum(place, last)], 0.0)
        for place in (some // 4, last // 2, some // 2, 3 * some // 4)
    )
    return (under + over) / 2, high - low


def _held(slope: Floats, error: Floats, by: float) -> Floats:
    import numpy as np

    share = error / np.where(slope != 0, slope, 1.0)
    return slope * np.maximum(0.0, 1 - by * share * share)


def _growth(weeks: Floats) -> Floats:
    import numpy as np

    logs = np.log(weeks[:, -1::-SEASON])
    growths = (logs[:, :-2] - logs[:, 2:]) / 14
    middle = _median(growths)
    error = _median(np.abs(growths - middle[:, None])) / MAD * 1.25 / np.sqrt(growths.shape[1])
    return _held(middle, error, anomaly.HELD_GROWTH).clip(-anomaly.MOST_GROWTH, anomaly.MOST_GROWTH)


def _lines(before: Floats, season: Floats, growth: Floats, is_count: Flags) -> Lines:
    import numpy as np

    count = before.shape[1]
    span = min(anomaly.LEVEL, count - APART)
    weekdays = np.arange(-APART - span, -APART) % SEASON
    flat = before[:, count - APART - span : count - APART]
    counted = None
    if (season >= SLIGHT).all():
        flat = flat * (1 / season)[:, weekdays]
    else:
        divisors = season[:, weekdays]
        counted = divisors >= SLIGHT
        flat = flat / np.where(counted, divisors, 1.0)
    grows = np.flatnonzero(growth)
    if len(grows):
        flat[grows] *= np.exp(-growth[grows, None] * np.asarray(anomaly.AT[-span:]))
    newest = slice(-anomaly.FIRST_GUESS, None)
    middle, apart = _middles(flat[:, newest], None if counted is None else counted[:, newest])
    is_known = middle > 0
    middle = np.where(is_known, middle, 1.0)
    rare = 1 / np.sqrt(np.maximum(middle * season[:, 0], 1.0))
    least = middle * np.maximum(anomaly.LEAST_SHARE / 2, np.where(is_count, rare, 0.0))
    noise = np.maximum(apart / anomaly.QUARTERS, least)
    free = anomaly.FREE + (SEASON - 1) * span / count
    lines = _fitted(flat, counted, middle, noise, free, least)
    return lines._replace(level=np.where(is_known, lines.level, 0.0), noise=lines.noise / middle)


def _fitted(flat: Floats, counted: Flags | None, base: Floats, noise: Floats, free: float, least: Floats) -> Lines:
    """A line through what is near the median, then through what is near that line."""
    import numpy as np

    kept = np.abs(flat - base[:, None]) < anomaly.CUT * noise[:, None]
    if counted is not None:
        kept &= counted
    lines, slope = _through(flat, kept, free, least)
    off = flat - lines.level[:, None]
    at = np.flatnonzero(slope)
    off[at] -= slope[at, None] * np.asarray(anomaly.AT[-flat.shape[1] :])
    nearer = np.abs(off) < anomaly.CUT * lines.noise[:, None]
    if counted is not None:
        nearer &= counted
    at = np.flatnonzero((nearer != kept).any(axis=1))
    if len(at):
        again, _ = _through(flat[at], nearer[at], free, least[at])
        for column, known in zip(lines, again, strict=True):
            column[at] = known
    return lines


def _through(flat: Floats, kept: Flags, free: float, least: Floats) -> tuple[Lines, Floats]:
    """A line through what is kept, and its slope."""
    import numpy as np

    at = np.asarray(anomaly.AT[-flat.shape[1] :])
    weight = kept.astype(np.float64)
    known = np.maximum(weight.sum(axis=1), 1.0)
    near = flat * weight
    centre, mean = weight @ at / known, near.sum(axis=1) / known
    spread = np.maximum(weight @ (at * at) - known * centre * centre, 1e-9)
    steep = (near @ at - centre * mean * known) / spread
    rest = near - ((mean - steep * centre)[:, None] + steep[:, None] * at) * weight
    square = np.einsum("ij,ij->i", rest, rest)
    beside = np.einsum("ij,ij->i", rest[:, 1:], rest[:, :-1])
    noise = np.sqrt(square / np.maximum(known - free, 3.0)) * anomaly.TRUNCATED
    like = np.where(noise > least, beside / np.where(square > 0, square, 1.0), 0.0)
    noise = np.maximum(noise, least)
    kin = (like + anomaly.KIN + 2 / known).clip(0.0, anomaly.MOST_KIN)
    error = np.sqrt((1 + kin) / (1 - kin) / spread)
    slope = _held(steep, noise * error, anomaly.HELD_SLOPE)
    return Lines(mean - slope * centre, noise, kin, known, centre, error), slope


def _variance(lines: Lines, days: int, in_season: int) -> Floats:
    kin = lines.kin
    alone = days + 2 * sum((days - step) * kin**step for step in range(1, days))
    slope = (lines.slope_error * (-(days - 1) / 2 - lines.centre)) ** 2
    level = (1 + kin) / (1 - kin) / lines.known + anomaly.OF_SLOPE * slope
    total: Floats = alone + days * anomaly.OF_SEASON / in_season + days * days * level
    return total


def _lasting(
    before: Floats, values: Floats, season: Floats, lines: Lines, noise: Floats, in_season: int, mads: Floats
) -> list[Floats]:
    import numpy as np

    rows = len(before)
    total, share = values.copy(), season[:, 0].copy()
    best: list[Floats] = [np.ones(rows), *(np.zeros(rows) for _ in range(3))]
    for days in range(2, max(anomaly.LASTING) + 1):
        total = total + before[:, 1 - days]
        share = share + season[:, 1 - days]
        if days not in anomaly.LASTING:
            continue
        expected = share * lines.level
        wide = np.maximum(share / days, SLIGHT) * lines.level * noise * np.sqrt(_variance(lines, days, in_season))
        found = (total - expected) / (MAD * np.maximum(wide, floors(expected, values))) * anomaly.LASTING[days]
        better = (found * mads > 0) & (np.abs(found) > np.maximum(np.abs(mads), np.abs(best[1])))
        kept = (np.full(rows, float(days)), found, total / days, expected / days)
        best = [np.where(better, new, old) for new, old in zip(kept, best, strict=True)]
    return best
