"""What of the alerts is too old: incidents after 400 days, notifications after 30, activity after 90."""

from __future__ import annotations

from datetime import timedelta

from functions.alerts.tick_records import Incident, Notification, Thread
from hedgerow.activity import KEPT_DAYS, Activity
from hedgerow.app import App
from hedgerow.ports import Change, Delete, Where

INCIDENT_DAYS = 400
NOTIFICATION_DAYS = 30
PAGE = 90
MOST_PAGES = 5


async def retire(app: App) -> dict[str, int]:
    """Remove a bounded piece of what is no longer kept, oldest first; collection -> how many records went."""
    return {
        Incident.collection: await _incidents(app),
        Notification.collection: await _aged(app, Notification, "created_at", NOTIFICATION_DAYS),
        Activity.collection: await _aged(app, Activity, "at", KEPT_DAYS),
    }


async def _aged(app: App, kind: type[Notification | Activity], field: str, kept: int) -> int:
    gone = 0
    before = app.now() - timedelta(days=kept)
    for _ in range(MOST_PAGES):
        page = await app.store.find(kind, Where(field, "<=", before), limit=PAGE)
        if not page.items:
            break
        await app.store.commit(*(Delete(kind, found.id) for found in page.items))
        gone += len(page.items)
    return gone


async def _incidents(app: App) -> int:
    """Incidents that are over go with what says where they were told; one that is still open stays."""
    gone = 0
    cursor: str | None = None
    before = app.now() - timedelta(days=INCIDENT_DAYS)
    for _ in range(MOST_PAGES):
        page = await app.store.find(Incident, Where("opened_at", "<=", before), limit=PAGE, cursor=cursor)
        for incident in page.items:
            if incident.state == "open":
                continue
            from functions.alerts.notifying.gathering import thread_id

            changes: list[Change] = [Delete(Incident, incident.id)]
            changes += [Delete(Thread, thread_id(incident.id, channel_id)) for channel_id in incident.channels]
            await app.store.commit(*changes)
            gone += 1
        cursor = page.next_cursor
        if cursor is None:
            break
    return gone
