"""What happened, for the product around Hedgerow: one record an event, written with the change it tells of.

`entry` makes the record; whoever changes something commits it together with the change,
so that nothing happens untold and nothing is told that did not happen. `alerts_tick`
delivers each to the webhooks that take its kind. Kept 90 days.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from hedgerow import traces
from hedgerow.records import Index, Instant, Record, derived_id
from hedgerow.traces import Traced

ActivityKind = Literal[
    "connection.connected",
    "connection.needs_attention",
    "connection.disconnected",
    "run.succeeded",
    "run.failed",
    "metrics.changed",
    "incident.opened",
    "incident.resolved",
    "tenant.purged",
]
KINDS: tuple[ActivityKind, ...] = get_args(ActivityKind)
KEPT_DAYS = 90

Scalar = str | int | float | bool | None


class Activity(Traced, Record):
    """One thing that happened. `fields` is what a webhook's body carries as `data`; never a secret."""

    collection = "activity"
    indexes = (
        Index("tenant_id", "at"),
        Index("at"),
        Index("due_at"),
        Index("connection_id"),
    )

    tenant_id: str
    connection_id: str | None = None
    kind: ActivityKind
    at: Instant
    fields: dict[str, Scalar | list[str]]
    due_at: Instant | None = None


def entry(
    kind: ActivityKind,
    tenant_id: str,
    connection_id: str | None,
    at: datetime,
    fields: dict[str, Scalar | list[str]],
    *key: str,
) -> Activity:
    """The record to commit with the change. `key` is what makes two of them the same happening: a doubled write meets itself."""
    return Activity(
        id=derived_id("act", kind, tenant_id, connection_id or "", *key),
        tenant_id=tenant_id,
        connection_id=connection_id,
        kind=kind,
        at=at,
        fields=fields,
        due_at=at,
        traceparent=traces.traceparent(),
    )
