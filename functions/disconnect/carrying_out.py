"""What `purge_connection` does of an ending, from wherever somebody left it.

It alone may remove names from the vault: the ticks, which find what a crash left, hand it
on. Every step looks at what stands first, so that a message may come twice, late, or for
nothing any more.
"""

from __future__ import annotations

from functions.disconnect import purging
from hedgerow import disconnection, drafts
from hedgerow.app import App
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection


async def carry_out(app: App, message: PurgeRequested) -> None:
    """Finish the ending of a connection or a tenant, or of an attempt that died; purge where that was asked."""
    if message.connection_id is None:
        from hedgerow import closing

        await closing.resume(app, message.tenant_id or "")
        return
    await drafts.settle(app, message.connection_id)
    await _finish(app, message.connection_id)
    tenant_id = await purging.purge(app, message.connection_id)
    if tenant_id is None:
        return
    from hedgerow import closing
    from hedgerow.capture_rules import hash_key_names

    for name in (message.connection_id, *hash_key_names(message.connection_id)):
        await drafts.clear(app, name)
    await closing.settle(app, tenant_id)


async def _finish(app: App, connection_id: str) -> None:
    """Destroy the credential that still stands, unless somebody is at it: a tick comes back to what he leaves."""
    connection = await app.store.get(Connection, connection_id)
    if connection is None or connection.state != "disconnecting":
        return
    begun = await disconnection.begin(app, connection)
    if begun.mine:
        await disconnection.end(app, begun.connection)
