"""Quiet hours: until when a notification waits. Pure; a change of clocks is the zone's, not ours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from functions.alerts.spec import QuietHours

_DAY = timedelta(days=1)


def quiet_until(quiet: QuietHours | None, now: datetime) -> datetime | None:
    """When the quiet hours that hold `now` end, in UTC; None outside of them.

    A time the clocks skip is the instant they jump to and beyond; one that comes twice is
    its first. Hours that begin and end at the same time are none.
    """
    if quiet is None or quiet.begin == quiet.end:
        return None
    today = now.astimezone(ZoneInfo(quiet.zone)).date()
    for day in (today - _DAY, today):
        begins = _instant(day, quiet.begin, quiet.zone)
        ends = _instant(day if quiet.begin < quiet.end else day + _DAY, quiet.end, quiet.zone)
        if begins <= now < ends:
            return ends
    return None


def next_morning(now: datetime, zone: str, hour: int) -> datetime:
    """The next time it is this hour in the zone, in UTC."""
    today = now.astimezone(ZoneInfo(zone)).date()
    first = _instant(today, f"{hour:02}:00", zone)
    return first if first > now else _instant(today + _DAY, f"{hour:02}:00", zone)


def _instant(day: date, wall: str, zone: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(wall), ZoneInfo(zone)).astimezone(UTC)
