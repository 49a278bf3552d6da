"""Secrets about to be written for a connection that does not exist yet, so that a crash leaks none.

A draft is committed before the vault is written and removed in the commit that makes
the connection. One that outlives its time belongs to an attempt that died: `sweep`
destroys what it wrote. The secrets of connections that exist are found by their name.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hedgerow.app import App
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


async def sweep(app: App, now: datetime) -> int:
    """Destroy what dead attempts left behind; the answer is how many drafts were removed."""
    due = await app.store.find(SecretDraft, Where("due_at", "<=", now), limit=SWEPT_AT_ONCE)
    for draft in due.items:
        await _settle(app, draft, now)
    return len(due.items)


async def _settle(app: App, draft: SecretDraft, now: datetime) -> None:
    alive = await app.store.find(
        SecretDraft, Where("connection_id", "==", draft.connection_id), Where("due_at", ">", now), limit=1
    )
    connection = await app.store.get(Connection, draft.connection_id)
    unused = connection is None or connection.secret_ref is None
    if unused and not alive.items:
        await app.vault.destroy(draft.connection_id)
    await app.store.commit(Delete(SecretDraft, draft.id))
