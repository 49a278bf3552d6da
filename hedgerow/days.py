"""Local days: where one begins and ends in a zone, and the days between two."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = timedelta(days=1)


def zone_exists(name: str) -> bool:
    """Whether the zone database knows this name, and it is a place's."""
    if name in {"Factory", "localtime", "posixrules"}:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def begins(day: date, zone: str) -> datetime:
    """The first instant of a local day, in UTC.

    Midnight may be missing (clocks go forward at 0:00) or come twice; `fold=0` gives
    the instant of the jump in the first case and the earlier midnight in the second.
    """
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def ends(day: date, zone: str) -> datetime:
    """The first instant after a local day, in UTC."""
    return begins(day + timedelta(days=1), zone)


def today(now: datetime, zone: str) -> date:
    """The local day of an instant."""
    return now.astimezone(ZoneInfo(zone)).date()


def span(first: date, last: date) -> Iterator[date]:
    """Every day from first to last, both included; nothing when last is before first."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def month_of(day: date) -> str:
    """`YYYY-MM`."""
    return f"{day:%Y-%m}"


def months_between(first: date, last: date) -> list[str]:
    """Every month a span of days touches, oldest first."""
    months: list[str] = []
    day = first.replace(day=1)
    while day <= last:
        months.append(month_of(day))
        day = (day + timedelta(days=32)).replace(day=1)
    return months
