"""The `connect` function: tenants and their keys; connections tested, made, listed, changed, paused and resumed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from functions.connect import changing, connecting, looking, tenants
from functions.connect.views import (
    ConnectionChange,
    ConnectionCreated,
    ConnectionTest,
    ConnectionTested,
    ConnectionView,
    ConnectionWanted,
    KeyCreated,
    KeyView,
    KeyWanted,
    TenantChange,
    TenantCreated,
    TenantView,
    TenantWanted,
    connection_view,
    key_view,
    tenant_view,
    tested_view,
)
from hedgerow import runs, tiers
from hedgerow.app import App
from hedgerow.entrypoint import api, app_of, needs, needs_admin
from hedgerow.keys import Caller
from hedgerow.models import ApiKey, Connection, Tenant, Trouble
from hedgerow.ownership import connection_of
from hedgerow.ports import Where

router = APIRouter()
Current = Annotated[App, Depends(app_of)]
Admin = Annotated[Caller, Depends(needs_admin)]
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
Limit = Annotated[int, Query(ge=1, le=1000, description="Entries a page.")]
Cursor = Annotated[str | None, Query(description="The `next_cursor` of the page before.")]
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class TenantPage(BaseModel):
    """Tenants, newest first."""

    items: list[TenantView]
    next_cursor: str | None


class KeyPage(BaseModel):
    """Keys, newest first."""

    items: list[KeyView]
    next_cursor: str | None


class ConnectionPage(BaseModel):
    """Connections, newest first. `first`: what is to be known before any of them, null where nothing is."""

    first: Trouble | None
    items: list[ConnectionView]
    next_cursor: str | None


@router.post("/v1/tenants", status_code=201)
async def create_tenant(wanted: TenantWanted, caller: Admin, app: Current) -> TenantCreated:
    """A tenant, and its first key, shown this once."""
    tenant, shown = await tenants.create(app, wanted)
    return TenantCreated(**tenant_view(tenant).model_dump(), api_key=shown.get_secret_value())


@router.get("/v1/tenants")
async def list_tenants(caller: Admin, app: Current, limit: Limit = 100, cursor: Cursor = None) -> TenantPage:
    """Every tenant."""
    page = await app.store.find(Tenant, Where("created_at", ">=", EVER), limit=limit, cursor=cursor)
    return TenantPage(items=[tenant_view(tenant) for tenant in page.items], next_cursor=page.next_cursor)


@router.get("/v1/tenants/{tenant_id}")
async def get_tenant(tenant_id: str, caller: Admin, app: Current) -> TenantView:
    """One tenant."""
    return tenant_view(await tenants.get(app, tenant_id))


@router.patch("/v1/tenants/{tenant_id}")
async def change_tenant(tenant_id: str, wanted: TenantChange, caller: Admin, app: Current) -> TenantView:
    """Another tier, or activity tracking on or off: on all its connections at once."""
    return tenant_view(await tenants.change(app, tenant_id, wanted))


@router.get("/v1/tenants/{tenant_id}/keys")
async def list_keys(tenant_id: str, caller: Admin, app: Current, limit: Limit = 100, cursor: Cursor = None) -> KeyPage:
    """A tenant's keys, without their secrets."""
    tenant = await tenants.get(app, tenant_id)
    page = await app.store.find(ApiKey, Where("tenant_id", "==", tenant.id), limit=limit, cursor=cursor)
    return KeyPage(items=[key_view(key) for key in page.items], next_cursor=page.next_cursor)


@router.post("/v1/tenants/{tenant_id}/keys", status_code=201)
async def create_key(tenant_id: str, wanted: KeyWanted, caller: Admin, app: Current) -> KeyCreated:
    """A further key, shown this once."""
    key, shown = await tenants.add_key(app, tenant_id, wanted)
    return KeyCreated(**key_view(key).model_dump(), api_key=shown.get_secret_value())


@router.delete("/v1/tenants/{tenant_id}/keys/{key_id}", status_code=204)
async def revoke_key(tenant_id: str, key_id: str, caller: Admin, app: Current) -> Response:
    """Revoke a key at once."""
    await tenants.revoke_key(app, tenant_id, key_id)
    return Response(status_code=204)


@router.post("/v1/connections/test")
async def test_connection(wanted: ConnectionTest, caller: Writer, app: Current) -> ConnectionTested:
    """What a host and its keys can do, in seven verdicts; nothing is stored."""
    asked = connecting.asked_of(app, wanted)
    return tested_view(asked.host.origin, asked.takes_events_at, await connecting.examine(app, asked))


@router.post("/v1/connections", status_code=201)
async def create_connection(wanted: ConnectionWanted, caller: Writer, app: Current) -> ConnectionCreated:
    """Test, connect, and begin the first 30 days."""
    made = await connecting.create(app, caller, wanted)
    view = await _view(app, made.connection)
    return ConnectionCreated(**view.model_dump(), run=runs.view(made.run) if made.run else None)


@router.get("/v1/connections")
async def list_connections(caller: Reader, app: Current, limit: Limit = 100, cursor: Cursor = None) -> ConnectionPage:
    """The tenant's connections; each diagnosis is made from the connection alone."""
    page = await app.store.find(Connection, Where("tenant_id", "==", caller.tenant_id), limit=limit, cursor=cursor)
    rules = tiers.load(app.settings.tiers_file)
    items = [connection_view(one, looking.from_afar(app, one), rules) for one in page.items]
    first = await looking.nobody_told(app, caller.tenant_id) if items else None
    return ConnectionPage(first=first, items=items, next_cursor=page.next_cursor)


@router.get("/v1/connections/{connection_id}")
async def get_connection(connection_id: str, caller: Reader, app: Current) -> ConnectionView:
    """One connection, with the diagnosis from all that is known."""
    return await _view(app, await connection_of(app, caller, connection_id))


@router.patch("/v1/connections/{connection_id}")
async def change_connection(
    connection_id: str, wanted: ConnectionChange, caller: Writer, app: Current
) -> ConnectionView:
    """Another name, schedule, pinned events or keys; a new key is tested before it replaces."""
    connection = await connection_of(app, caller, connection_id)
    return await _view(app, await changing.change(app, connection, wanted))


@router.post("/v1/connections/{connection_id}/pause")
async def pause_connection(connection_id: str, caller: Writer, app: Current) -> ConnectionView:
    """Stop syncing until resumed."""
    return await _view(app, await changing.pause(app, await connection_of(app, caller, connection_id)))


@router.post("/v1/connections/{connection_id}/resume")
async def resume_connection(connection_id: str, caller: Writer, app: Current) -> ConnectionView:
    """Go on; a connection that needs attention is tested first."""
    return await _view(app, await changing.resume(app, await connection_of(app, caller, connection_id)))


async def _view(app: App, connection: Connection) -> ConnectionView:
    return connection_view(connection, await looking.closely(app, connection), tiers.load(app.settings.tiers_file))


connect = api("connect", router)
