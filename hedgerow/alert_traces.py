"""What alerts leave of a connection and of a tenant, for whoever ends these: found by the fields they share, and removed.

The records themselves are `functions/alerts`', which no other family may import. These
views know just enough of them to take them away.
"""

from __future__ import annotations

from hedgerow.app import App
from hedgerow.ports import Delete, Where
from hedgerow.records import Index, Instant, Record

PAGE = 50


class RuleTrace(Record):
    """An alert rule of a connection."""

    collection = "alert_rules"
    indexes = (Index("connection_id", "name"),)
    partial = True

    connection_id: str
    name: str


class RuleStateTrace(Record):
    """Where a rule stands."""

    collection = "rule_states"
    indexes = (Index("connection_id"),)
    partial = True

    connection_id: str


class IncidentTrace(Record):
    """An incident of a connection."""

    collection = "incidents"
    indexes = (Index("connection_id", "-opened_at"),)
    partial = True

    connection_id: str
    opened_at: Instant


class NotificationTrace(Record):
    """What was told of a connection."""

    collection = "notifications"
    indexes = (Index("connection_id"),)
    partial = True

    connection_id: str | None = None


class ThreadTrace(Record):
    """Where in a chat it was told."""

    collection = "chat_threads"
    indexes = (Index("connection_id"),)
    partial = True

    connection_id: str


class ChannelTrace(Record):
    """A tenant's channel."""

    collection = "channels"
    indexes = (Index("tenant_id", "name"),)
    partial = True

    tenant_id: str
    name: str
    secret_ref: str


class WebhookTrace(Record):
    """A tenant's webhook."""

    collection = "webhooks"
    indexes = (Index("tenant_id", "-created_at"),)
    partial = True

    tenant_id: str
    created_at: Instant
    secret_ref: str


# Rules first: without its rule nothing is judged, and no new state, incident or notification follows.
OF_A_CONNECTION: tuple[type[Record], ...] = (
    RuleTrace,
    RuleStateTrace,
    IncidentTrace,
    NotificationTrace,
    ThreadTrace,
)


def address_of(id: str) -> type[ChannelTrace | WebhookTrace] | None:
    """What has an id that begins so, if it is a channel or a webhook."""
    if id.startswith("chn_"):
        return ChannelTrace
    return WebhookTrace if id.startswith("whk_") else None


async def addresses(app: App, tenant_id: str) -> list[Delete]:
    """The deletions of a page of a tenant's channels and webhooks; empty when none is left.

    Their secrets are kept under their own ids, and go first: a record outlives its secret,
    so that no death in between leaves a secret that nobody knows of.
    """
    gone: list[Delete] = []
    for kind in (ChannelTrace, WebhookTrace):
        page = await app.store.find(kind, Where("tenant_id", "==", tenant_id), limit=PAGE)
        gone += [Delete(kind, found.id) for found in page.items]
    return gone
