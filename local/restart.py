"""Opening a folder again: what a dead process held, nobody holds.

The folder's lock says that no other process works on it, so every lease in it is a dead
one's. Without this a killed sync would wait for its lease and for a tick.
"""

from __future__ import annotations

from hedgerow.app import App
from hedgerow.models import SyncRun
from hedgerow.ports import Swap, Where


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
            return ended
