"""Secrets about to be written for a connection that does not exist yet, so that a crash leaks none.

A draft is committed before the vault is written and removed in the commit that makes
the connection. One that outlives its time belongs to an attempt that died: `sweep` hands
it to `purge_connection`, which alone may remove what it wrote and does so by `settle`. The
secrets of connections that exist are found by their name; of a channel that is removed a
draft says that its name is left.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hedgerow.app import App
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection
from hedgerow.ports import Add, Delete, Where
from hedgerow.records import Index, Instant, Record, new_id

LIFE = timedelta(minutes=15)
SWEPT_AT_ONCE = 100


class SecretDraft(Record):
    """An attempt to write a new connection's secret."""

    collection = "secret_drafts"
    indexes = (Index("due_at"), Index("connection_id", "-due_at"))

    connection_id: str
    due_at: Instant


async def begin(app: App, connection_id: str) -> SecretDraft:
    """Say, durably, that a secret of this name is about to be written."""
    draft = SecretDraft(id=new_id("draft"), connection_id=connection_id, due_at=app.now() + LIFE)
    return (await app.store.commit(Add(draft))).of(draft)


def emptied(app: App, id: str) -> Add:
    """What has the name of a destroyed secret removed from the vault: due at once, the next sweep hands it on.

    For a channel or webhook, in the commit that removes its record: its id never comes back.
    """
    return Add(SecretDraft(id=new_id("draft"), connection_id=id, due_at=app.now()))


async def sweep(app: App, now: datetime) -> int:
    """Hand what dead attempts left behind to whoever may remove it; the answer is how many drafts there were."""
    due = await app.store.find(SecretDraft, Where("due_at", "<=", now), limit=SWEPT_AT_ONCE)
    left = dict.fromkeys(draft.connection_id for draft in due.items)
    await app.queue.publish(*(PurgeRequested(connection_id=id) for id in left))
    return len(due.items)


async def settle(app: App, connection_id: str) -> None:
    """Remove what dead attempts wrote under this id, unless it is in use, then their drafts."""
    mine = Where("connection_id", "==", connection_id)
    page = await app.store.find(SecretDraft, mine, Where("due_at", "<=", app.now()), limit=SWEPT_AT_ONCE)
    if not page.items:
        return
    connection = await app.store.get(Connection, connection_id)
    if await _is_free(app, connection_id):
        if connection is None:
            await app.vault.remove(connection_id)
        elif connection.secret_ref is None:
            await app.vault.destroy(connection_id)
    await app.store.commit(*(Delete(SecretDraft, draft.id) for draft in page.items))


async def clear(app: App, names: tuple[str, ...], connection_id: str) -> None:
    """Remove the empty names that a purged connection left in the vault, unless somebody is connecting it again."""
    if await app.store.get(Connection, connection_id) is None and await _is_free(app, connection_id):
        for name in names:
            await app.vault.remove(name)


async def _is_free(app: App, connection_id: str) -> bool:
    """Nobody is about to write under this id."""
    alive = Where("connection_id", "==", connection_id), Where("due_at", ">", app.now())
    return not (await app.store.find(SecretDraft, *alive, limit=1)).items
