"""How things stand this minute, as a series of one point: the sync's own health, and capture's outbox.

The point is of the whole minute before now, so that two looks within a minute are one bucket.
"""

from __future__ import annotations

from datetime import datetime

from functions.alerts.conditions.series import Series
from functions.alerts.series.naming import name_of, unit_of
from functions.alerts.spec import BacklogSeries, SyncSeries
from hedgerow import tiers
from hedgerow.app import App
from hedgerow.deliveries import Delivery, DeliveryState
from hedgerow.models import Connection
from hedgerow.ports import Where
from hedgerow.records import Index, Instant, Record

MINUTE = 60
VERY_MANY = 1_000.0
"""Intervals: what a connection that needs attention counts as."""
MOST_COUNTED = 2_000
_PAGE = 200


class PendingDelivery(Record):
    """What is added up of a delivery."""

    collection = Delivery.collection
    indexes = (Index("connection_id", "state", "accepted_at"),)
    partial = True

    connection_id: str
    state: DeliveryState
    accepted_at: Instant
    count: int


def sync_series(app: App, connection: Connection, spec: SyncSeries, now: datetime) -> list[Series]:
    """Intervals since the last success, or since the connection was connected or resumed.

    Very many while it needs attention; 0 where nothing is expected of it: synced by hand,
    paused, capture only, activity tracking off. None of one that is disconnecting.
    """
    if connection.state in ("disconnecting", "disconnected"):
        return []
    return [_now(spec, _intervals(app, connection, now), now)]


async def backlog_series(app: App, connection: Connection, spec: BacklogSeries, now: datetime) -> list[Series]:
    """Of the pending deliveries: the age of the oldest in seconds, or their events.

    Beyond the `MOST_COUNTED` oldest deliveries each counts as one event: never too many.
    """
    where = (Where("connection_id", "==", connection.id), Where("state", "==", "pending"))
    if spec.of == "oldest_seconds":
        oldest = (await app.store.find(PendingDelivery, *where, limit=1)).items
        age = (now - oldest[0].accepted_at).total_seconds() if oldest else 0.0
        return [_now(spec, max(0.0, age), now)]
    events, read = 0, 0
    cursor: str | None = None
    while read < MOST_COUNTED:
        page = await app.store.find(PendingDelivery, *where, limit=_PAGE, cursor=cursor)
        events += sum(delivery.count for delivery in page.items)
        read += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return [_now(spec, float(events), now)]
    further = max(0, await app.store.count(PendingDelivery, *where) - read)
    return [_now(spec, float(events + further), now)]


def _intervals(app: App, connection: Connection, now: datetime) -> float:
    if connection.state == "needs_attention":
        return VERY_MANY
    every = tiers.interval(connection, tiers.load(app.settings.tiers_file))
    if every is None or not tiers.is_syncable(connection) or not connection.activity_tracking:
        return 0.0
    # A connection that was paused for a month is not a month late.
    since = max(connection.progress.last_success_at or connection.created_at, connection.state_since)
    return max(0.0, (now - since) / every)


def _now(spec: SyncSeries | BacklogSeries, value: float, now: datetime) -> Series:
    until = int(now.timestamp())
    begin = until // MINUTE * MINUTE - MINUTE
    return Series(name_of(spec), MINUTE, (begin,), (value,), until, unit=unit_of(spec))
