"""What `anomaly.usual` says, of many days at once: in arrays, a row each. It must say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.alerts.conditions import anomaly
from functions.alerts.conditions.anomaly import SEASON, WEEKS

if TYPE_CHECKING:
    from functions.alerts.conditions.history import Floats


class Expected(NamedTuple):
    """`anomaly.Usual` in columns."""

    expected: Floats
    mad: Floats
    mads: Floats
    lasting: Floats
    lasting_mads: Floats
    lasting_mean: Floats
    lasting_expected: Floats


def usual(before: Floats, values: Floats) -> Expected:
    """A row of days before, and the day after it, each."""
    import numpy as np

    rows, count = before.shape
    sums = np.zeros((rows, count + 1))
    np.cumsum(before, axis=1, out=sums[:, 1:])
    weeks = sums[:, SEASON:] - sums[:, :-SEASON]
    weeks = np.where(weeks > 0, weeks, anomaly.TINY)
    shares = before[:, SEASON - 1 :] / weeks
    season = [_trimmed(shares[:, day - SEASON :: -SEASON][:, :WEEKS]) for day in range(SEASON)]
    far = anomaly.APART + (anomaly.LEVEL + 1) / 2
    level = _level(before, season) * (1 + _growth(weeks) * far / SEASON)
    expected = season[0] * level
    swings = shares[:, SEASON:] - shares[:, :-SEASON]
    sizes = np.abs(swings)
    known = sizes.shape[1]
    tail_at = int(anomaly.TAIL * (known - 1))
    ranked = np.partition(sizes, sorted({(known - 1) // 2, known // 2, tail_at}), axis=1)
    middle = (ranked[:, (known - 1) // 2] + ranked[:, known // 2]) / 2
    swing = np.maximum(middle, ranked[:, tail_at] / anomaly.TAIL_AT * anomaly.MAD) / anomaly.ROOT_OF_TWO * weeks[:, -1]
    in_season = min(WEEKS, (count - SEASON + 1) // SEASON)
    wider = float(np.sqrt(1 + anomaly.OF_SEASON / in_season + anomaly.OF_LEVEL / anomaly.LEVEL))
    least = floors(expected, values)
    mad = np.maximum(swing * wider, least)
    mads = (values - expected) / mad
    lasting, lasting_mads = np.ones(rows), np.zeros(rows)
    lasting_mean, lasting_expected = np.zeros(rows), np.zeros(rows)
    at = np.flatnonzero(np.abs(mads) >= anomaly.TOUCH)
    if len(at):
        found = _lasting(
            before[at],
            values[at],
            shares[at],
            swings[at],
            level[at],
            swing[at],
            in_season,
            expected[at],
            least[at],
            mads[at],
        )
        lasting[at], lasting_mads[at], lasting_mean[at], lasting_expected[at] = found
    return Expected(expected, mad, mads, lasting, lasting_mads, lasting_mean, lasting_expected)


def floors(expected: Floats, values: Floats) -> Floats:
    """`anomaly.floor` of each."""
    import numpy as np

    size = np.abs(expected)
    share = anomaly.LEAST_SHARE * size
    share = np.where(values == np.floor(values), np.maximum(share, np.sqrt(np.maximum(size, 1.0))), share)
    return np.where(share > 0, anomaly.MAD * share, 1e-9)


def _trimmed(shares: Floats) -> Floats:
    count = shares.shape[1]
    total: Floats = shares.sum(axis=1)
    return (total - shares.min(axis=1) - shares.max(axis=1)).clip(0) / (count - 2) if count > 2 else total / count


def _level(before: Floats, season: list[Floats]) -> Floats:
    import numpy as np

    columns: list[Floats] = []
    for share, back in zip(season, anomaly.BACK, strict=True):
        divisor = np.where(share > 0, share, np.nan)
        columns += [before[:, -back - 14] / divisor, before[:, -back - 7] / divisor, before[:, -back] / divisor]
    flat = np.stack(columns, axis=1)
    known = flat.shape[1] - np.isnan(flat).sum(axis=1)
    flat.sort(axis=1)
    if (known == flat.shape[1]).all():
        middle: Floats = flat[:, flat.shape[1] // 2]
        return middle
    at = np.arange(len(flat))
    halves = (flat[at, np.maximum(known - 1, 0) // 2] + flat[at, np.minimum(known // 2, flat.shape[1] - 1)]) / 2
    return np.where(known > 0, halves, 0.0)


def _growth(weeks: Floats) -> Floats:
    import numpy as np

    ends = weeks[:, -1::-SEASON][:, :WEEKS]
    new, old = ends[:, :-2], ends[:, 2:]
    growths = np.sort((new - old) / (new + old), axis=1)
    count = growths.shape[1]
    middle: Floats = (growths[:, (count - 1) // 2] + growths[:, count // 2]) / 2
    return middle


def _lasting(
    before: Floats,
    values: Floats,
    shares: Floats,
    swings: Floats,
    level: Floats,
    swing: Floats,
    in_season: int,
    expected: Floats,
    least: Floats,
    mads: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    import numpy as np

    rows = len(before)
    runs = np.zeros((rows, swings.shape[1] + 1))
    np.cumsum(swings, axis=1, out=runs[:, 1:])
    alone = np.abs(swings).mean(axis=1)
    total, should = values.copy(), expected.copy()
    lasting, best = np.ones(rows), np.zeros(rows)
    mean, mean_expected = np.zeros(rows), np.zeros(rows)
    for back in range(1, max(anomaly.LASTING)):
        total = total + before[:, -back]
        should = should + _trimmed(shares[:, -SEASON - back :: -SEASON][:, :WEEKS]) * level
        days = back + 1
        if days not in anomaly.LASTING:
            continue
        together = np.abs(runs[:, days:] - runs[:, :-days]).mean(axis=1)
        grows: Floats = np.where(alone > 0, together / np.where(alone > 0, alone, 1.0), 0.0).clip(np.sqrt(days), days)
        noise = swing * grows * np.sqrt(1 + anomaly.OF_SEASON / in_season + anomaly.OF_LEVEL * days / anomaly.LEVEL)
        found = (total - should) / np.maximum(noise, np.sqrt(days) * least)
        better = (found * mads > 0) & (np.abs(found) > np.maximum(np.abs(mads), np.abs(best)))
        lasting, best, mean, mean_expected = (
            np.where(better, days, lasting),
            np.where(better, found, best),
            np.where(better, total / days, mean),
            np.where(better, should / days, mean_expected),
        )
    return lasting, best, mean, mean_expected
