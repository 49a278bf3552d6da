"""Which webhooks are told of an activity: an entry in each one's queue, committed with the activity's being done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from functions.alerts.tick_records import ALL, Notification, Webhook
from hedgerow.activity import Activity
from hedgerow.app import App
from hedgerow.errors import ConflictError
from hedgerow.messages import NotificationDue
from hedgerow.ports import Add, Patch, Swap, Where
from hedgerow.records import derived_id

MOST_WEBHOOKS = 10
"""A tenant, and the operator, may have so many."""
AT_ONCE = 20
"""Activities a commit: with every webhook there may be it stays below what a store takes at once."""
MOST_A_TICK = 1_000


async def queue_due(app: App) -> int:
    """Queue the activities whose time has come, page by page; the answer is how many."""
    done = 0
    while done < MOST_A_TICK:
        page = await app.store.find(Activity, Where("due_at", "<=", app.now()), limit=AT_ONCE)
        if not page.items:
            break
        try:
            await queue(app, page.items)
        except ConflictError:
            break  # Another tick, or a webhook that changed: the next tick goes on.
        done += len(page.items)
    return done


async def queue(app: App, activities: Sequence[Activity]) -> None:
    """Queue these for every webhook that takes them, and wake those webhooks."""
    webhooks = await _webhooks(app, {ALL, *(one.tenant_id for one in activities)})
    entries = [
        entry_of(webhook, activity, activity.at)
        for activity in activities
        for webhook in webhooks
        if webhook.tenant_id in (ALL, activity.tenant_id) and takes(webhook, activity)
    ]
    woken = {entry.channel_id for entry in entries}
    touched = [awake(app, webhook, entries) for webhook in webhooks if webhook.id in woken]
    await app.store.commit(
        *(Add(entry) for entry in entries),
        *(Swap(webhook) for webhook in touched),
        *(Patch(Activity, one.id, one.version, {"due_at": None}) for one in activities),
    )
    await app.queue.publish(*(NotificationDue(notification_id=one.id, attempt=one.queued) for one in touched))


def takes(webhook: Webhook, activity: Activity) -> bool:
    """Is it on, and of this kind?"""
    return webhook.disabled_at is None and (not webhook.kinds or activity.kind in webhook.kinds)


def entry_of(webhook: Webhook, activity: Activity, at: datetime, *again: str) -> Notification:
    """The entry of an activity in a webhook's queue, which is in the order of `at`; `again` tells a replayed one from the first.

    It is nobody's connection's: that a connection was disconnected is told after its purge too.
    """
    return Notification(
        id=derived_id("ntf", webhook.id, activity.id, *again),
        tenant_id=activity.tenant_id,
        channel_id=webhook.id,
        subject_id=activity.id,
        kind="activity",
        severity="info",
        created_at=at,
        traceparent=activity.traceparent,
    )


def awake(app: App, webhook: Webhook, entries: Sequence[Notification]) -> Webhook:
    """The webhook with entries in its queue: due now, unless it is claimed or waits for its endpoint to mend."""
    number = sum(entry.channel_id == webhook.id for entry in entries)
    return webhook.model_copy(
        update={"queued": webhook.queued + number, "due_at": webhook.due_at or app.now()},
    )


async def _webhooks(app: App, tenant_ids: set[str]) -> list[Webhook]:
    found: list[Webhook] = []
    for tenant_id in sorted(tenant_ids):
        page = await app.store.find(Webhook, Where("tenant_id", "==", tenant_id), limit=MOST_WEBHOOKS)
        found += page.items
    return found
