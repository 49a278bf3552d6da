"""The two endings a person asks for: a connection's, and a tenant's with all its connections."""

from __future__ import annotations

import time

from functions.disconnect import purging
from hedgerow import closing, counting_up, disconnection
from hedgerow.app import App
from hedgerow.deliveries import hour_of
from hedgerow.disconnection import receipt_id
from hedgerow.errors import HedgerowError, MissingError
from hedgerow.keys import Caller
from hedgerow.logs import log
from hedgerow.models import Connection, PurgeReceipt, Tenant
from hedgerow.ownership import no_connection
from hedgerow.ports import Where

Ended = tuple[Connection | None, PurgeReceipt | None]


async def disconnect(app: App, caller: Caller, connection_id: str, *, purge: bool, refuse_traffic: bool) -> Ended:
    """The connection as it now stands, None once it was purged; and the receipt of that purge."""
    held, receipt = await look(app, caller, connection_id)
    if held is None:
        return held, receipt
    begun = await disconnection.begin(app, held, purge=purge, refuse_traffic=refuse_traffic)
    if not begun.mine:
        return begun.connection, receipt
    try:
        return await disconnection.finish(app, begun.connection), receipt
    except HedgerowError as error:
        # It is decided and written down: a tick goes on where this stopped.
        log().warning("disconnect.unfinished", connection_id=connection_id, code=error.code, detail=error.detail)
        return begun.connection, receipt


async def look(app: App, caller: Caller, connection_id: str) -> Ended:
    """The caller's connection, and the receipt of its purge as far as that goes; `MissingError` for neither."""
    connection = await app.store.get(Connection, connection_id)
    receipt = await app.store.get(PurgeReceipt, receipt_id(connection_id))
    if receipt is not None and (receipt.tenant_id != caller.tenant_id or receipt.connection_id != connection_id):
        receipt = None
    if connection is not None and connection.tenant_id == caller.tenant_id:
        # A receipt of a former purge says nothing about a project that came back.
        return connection, receipt if receipt and not receipt.complete else None
    if receipt is None:
        raise no_connection()
    return None, receipt


async def traffic(app: App, connection_id: str) -> int:
    """Events that came in this hour and the one before it, kept or passed straight through."""
    this = hour_of(app.now())
    counted = await counting_up.read(app.store, connection_id, this - counting_up.HOUR, this + counting_up.HOUR)
    hours = counting_up.by_hour(counted.records).values()
    return sum(hour.total.accepted + hour.marks.get("passed", 0) for hour in hours)


async def delete_tenant(app: App, tenant_id: str, seconds: float) -> PurgeReceipt | None:
    """Delete a tenant with everything it has, working at it for about so long.

    The receipt when it is done, None when messages and ticks do the rest; `MissingError`
    for an id that is no tenant's and never was.
    """
    deadline = time.monotonic() + seconds
    tenant = await app.store.get(Tenant, tenant_id)
    if tenant is None:
        receipt = await app.store.get(PurgeReceipt, receipt_id(tenant_id))
        if receipt is None or receipt.connection_id is not None:
            raise MissingError("There is no such tenant.", hint="Check the id; `GET /v1/tenants` lists them.")
        return receipt
    tenant = await closing.begin(app, tenant)
    try:
        await closing.disconnect_all(app, tenant)
        while time.monotonic() < deadline:
            page = await app.store.find(Connection, Where("tenant_id", "==", tenant_id), limit=1)
            if not page.items:
                break
            await purging.purge(app, page.items[0].id)
            if await app.store.get(Connection, page.items[0].id) is not None:
                return None
    except HedgerowError as error:
        log().warning("tenant.unfinished", tenant_id=tenant_id, code=error.code, detail=error.detail)
        return None
    return await closing.settle(app, tenant_id)
