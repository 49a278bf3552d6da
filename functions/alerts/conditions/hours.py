"""What is usual in grains finer than a day, by weekday and time of day: `anomaly`'s way with numpy, for many buckets at once.

From three weeks on the season is a week; before, it is a day, and only what the series has
never done is unusual (`YOUNG` times its most so far). A week must have passed for that, two
where an hour or more is counted together: by then there were two weekends. The noise is that of the hour: of the buckets within an hour of this time of day. And
because what is judged every hour must not call for attention for what happens in any week, it
takes more than `TAMED` times what is passed on one day in seven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.alerts.conditions import days
from functions.alerts.conditions.anomaly import MAD, OF_LEVEL, OF_SEASON, ROOT_OF_TWO, SENSITIVITY, TOUCH
from functions.alerts.conditions.days import Expected
from functions.alerts.conditions.series import DAY, HOUR

if TYPE_CHECKING:
    import numpy as np

    from functions.alerts.conditions.history import Floats, Instants

LEAST_DAYS, LEAST_DAYS_OF_HOURS, WEEKLY_DAYS = 7, 14, 21
WEEKS, DAYS = 8, 14
"""How many seasons make a share, of weeks and of days."""
LEVEL_HOURS, APART_HOURS = 72, 12
LASTING_HOURS = (3, 10)
NOISE_DAYS = 56
ENOUGH = 12
"""Swings that must be known to speak of noise."""
TAIL, TAIL_AT = 0.95, 1.96
YOUNG, TAMED = 1.0, 1.2
TAMED_DAYS, TAMED_AT = 28, 0.86


def least_days(grain: int) -> int:
    """How many days must have passed before a bucket of this grain is judged."""
    return LEAST_DAYS_OF_HOURS if grain >= HOUR else LEAST_DAYS


def usual(values: Floats, grain: int, first: int = 0) -> Expected:
    """What is expected of each step from `first` on, by the steps before it, in columns. `values` has no gaps.

    `mads` is scaled so that `SENSITIVITY` is the limit. NaN where nothing can be said.
    """
    import numpy as np

    a_day, count = max(1, round(DAY / grain)), len(values)
    shift = _shift(values[: LEAST_DAYS * a_day])
    moved = values + shift
    found = Expected(*(np.full(count - first, np.nan) for _ in Expected._fields))
    weekly = WEEKLY_DAYS * a_day
    for season, begin, end in ((a_day, least_days(grain) * a_day, weekly), (7 * a_day, weekly, count)):
        since, until = max(begin, first), min(end, count)
        if since < until:
            part = _of_season(moved, season, a_day, since, until)
            for column, known in zip(found, part, strict=True):
                column[since - first : until - first] = known
    return found._replace(
        expected=found.expected - shift,
        lasting_mean=found.lasting_mean - shift,
        lasting_expected=found.lasting_expected - shift,
    )


def _shift(early: Floats) -> float:
    """What makes values below zero positive, so that shares can be taken."""
    import numpy as np

    lowest = float(np.min(early)) if len(early) else 0.0
    return 2 * (float(np.max(early)) - lowest) + abs(lowest) + 0.5 if lowest < 0 else 0.0


def _of_season(values: Floats, season: int, a_day: int, begin: int, end: int) -> Expected:
    """Of the steps from `begin` to `end`, with one season."""
    import numpy as np

    is_weekly = season > a_day
    # What the limit is taken from goes back so far.
    early = max(2 * season if is_weekly else 2 * a_day, begin - (TAMED_DAYS + 1) * a_day)
    values = values[:end]
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = np.full(end, np.nan)
    means[season - 1 :] = np.maximum((sums[season:] - sums[:-season]) / season, 0.0)
    shares = values / np.where(means > 0, means, 1.0)
    shares[: season - 1] = np.nan
    an_hour = max(1, a_day // 24)
    lasting = tuple(an_hour * hours for hours in LASTING_HOURS)
    seasons = WEEKS if is_weekly else DAYS
    rows = np.arange(early, end)
    from_ = early - max(lasting)
    ahead = np.arange(from_, end + season)
    share = _trimmed(_back(shares, ahead, season * np.arange(1, seasons + 1)))
    level = _level(values, share, rows, from_, season, an_hour)
    expected = share[rows - from_] * level
    swings = shares - np.concatenate([np.full(season, np.nan), shares[:-season]])
    noise, known = _noise(swings, rows, a_day, an_hour)
    noise = noise * means[rows - 1]
    in_season = np.clip(rows // season - 1, 1, seasons)
    least = days.floors(expected, values[rows])
    mad = np.maximum(noise * np.sqrt(1 + OF_SEASON / in_season + OF_LEVEL / LEVEL_HOURS), least)
    mads = (values[rows] - expected) / mad
    limit = _limit(np.abs(mads), begin - early, a_day, is_weekly=is_weekly)
    cut = slice(begin - early, None)
    best = [np.ones(end - begin), *(np.zeros(end - begin) for _ in range(3))]
    tamed = mads[cut] * SENSITIVITY / limit
    share_sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(share))])
    for steps in lasting:
        should = (share_sums[rows - from_ + 1] - share_sums[rows - from_ + 1 - steps]) * level
        total = sums[rows + 1] - sums[rows + 1 - steps]
        grows = _grows(swings, rows, steps, TAMED_DAYS * a_day)
        wide = noise * grows * np.sqrt(1 + OF_SEASON / in_season + OF_LEVEL * steps / (an_hour * LEVEL_HOURS))
        found = (total - should) / np.maximum(wide, np.sqrt(steps) * least)
        limited = found[cut] * SENSITIVITY / _limit(np.abs(found), begin - early, a_day, is_weekly=is_weekly)
        better = (np.abs(mads[cut]) >= TOUCH) & (limited * tamed > 0)
        better &= np.abs(limited) > np.maximum(np.abs(tamed), np.abs(best[1]))
        kept = (np.full(end - begin, float(steps)), limited, total[cut] / steps, should[cut] / steps)
        best = [np.where(better, new, old) for new, old in zip(kept, best, strict=True)]
    enough = known[cut] >= ENOUGH
    return Expected(expected[cut], mad[cut] * limit / SENSITIVITY, np.where(enough, tamed, np.nan), *best)


def _back(column: Floats, rows: Instants, lags: Instants) -> Floats:
    """What stood so many steps before each row; NaN before the first."""
    import numpy as np

    at = rows[:, None] - lags[None, :]
    return np.where((at >= 0) & (at < len(column)), column[np.clip(at, 0, len(column) - 1)], np.nan)


def _trimmed(past: Floats) -> Floats:
    """The mean without the least and the greatest; of one or two, the mean."""
    import numpy as np

    known = past.shape[1] - np.isnan(past).sum(axis=1)
    total = np.nansum(past, axis=1)
    least = np.where(np.isnan(past), np.inf, past).min(axis=1)
    most = np.where(np.isnan(past), -np.inf, past).max(axis=1)
    with np.errstate(invalid="ignore"):
        inner = np.maximum(total - least - most, 0.0) / np.maximum(known - 2, 1)
    return np.where(known > 2, inner, np.where(known > 0, total / np.maximum(known, 1), np.nan))


def _middle(
    past: Floats, parts: tuple[float, ...]
) -> tuple[list[Floats], np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Quantiles of what is known of each row (0.5: the median), and how much is."""
    import numpy as np

    ranked = np.sort(past, axis=1)
    known = past.shape[1] - np.isnan(past).sum(axis=1)
    rows, last = np.arange(len(past)), np.maximum(known - 1, 0)
    found: list[Floats] = []
    for part in parts:
        if part == 0.5:
            found.append((ranked[rows, last // 2] + ranked[rows, np.minimum(known // 2, past.shape[1] - 1)]) / 2)
        else:
            found.append(ranked[rows, (part * last).astype(np.int64)])
    return found, known


def _level(values: Floats, share: Floats, rows: Instants, from_: int, season: int, an_hour: int) -> Floats:
    """The median of three days without their season, the newest hours left out."""
    import numpy as np

    lags = (APART_HOURS + 1 + np.arange(LEVEL_HOURS)) * an_hour
    ahead = lags - season * -(-lags // season)
    its_share = _back(share, rows - from_, ahead)
    flat = _back(values, rows, lags) / np.where(its_share > 0, its_share, np.nan)
    (middle,), known = _middle(flat, (0.5,))
    return np.where(known > 0, middle, 0.0)


def _noise(swings: Floats, rows: Instants, a_day: int, an_hour: int) -> tuple[Floats, Instants]:
    """The MAD of the swings at this time of day, or what their tails ask for; and how many there are."""
    import numpy as np

    near = np.unique(np.linspace(-an_hour, an_hour, 3 if an_hour == 1 else 7).astype(np.int64))
    lags = (a_day * np.arange(1, NOISE_DAYS + 1)[:, None] + near[None, :]).ravel()
    (middle, tail), known = _middle(_back(np.abs(swings), rows, lags), (0.5, TAIL))
    return np.maximum(middle, tail / TAIL_AT * MAD) / ROOT_OF_TWO, known


def _grows(swings: Floats, rows: Instants, steps: int, window: int) -> Floats:
    """How much wider the noise of a sum of so many steps is than that of one, lately."""
    import numpy as np

    runs = np.concatenate([[0.0], np.cumsum(np.nan_to_num(swings))])
    together = np.zeros(len(swings))
    together[steps - 1 :] = np.abs(runs[steps:] - runs[:-steps])
    means: list[Floats] = []
    for sizes in (together, np.abs(np.nan_to_num(swings))):
        along = np.concatenate([[0.0], np.cumsum(sizes)])
        means.append(along[rows] - along[np.maximum(rows - window, 0)])
    with np.errstate(invalid="ignore", divide="ignore"):
        grown: Floats = np.nan_to_num(np.where(means[1] > 0, means[0] / means[1], 0.0)).clip(np.sqrt(steps), steps)
    return grown


def _limit(sizes: Floats, begin: int, a_day: int, *, is_weekly: bool) -> Floats:
    """How many MADs are unusual, by what the days before did: never less than `SENSITIVITY`."""
    import numpy as np

    sizes = np.nan_to_num(sizes)
    padded = np.concatenate([np.zeros(a_day - 1), sizes])
    most = np.lib.stride_tricks.sliding_window_view(padded, a_day).max(axis=1)
    rows = np.arange(begin, len(sizes))
    past = _back(most, rows, 1 + a_day * np.arange(TAMED_DAYS))
    if not is_weekly:
        young: Floats = np.maximum(
            SENSITIVITY, YOUNG * np.nan_to_num(np.nanmax(np.where(np.isnan(past), 0, past), axis=1))
        )
        return young
    (passed,), known = _middle(past, (TAMED_AT,))
    tamed: Floats = np.maximum(SENSITIVITY, np.where(known > 0, TAMED * passed, 0.0))
    return tamed
