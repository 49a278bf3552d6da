"""Sends what waits: claim, word, send, record. Safe to call twice, at once, late, and to die in.

`notify` is the topic's part, `sweep` the tick's. What is done, not due or gone loads
nothing of what words and sends.
"""

from __future__ import annotations

from functions.alerts.notifying import sweeping
from functions.alerts.notifying.gathering import is_held
from functions.alerts.tick_records import Notification
from hedgerow import traces
from hedgerow.app import App
from hedgerow.errors import ConflictError
from hedgerow.logs import bound
from hedgerow.messages import NotificationDue

_TRIES = 5

sweep = sweeping.sweep


async def notify(app: App, message: NotificationDue) -> None:
    """Send this notification and what belongs with it, unless that is done, not due, or somebody is at it."""
    if message.notification_id.startswith("whk_"):
        from functions.alerts.webhooks import delivering

        await delivering.deliver(app, message.notification_id)
        return
    for _ in range(_TRIES):
        notification = await app.store.get(Notification, message.notification_id)
        now = app.now()
        if notification is None or notification.state not in ("pending", "sending") or is_held(notification, now):
            return
        from functions.alerts.notifying import attempting

        try:
            claimed = await attempting.claim(app, notification, now)
        except ConflictError:
            continue  # Somebody claimed it, or folded something into it: look again.
        if claimed is not None:
            lead = claimed.lead
            # One that a tick found again goes on in the trace it was planned in.
            with (
                traces.going_on(lead.traceparent),
                bound(
                    tenant_id=lead.tenant_id,
                    connection_id=lead.connection_id,
                    notification_id=lead.id,
                    subject_id=lead.subject_id,
                ),
            ):
                await attempting.attempt(app, claimed)
        return
