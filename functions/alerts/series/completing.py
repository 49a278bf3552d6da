"""How much of a stored bucket had arrived when PostHog was last asked for it. Pure.

A sync that finds a closed day or hour unmoved writes nothing, so the write that set a
point is only the earliest time it may have been asked for. Every scheduled run asks anew
for the last success's day and the three before it, which gives a later one:

- a day (or an hour of it) within those days was asked for by the newest sync;
- an older one was asked for when it was three days old, or by the write itself.

Only a write made after the bucket had closed may be carried forward so: had a later run
seen the bucket closed, its write would have taken the place of an earlier one. Metrics
over many days (wau, mau, new users) are asked for once after each local midnight.

The newest event is the one the newest sync saw. It is given for earlier writes too,
because that instant only grows: where even now nothing newer has come, nothing newer had
come then. For a write later than those facts (they are of a run that failed to say them)
age alone decides.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hedgerow import days
from hedgerow.catalogue import Family, metric_of
from hedgerow.completeness import arrived
from hedgerow.models import Connection, SyncProgress

LOOKED_BACK = timedelta(days=3)
"""How far before its last success a scheduled run asks again (functions/sync/windows.py)."""

_HOUR = timedelta(hours=1)


def of_day(connection: Connection, name: str, day: date, written_at: datetime, zone: str) -> float:
    """Of the point of a series on a local day, cut in `zone`: the share, 0 to 1, that had come."""
    metric = metric_of(name)
    family: Family = metric.family if metric else "event"
    end = days.ends(day, zone)
    if family == "listing":
        # Listed, not counted from events: nothing of it arrives late.
        return 1.0 if written_at >= end else 0.0
    asked = _asked_at(connection.progress, day, end, written_at, zone, family)
    return _share(connection.progress, end, asked)


def of_hour(connection: Connection, begin: int, asked_at: datetime) -> float:
    """Of an hour beginning at this epoch second: the share, 0 to 1, that had come."""
    at, zone = datetime.fromtimestamp(begin, UTC), connection.timezone
    end = at + _HOUR
    asked = _asked_at(connection.progress, days.today(at, zone), end, asked_at, zone, "event")
    return _share(connection.progress, end, asked)


def _share(progress: SyncProgress, end: datetime, asked: datetime) -> float:
    told = progress.asked_at is not None and asked <= progress.asked_at
    return arrived(end, asked, progress.newest_event_at if told else None, progress.arrivals)


def _asked_at(
    progress: SyncProgress, day: date, end: datetime, written_at: datetime, zone: str, family: Family
) -> datetime:
    last = progress.last_success_day
    if written_at < end or last is None or progress.asked_at is None:
        return written_at
    if family in ("trailing", "new_users"):
        return max(written_at, _after_midnight(progress.heavy_at, day, zone))
    if day >= last - LOOKED_BACK:
        return max(written_at, progress.asked_at)
    return max(written_at, days.ends(day, zone) + LOOKED_BACK)


def _after_midnight(heavy_at: datetime | None, day: date, zone: str) -> datetime:
    """The first instant of the day on which the heavy metrics last ran; the day's own end where that says nothing."""
    end = days.ends(day, zone)
    return end if heavy_at is None else max(end, days.begins(days.today(heavy_at, zone), zone))
