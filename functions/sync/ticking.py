"""A tick: publish what is due, page by page, and whatever a crash left lying."""

from __future__ import annotations

from hedgerow import disconnection, drafts, tiers
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.logs import log
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncRun, Tier
from hedgerow.ports import Where

PAGE = 500


def tier_of(name: str) -> Tier:
    """The tier of this name."""
    for tier in tiers.TIERS:
        if tier == name:
            return tier
    raise InvalidError(f"There is no tier `{name[:40]}`.", hint=f"Tiers are {', '.join(tiers.TIERS)}.")


async def tick(app: App, tier: Tier) -> int:
    """How many connections of the tier were due and published.

    Nothing is written: a connection stays due until its run commits, and a doubled tick
    makes messages of the same key.
    """
    now = app.now()
    due = 0
    cursor: str | None = None
    while True:
        page = await app.store.find(
            Connection, Where("tier", "==", tier), Where("due_at", "<=", now), limit=PAGE, cursor=cursor
        )
        await app.queue.publish(
            *(SyncRequested(connection_id=connection.id, due_at=connection.due_at) for connection in page.items)
        )
        due += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    left = await _sweep(app) + await disconnection.sweep(app) + await drafts.sweep(app, now)
    log().info("tick.done", tier=tier, due=due, swept=left)
    return due


async def _sweep(app: App) -> int:
    """Runs whose time has come: waiting ones, and running ones whose lease ended with their process."""
    swept = 0
    for state in ("pending", "running"):
        cursor: str | None = None
        while True:
            page = await app.store.find(
                SyncRun, Where("state", "==", state), Where("due_at", "<=", app.now()), limit=PAGE, cursor=cursor
            )
            await app.queue.publish(
                *(SyncRequested(connection_id=run.connection_id, run_id=run.id) for run in page.items)
            )
            swept += len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
    return swept
