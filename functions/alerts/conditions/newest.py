"""Which bucket of a series may be judged: one that is over and complete, or has been waited for long enough.

Late is not low: a bucket of which part has not arrived is judged only when `PATIENCE` has
passed since its end, and the verdict then says that it is incomplete.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.alerts.conditions.series import DAY, HOUR, Series

COMPLETE = 0.99
PATIENCE_OF_DAYS = 24 * HOUR
PATIENCE_OF_LESS = 12 * HOUR


@dataclass(frozen=True, slots=True)
class Newest:
    """`place` in the series of the newest bucket to judge, None without any.

    `awaited` is the newest bucket that is over but not complete, or still runs, if that is newer.
    """

    place: int | None
    is_incomplete: bool = False
    awaited: int | None = None
    is_running: bool = False


def newest(series: Series) -> Newest:
    """The bucket to judge. Of days, none when the newest that is over must be waited for."""
    count = len(series.begins)
    place = count - 1
    while place >= 0 and end_of(series, place) > series.until:
        place -= 1
    running = count - 1 if place < count - 1 else None
    arrived = series.arrived
    if place < 0 or arrived is None or arrived[place] >= COMPLETE:
        return Newest(place if place >= 0 else None, awaited=running, is_running=running is not None)
    patience = PATIENCE_OF_DAYS if series.seconds >= DAY else PATIENCE_OF_LESS
    awaited = place
    while place >= 0:
        if arrived[place] >= COMPLETE:
            return Newest(place, awaited=awaited)
        if series.until >= end_of(series, place) + patience:
            return Newest(place, is_incomplete=True, awaited=awaited if awaited != place else running)
        if series.seconds >= DAY:
            break
        place -= 1
    return Newest(None, awaited=awaited)


def end_of(series: Series, place: int) -> int:
    """When a bucket ends; a local day may be an hour shorter or longer than others."""
    begin, seconds = series.begins[place], series.seconds
    if seconds != DAY or series.zone == "UTC":
        return begin + seconds
    if place + 1 < len(series.begins) and abs(series.begins[place + 1] - begin - DAY) <= HOUR:
        return series.begins[place + 1]
    if series.until >= begin + DAY + HOUR:
        return begin + DAY
    zone = ZoneInfo(series.zone)
    following = datetime.fromtimestamp(begin, zone).date() + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=zone).timestamp())
