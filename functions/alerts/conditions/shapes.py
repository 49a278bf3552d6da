"""The shape of a week in grains finer than a day: what part of its mean each bucket usually is, day by day as it was known.

168 hours are too many to be known after three weeks. So the week is taken as seven days made of
`FORMS` forms of a day, say a working day and a free one, in any proportion (its best
approximation of that rank). A bucket that is something else every week, as a nightly job on
Tuesdays is, keeps what it has of its own as soon as that is more than noise can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from functions.alerts.conditions.history import Floats, Instants

WEEK = 7
WEEKS = 8
"""How many weeks back are looked at."""
FORMS = 2
CUT = 2.5
"""Shares are cut this many standard deviations from the shape before they have their part in it."""
OWN = 4.0
"""The square of how many standard errors a bucket's own share must be off to begin to count."""
NUMBERS = (WEEK + 24) * FORMS - FORMS * FORMS
FREEDOM = NUMBERS / (WEEK * 24)
MAD = 0.6745


class Shapes(NamedTuple):
    """`share[d, j]` has a day's buckets of the weekday `j` days after day d (and so 7 - j before).

    `unsure` is the variance that guessing it adds, in variances of a bucket.
    """

    share: Floats
    unsure: Floats


def known(values: Floats, first: int) -> Shapes:
    """What was known at the beginning of each day from `first` (7 at least) on; `values` has a row a day, no gaps."""
    import numpy as np

    count, a_day = values.shape
    flat = values.ravel()
    sums = np.concatenate([[0.0], np.cumsum(flat)])
    week = WEEK * a_day
    means = np.empty(len(flat))
    means[week - 1 :] = np.maximum((sums[week:] - sums[:-week]) / week, 0.0)
    means[: week - 1] = means[week - 1]
    shares = (flat / np.where(means > 0, means, 1.0)).reshape(count, a_day)
    padded = np.concatenate([np.full((WEEK * WEEKS, a_day), np.nan), shares])
    at_once = max(1, 1_500_000 // (WEEK * WEEKS * a_day))
    parts = [
        _shaped(padded, np.arange(start, min(start + at_once, count)), a_day) for start in range(first, count, at_once)
    ]
    return Shapes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _shaped(padded: Floats, days: Instants, a_day: int) -> Shapes:
    import numpy as np

    back = np.arange(-WEEK * WEEKS, 0)
    past = padded[WEEK * WEEKS + days[:, None] + back].reshape(len(days), WEEKS, WEEK, a_day)
    plain = _trimmed(past)
    shape = _of_forms(plain)
    scale = np.maximum(shape, 1e-9)[:, None]
    off = (past - shape[:, None]) / scale
    ranked = np.sort(np.abs(off).reshape(len(days), -1), axis=1)
    some = (~np.isnan(off)).sum(axis=(1, 2, 3))
    limit = (CUT / MAD * ranked[np.arange(len(days)), some // 2])[:, None, None, None]
    cut = np.clip(off, -limit, limit)
    weeks = np.clip(days // WEEK, 1, WEEKS)
    shape = _of_forms(shape + np.nanmean(cut * scale, axis=1))
    noise = np.nanmean(cut * cut, axis=(1, 2, 3))
    own = (plain - shape) / np.maximum(shape, 1e-9)
    square = own * own * weeks[:, None, None] / np.maximum(noise, 1e-12)[:, None, None]
    part = np.where((weeks > 2)[:, None, None], np.maximum(0.0, 1 - OWN / np.maximum(square, 1e-12)), 0.0)
    return Shapes(np.maximum(shape + part * (plain - shape), 0.0), FREEDOM / weeks)


def _trimmed(past: Floats) -> Floats:
    """The mean of the weeks that are known without the least and the greatest; of one or two, their mean."""
    import numpy as np

    known = past.shape[1] - np.isnan(past).sum(axis=1)
    total = np.nansum(past, axis=1)
    inner = np.maximum(
        total - np.nan_to_num(np.fmin.reduce(past, axis=1)) - np.nan_to_num(np.fmax.reduce(past, axis=1)), 0.0
    )
    found: Floats = np.where(known > 2, inner / np.maximum(known - 2, 1), total / np.maximum(known, 1))
    return found


def _of_forms(week: Floats) -> Floats:
    """The nearest week whose days are made of `FORMS` forms."""
    import numpy as np

    turned = week.transpose(0, 2, 1)
    _, axes = np.linalg.eigh(week @ turned)
    main = axes[:, :, -FORMS:]
    found: Floats = np.maximum(main @ (main.transpose(0, 2, 1) @ week), 0.0)
    return found
