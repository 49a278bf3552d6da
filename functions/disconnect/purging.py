"""Removing everything a disconnected connection left, down to the connection itself, against a receipt.

Page by page; each commit removes records and counts them in the receipt, so that a purge
that died counts right when it goes on, and one that wakes up after another had finished,
when the project may be back, finds the receipt changed and removes nothing.
"""

from __future__ import annotations

from hedgerow import disconnection
from hedgerow.app import App
from hedgerow.disconnection import receipt_id
from hedgerow.errors import ConflictError
from hedgerow.logs import log
from hedgerow.models import Connection, PurgeReceipt
from hedgerow.ports import Add, Change, Delete, Swap, Where

# Together with the receipt a commit stays at two hundred changes.
PAGE = 199
_TRIES = 20
HEAVY_PAGE = 40


async def purge(app: App, connection_id: str) -> str | None:
    """Remove all of it, or nothing when the connection is not waiting to be purged (any more).

    The answer is the tenant it is or was of; None for an id nobody ever purged.
    """
    lost = 0
    while True:
        connection = await app.store.get(Connection, connection_id)
        if connection is None:
            return await _former_tenant(app, connection_id)
        if not _is_waiting(connection):
            return connection.tenant_id
        try:
            if await _step(app, connection):
                log().info("purge.done", connection_id=connection_id)
                return connection.tenant_id
        except ConflictError:
            lost += 1
            if lost > _TRIES:
                raise


async def _former_tenant(app: App, connection_id: str) -> str | None:
    """Whose it was: the purge may have died between its end and what follows for the tenant."""
    receipt = await app.store.get(PurgeReceipt, receipt_id(connection_id))
    return receipt.tenant_id if receipt else None


def _is_waiting(connection: Connection) -> bool:
    # While the record still names a credential, the disconnection has not destroyed it; a tick sees to that.
    return connection.state == "disconnecting" and connection.disconnect_purge and connection.secret_ref is None


async def _step(app: App, connection: Connection) -> bool:
    """Remove one page of one kind, or, when nothing is left, the connection; True at the end."""
    from functions.disconnect.left_behind import HEAVY, KINDS

    receipt = await _receipt(app, connection)
    for kind in KINDS:
        limit = HEAVY_PAGE if kind in HEAVY else PAGE
        page = await app.store.find(kind, Where("connection_id", "==", connection.id), limit=limit)
        if page.items:
            counted = _counting(receipt, kind.collection, len(page.items))
            gone = [Delete(kind, record.id) for record in page.items]
            await app.store.commit(*gone, _write(counted))
            return False
    remaining = {
        kind.collection: await app.store.count(kind, Where("connection_id", "==", connection.id)) for kind in KINDS
    }
    if any(remaining.values()):
        return False
    freed = await disconnection.release_token(app, connection)
    done = _counting(_counting(receipt, "token_claims", len(freed)), Connection.collection, 1).model_copy(
        update={
            "complete": True,
            "at": app.now(),
            "remaining": {**remaining, "token_claims": 0, Connection.collection: 0},
        }
    )
    await app.store.commit(_write(done), Delete(Connection, connection.id, connection.version), *freed)
    return True


async def _receipt(app: App, connection: Connection) -> PurgeReceipt:
    """The receipt of this purge as far as it goes; a former purge of the same connection makes room."""
    held = await app.store.get(PurgeReceipt, receipt_id(connection.id))
    if held is not None and not held.complete and held.of == connection.state_since:
        return held
    return PurgeReceipt(
        id=receipt_id(connection.id),
        version=held.version if held else 0,
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        at=app.now(),
        removed={},
        remaining={},
        secret_destroyed=True,
        of=connection.state_since,
        complete=False,
    )


def _counting(receipt: PurgeReceipt, collection: str, number: int) -> PurgeReceipt:
    removed = {**receipt.removed, collection: receipt.removed.get(collection, 0) + number}
    return receipt.model_copy(update={"removed": removed})


def _write(receipt: PurgeReceipt) -> Change:
    return Swap(receipt) if receipt.version else Add(receipt)
