"""The tick's part: announces what is due and was not announced, or whose claim ended; queues activities for webhooks."""

from __future__ import annotations

from functions.alerts.tick_records import Notification, Webhook
from functions.alerts.webhooks import queueing
from hedgerow.app import App
from hedgerow.messages import NotificationDue
from hedgerow.ports import Where

PAGE = 200
MOST_A_TICK = 2_000


async def sweep(app: App) -> dict[str, int]:
    """How many notifications, activities and webhooks were found due. Nothing is sent here."""
    return {
        "notifications": await _notifications(app),
        "activities": await queueing.queue_due(app),
        "webhooks": await _webhooks(app),
    }


async def _notifications(app: App) -> int:
    now, found = app.now(), 0
    cursor: str | None = None
    while found < MOST_A_TICK:
        page = await app.store.find(Notification, Where("due_at", "<=", now), limit=PAGE, cursor=cursor)
        await app.queue.publish(*(NotificationDue(notification_id=one.id, attempt=one.attempts) for one in page.items))
        found += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


async def _webhooks(app: App) -> int:
    page = await app.store.find(Webhook, Where("due_at", "<=", app.now()), limit=PAGE)
    await app.queue.publish(*(NotificationDue(notification_id=one.id, attempt=one.queued) for one in page.items))
    return len(page.items)
