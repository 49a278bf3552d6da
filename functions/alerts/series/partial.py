"""Today so far, and the same part of each earlier day: what a day under way may be compared with. Pure.

For counts and sums only: the persons of a day are not the sum of its hours' persons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from functions.alerts.conditions.series import DAY, HOUR, Series
from hedgerow import days


def so_far(hours: Series, zone: str, now: datetime) -> Series:
    """Days, each the sum of its hours up to the local time of day at which now's last whole hour ended.

    A day of which an hour is missing has no point; where no hour of today has ended, no day
    has. `arrived` is the mean of the hours'. Where clocks changed within it a part has an
    hour more or fewer; an hour that straddles midnight (zones of half hours) counts for
    neither day. `until` is the end of today's bucket, so that a condition takes today's
    part for whole: here it is compared with parts alone.
    """
    shares = hours.arrived if hours.arrived is not None else [1.0] * len(hours.begins)
    known = {begin: both for begin, *both in zip(hours.begins, hours.values, shares, strict=True)}
    today, cut = days.today(now, zone), int(now.timestamp()) // HOUR * HOUR
    parts = _parts(known, zone, today, cut) if known and _hours(_begin(today, zone), cut) else {}
    return replace(
        hours,
        name=f"{hours.name}, so far today",
        seconds=DAY,
        begins=tuple(parts),
        values=tuple(value for value, _ in parts.values()),
        arrived=tuple(share for _, share in parts.values()),
        until=int(days.ends(today, zone).timestamp()),
        zone=zone,
        silent=(),
    )


def _parts(known: Mapping[int, list[float]], zone: str, today: date, cut: int) -> dict[int, tuple[float, float]]:
    """Begin of the day -> sum and mean share of its part, in the order of days."""
    clock = datetime.fromtimestamp(cut, ZoneInfo(zone)).time()
    parts: dict[int, tuple[float, float]] = {}
    for day in days.span(days.today(datetime.fromtimestamp(min(known), UTC), zone), today):
        end = cut if day == today else int(datetime.combine(day, clock, ZoneInfo(zone)).timestamp())
        begin = _begin(day, zone)
        inside = _hours(begin, end)
        if inside and all(hour in known for hour in inside):
            parts[begin] = (
                sum(known[hour][0] for hour in inside),
                sum(known[hour][1] for hour in inside) / len(inside),
            )
    return parts


def _hours(begin: int, end: int) -> range:
    """The hours of UTC that lie wholly between two instants."""
    return range(-(-begin // HOUR) * HOUR, end - HOUR + 1, HOUR)


def _begin(day: date, zone: str) -> int:
    return int(days.begins(day, zone).timestamp())
