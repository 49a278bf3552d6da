"""Opening a folder again: what a dead process held, nobody holds.

The folder's lock says that no other process works on it, so every lease in it is a dead
one's. Without this a killed sync would wait for its lease and for a tick.
"""

from __future__ import annotations

from datetime import timedelta

from hedgerow import tiers
from hedgerow.app import App
from hedgerow.models import Connection, SyncRun
from hedgerow.ports import Swap, Where

# Schedules reach a day ahead at most unless somebody slowed one; nothing is asked to wait longer.
FAR = timedelta(days=32)


async def let_go(app: App) -> int:
    """End the leases of runs that were under way; the first tick publishes them again. How many there were."""
    ended = 0
    cursor: str | None = None
    while True:
        page = await app.store.find(SyncRun, Where("state", "==", "running"), limit=200, cursor=cursor)
        for run in page.items:
            await app.store.commit(Swap(run.model_copy(update={"due_at": app.now()})))
            ended += 1
        cursor = page.next_cursor
        if cursor is None:
            break
    await _pull_back(app)
    return ended


async def _pull_back(app: App) -> None:
    """Bring back what a clock that was ahead (`--now`) made due in a future that is far away now."""
    rules = tiers.load(app.settings.tiers_file)
    late = Where("due_at", ">", app.now() + FAR)
    for tier, rule in rules.items():
        cursor: str | None = None
        while rule.every is not None:
            page = await app.store.find(Connection, Where("tier", "==", tier), late, limit=200, cursor=cursor)
            for connection in page.items:
                due = tiers.next_due(connection, rules, app.now())
                await app.store.commit(Swap(connection.model_copy(update={"due_at": due})))
            cursor = page.next_cursor
            if cursor is None:
                break
    while waiting := (await app.store.find(SyncRun, Where("state", "==", "pending"), late, limit=200)).items:
        await app.store.commit(*(Swap(run.model_copy(update={"due_at": app.now()})) for run in waiting))
