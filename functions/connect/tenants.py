"""Tenants and their keys to Hedgerow. A tier or a switch that changes takes effect on every connection at once."""

from __future__ import annotations

from pydantic import SecretStr

from functions.connect.views import KeyWanted, TenantChange, TenantWanted
from hedgerow import keys, tiers
from hedgerow.app import App
from hedgerow.errors import ConflictError, MissingError, StateConflictError
from hedgerow.models import ApiKey, Connection, Tenant
from hedgerow.ports import Add, Delete, Swap, Where
from hedgerow.records import new_id

FIRST_KEY = "first key"
TRIES = 5
PAGE = 200


async def create(app: App, wanted: TenantWanted) -> tuple[Tenant, SecretStr]:
    """A tenant and its first key, of role `write`, in one commit."""
    tenant = Tenant(id=new_id("ten"), name=wanted.name, tier=wanted.tier, created_at=app.now())
    record, shown = keys.make(tenant.id, FIRST_KEY, "write", app.now())
    committed = await app.store.commit(Add(tenant), Add(record))
    return committed.of(tenant), shown


async def get(app: App, tenant_id: str) -> Tenant:
    """One tenant, or `MissingError`."""
    tenant = await app.store.get(Tenant, tenant_id)
    if tenant is None:
        raise MissingError("There is no such tenant.", hint="Check the id; `GET /v1/tenants` lists them.")
    return tenant


async def change(app: App, tenant_id: str, wanted: TenantChange) -> Tenant:
    """Change the tenant, then every connection's copy. Sent again, it finishes what a crash left half done."""
    for _ in range(TRIES):
        tenant = await _open(app, tenant_id)
        changed = tenant.model_copy(update=wanted.model_dump(exclude_unset=True))
        try:
            tenant = (await app.store.commit(Swap(changed))).of(changed)
        except ConflictError:
            continue
        await _carry(app, tenant)
        return tenant
    raise StateConflictError("This tenant is being changed by others.", hint="Send the call again.")


async def add_key(app: App, tenant_id: str, wanted: KeyWanted) -> tuple[ApiKey, SecretStr]:
    """A further key of a tenant. The tenant is swapped unchanged, so that none is made while it is being deleted."""
    tenant = await _open(app, tenant_id)
    record, shown = keys.make(tenant.id, wanted.label, wanted.role, app.now())
    return (await app.store.commit(Swap(tenant), Add(record))).of(record), shown


async def revoke_key(app: App, tenant_id: str, key_id: str) -> None:
    """Remove a key: from then on it is unknown. Another tenant's key is `MissingError`, as is none."""
    record = await app.store.get(ApiKey, key_id)
    if record is None or record.tenant_id != tenant_id:
        raise MissingError("There is no such key.", hint="Check the id; `GET /v1/tenants/{id}/keys` lists them.")
    await app.store.commit(Delete(ApiKey, key_id))


async def _open(app: App, tenant_id: str) -> Tenant:
    tenant = await get(app, tenant_id)
    if tenant.closing_since is not None:
        raise StateConflictError("This tenant is being deleted.", code="tenant_closing", hint="Make a new tenant.")
    return tenant


async def _carry(app: App, tenant: Tenant) -> None:
    cursor: str | None = None
    while True:
        page = await app.store.find(Connection, Where("tenant_id", "==", tenant.id), limit=PAGE, cursor=cursor)
        for connection in page.items:
            await _carry_to(app, tenant, connection)
        cursor = page.next_cursor
        if cursor is None:
            return


async def _carry_to(app: App, tenant: Tenant, found: Connection) -> None:
    """Give one connection the tenant's tier and switch, and the due time that follows."""
    connection: Connection | None = found
    for _ in range(TRIES):
        if connection is None:
            return  # Purged meanwhile.
        copied = {"tier": tenant.tier, "activity_tracking": tenant.activity_tracking}
        changed = connection.model_copy(update=copied)
        if changed == connection:
            return
        due = tiers.next_due(changed, tiers.load(app.settings.tiers_file), app.now())
        try:
            await app.store.commit(Swap(changed.model_copy(update={"due_at": due})))
        except ConflictError:
            connection = await app.store.get(Connection, found.id)
        else:
            return
    raise StateConflictError("A connection of this tenant is being changed by others.", hint="Send the call again.")
