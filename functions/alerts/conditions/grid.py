"""A series laid on an even grid of local time, so that the same weekday and hour is always so many steps back.

What has no point is filled from a week before, or from a day or a step before where there is
none, and is never judged. The hour that a change of clocks doubles keeps its first value.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from functions.alerts.conditions.series import DAY, HOUR, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.alerts.conditions.history import Floats, Instants

WEEK = 7 * DAY


def wall(series: Series) -> Sequence[int]:
    """The beginnings by the clock on the wall; of days and in UTC they are what they are."""
    if series.zone == "UTC" or series.seconds >= DAY:
        return series.begins
    zone = ZoneInfo(series.zone)
    offsets: dict[int, int] = {}
    walls: list[int] = []
    for begin in series.begins:
        quarter = begin // 900
        if quarter not in offsets:
            offset = datetime.fromtimestamp(begin, zone).utcoffset()
            offsets[quarter] = int(offset.total_seconds()) if offset else 0
        walls.append(begin + offsets[quarter])
    return walls


def place_before(walls: Sequence[int], place: int, seconds: int, grain: int) -> int | None:
    """The bucket that began so many seconds before another one, give or take half a grain; None: there is none."""
    wanted = walls[place] - seconds
    found = bisect_left(walls, wanted - grain // 2, 0, place)
    return found if found < place and walls[found] <= wanted + grain // 2 else None


def steps(walls: Sequence[int], grain: int) -> Instants:
    """Each bucket's place on the grid, the first at 0."""
    import numpy as np

    begins = np.asarray(walls, dtype=np.int64)
    found: Instants = (begins - begins[0] + grain // 2) // grain
    return found


def laid(series: Series, a_day: int) -> tuple[Floats, Instants]:
    """The values on the grid, gaps filled, and the step of each bucket; -1 for an hour that is there twice."""
    import numpy as np

    at = steps(wall(series), series.seconds)
    is_first = np.ones(len(at), dtype=bool)
    is_first[1:] = at[1:] > np.maximum.accumulate(at)[:-1]
    values = np.full(int(at.max()) + 1, np.nan)
    values[at[is_first]] = np.asarray(series.values, dtype=np.float64)[is_first]
    for gap in np.flatnonzero(np.isnan(values)):
        values[gap] = values[gap - next((back for back in (7 * a_day, a_day) if gap >= back), 1)]
    return values, np.where(is_first, at, -1)


def is_even(series: Series, place: int, count: int) -> bool:
    """Whether the `count` days before a bucket are all there."""
    if place < count:
        return False
    return -HOUR <= series.begins[place] - series.begins[place - count] - count * series.seconds <= HOUR
