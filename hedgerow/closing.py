"""Deleting a tenant: no key opens it any more, every connection is purged, one receipt remains.

Begun by the store as a disconnection is: the mark on the tenant decides, the rest may
run twice or die, and `sweep` hands what was left lying to `purge_connection`, which goes
on by `resume`. Removing history itself is its work too; it calls `settle` afterwards.
"""

from __future__ import annotations

from collections import Counter

from hedgerow import alert_traces, disconnection, drafts
from hedgerow.activity import Scalar, entry
from hedgerow.app import App
from hedgerow.disconnection import receipt_id
from hedgerow.errors import ConflictError
from hedgerow.messages import PurgeRequested
from hedgerow.models import ApiKey, Connection, PurgeReceipt, Tenant
from hedgerow.ports import Add, Change, Delete, Swap, Where

PAGE = 90
_TRIES = 50


async def begin(app: App, tenant: Tenant) -> Tenant:
    """Mark the tenant as going, and take its keys away. Raises `ConflictError` when others keep writing it."""
    for _ in range(_TRIES):
        try:
            if tenant.closing_since is None:
                closing = tenant.model_copy(update={"closing_since": app.now()})
                tenant = (await app.store.commit(Swap(closing))).of(closing)
            if not await _drop_keys(app, tenant):
                return tenant
        except ConflictError:
            tenant = await app.store.get(Tenant, tenant.id) or tenant
    raise ConflictError(f"Tenant {tenant.id} changed too often while it was being deleted.")


async def disconnect_all(app: App, tenant: Tenant) -> None:
    """Begin the purge of every connection that is left."""
    cursor: str | None = None
    while True:
        page = await app.store.find(Connection, Where("tenant_id", "==", tenant.id), limit=PAGE, cursor=cursor)
        for connection in page.items:
            begun = await disconnection.begin(app, connection, purge=True, refuse_traffic=True)
            if begun.mine:
                await disconnection.finish(app, begun.connection)
        cursor = page.next_cursor
        if cursor is None:
            return


async def settle(app: App, tenant_id: str) -> PurgeReceipt | None:
    """When no connection of a closing tenant is left: one receipt of all, and the tenant goes. Else None."""
    for _ in range(_TRIES):
        tenant = await app.store.get(Tenant, tenant_id)
        if tenant is None:
            return await app.store.get(PurgeReceipt, receipt_id(tenant_id))
        if tenant.closing_since is None or await app.store.count(Connection, Where("tenant_id", "==", tenant_id)):
            return None
        try:
            if not await _drop_keys(app, tenant) and not await _drop_addresses(app, tenant):
                await _fold(app, tenant)
        except ConflictError:
            continue  # Another call settles too.
    return None


async def sweep(app: App) -> int:
    """Hand on the tenants somebody began to delete; how many there were."""
    page = await app.store.find(Tenant, Where("closing_since", "<=", app.now()), limit=PAGE)
    await app.queue.publish(*(PurgeRequested(tenant_id=tenant.id) for tenant in page.items))
    return len(page.items)


async def resume(app: App, tenant_id: str) -> None:
    """Go on with the deletion of a tenant; nothing when it is not being deleted, or is gone."""
    tenant = await app.store.get(Tenant, tenant_id)
    if tenant is not None and tenant.closing_since is not None:
        await disconnect_all(app, await begin(app, tenant))
        await settle(app, tenant_id)


async def _drop_keys(app: App, tenant: Tenant) -> bool:
    """Remove a page of keys and count them; False when there was none."""
    page = await app.store.find(ApiKey, Where("tenant_id", "==", tenant.id), limit=PAGE)
    if not page.items:
        return False
    own = await _own(app, tenant)
    counted = {**own.removed, ApiKey.collection: own.removed.get(ApiKey.collection, 0) + len(page.items)}
    own = own.model_copy(update={"removed": counted})
    await app.store.commit(_write(own), *(Delete(ApiKey, key.id) for key in page.items))
    return True


async def _drop_addresses(app: App, tenant: Tenant) -> bool:
    """Remove a page of the tenant's channels and webhooks, their secrets first, and count them; False when none was left."""
    gone = await alert_traces.addresses(app, tenant.id)
    if not gone:
        return False
    own = await _own(app, tenant)
    counted = Counter(own.removed) + Counter(change.kind.collection for change in gone)
    for change in gone:
        await app.vault.destroy(change.id)
    left = [drafts.emptied(app, change.id) for change in gone]
    await app.store.commit(_write(own.model_copy(update={"removed": dict(counted)})), *gone, *left)
    return True


async def _fold(app: App, tenant: Tenant) -> None:
    """A page of the connections' receipts into the tenant's own; with the last page the tenant goes."""
    own = await _own(app, tenant)
    page = await app.store.find(PurgeReceipt, Where("tenant_id", "==", tenant.id), limit=PAGE)
    others = [receipt for receipt in page.items if receipt.connection_id is not None]
    removed, remaining = Counter(own.removed), dict(own.remaining)
    for receipt in others:
        removed.update(receipt.removed)
        remaining |= receipt.remaining
    is_last = page.next_cursor is None
    if is_last:
        removed[Tenant.collection] = 1
        left = await app.store.count(ApiKey, Where("tenant_id", "==", tenant.id))
        remaining |= {ApiKey.collection: left, Connection.collection: 0, Tenant.collection: 0}
    folded = own.model_copy(
        update={"removed": dict(removed), "remaining": remaining, "at": app.now(), "complete": is_last}
    )
    end: list[Change] = [Swap(tenant)]
    if is_last:
        fields: dict[str, Scalar | list[str]] = {"receipt_id": own.id, "removed": sum(removed.values())}
        end = [
            Delete(Tenant, tenant.id, tenant.version),
            Add(entry("tenant.purged", tenant.id, None, app.now(), fields, str(tenant.closing_since))),
        ]
    gone = [Delete(PurgeReceipt, receipt.id, receipt.version) for receipt in others]
    await app.store.commit(_write(folded), *end, *gone)


async def _own(app: App, tenant: Tenant) -> PurgeReceipt:
    held = await app.store.get(PurgeReceipt, receipt_id(tenant.id))
    return held or PurgeReceipt(
        id=receipt_id(tenant.id),
        tenant_id=tenant.id,
        at=app.now(),
        removed={},
        remaining={},
        secret_destroyed=True,
        of=tenant.closing_since,
        complete=False,
    )


def _write(receipt: PurgeReceipt) -> Change:
    return Swap(receipt) if receipt.version else Add(receipt)
