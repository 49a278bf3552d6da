"""A threshold for a series nobody chose one for: from its own past, as it goes. Pure.

Every day (or bucket, where buckets are longer) the numbers are chosen anew from the past
four weeks only: the median, and so many times the spread of either half away from it, held to
what was seen without its rarest points. Nothing of a day's own or of what follows is looked
at. The first points only serve to choose from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import DAY, Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPREADS = 5.0
# What so much of the past stayed within is not unusual, however long its tail; so many times as far as that is.
SEEN, BEYOND = 0.995, 2.5
# What never left the upper part of its level is not waited for until it has lost more than this part of it.
STEADY, LOSS = 0.63, 0.45
LOOK_BACK = 28 * DAY
LEAST_POINTS = 30
WARM_UP = 2 * DAY
# A normal distribution's standard deviation by its MAD, and by its mean absolute deviation.
BY_MAD, BY_MEAN = 1.4826, 1.2533
# Of a series that never moved, this part of its level is a move.
OF_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Band:
    """What lies outside of it from `first`, a place in the series, until the next band, fires. `days` it was chosen from."""

    first: int
    above: float
    below: float | None
    days: float


def is_unset(condition: Threshold) -> bool:
    """Whether it says no number at all, so that one is to be chosen."""
    return condition.above is None and condition.below is None


def bands(series: Series) -> list[Band]:
    """The bands in order, the first where the warm-up ends; none where the series is no longer than it."""
    import numpy as np

    begins = np.asarray(series.begins, dtype=np.int64)
    values = np.asarray(series.values, dtype=np.float64)
    if len(begins) <= LEAST_POINTS:
        return []
    first = max(LEAST_POINTS, int(np.searchsorted(begins, begins[0] + WARM_UP)))
    step = max(DAY, series.seconds)
    found: list[Band] = []
    place = first
    while place < len(begins):
        since = int(np.searchsorted(begins, begins[place] - max(LOOK_BACK, LEAST_POINTS * series.seconds)))
        since = min(since, place - LEAST_POINTS)
        found.append(_band(place, values[since:place], float(begins[place] - begins[since]) / DAY))
        place = max(place + 1, int(np.searchsorted(begins, begins[place] + step)))
    return found


def fixed(band: Band) -> Threshold:
    """The condition that says this band's numbers, rounded to three figures."""
    return Threshold(above=rounded(band.above), below=None if band.below is None else rounded(band.below))


def rounded(number: float, figures: int = 4) -> float:
    """To so many significant figures: a number to choose is not read to the last digit."""
    return float(f"{number:.{figures}g}")


def _band(place: int, past: NDArray[np.float64], days: float) -> Band:
    """Each side by its own half: what is skewed upwards, as counts and latencies are, is judged so."""
    import numpy as np

    middle = float(np.median(past))
    rise = _spread(past[past >= middle] - middle)
    drop = _spread(middle - past[past <= middle])
    level = OF_LEVEL * abs(middle) or 1.0
    rise, drop = rise or drop or level / SPREADS, drop or rise or level / SPREADS
    ranked = np.sort(past)
    # The one point that is farthest may be what is looked for: it never says what is usual.
    rare = max(1, math.ceil((1 - SEEN) * len(past)))
    low, high = float(ranked[rare]), float(ranked[-1 - rare])
    up, down = _far(rise, high - middle, level), _far(drop, middle - low, level)
    if low > STEADY * middle > 0:
        down = min(down, LOSS * middle)
    above, below = middle + up, middle - down
    cannot_be = below <= 0 <= float(past.min())
    return Band(place, above, None if cannot_be else below, days)


def _far(spread: float, reach: float, level: float) -> float:
    """So many spreads, but neither within what was seen nor `BEYOND` times as far as that."""
    return max(min(SPREADS * spread, BEYOND * reach), reach, level)


def _spread(distances: NDArray[np.float64]) -> float:
    import numpy as np

    return BY_MAD * float(np.median(distances)) or BY_MEAN * float(np.mean(distances))
