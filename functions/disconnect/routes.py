"""The disconnect family's calls. Decode, one verb, encode."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from functions.disconnect import ending, forms
from functions.disconnect.forms import DisconnectAsked, Disconnection, TenantEnding
from hedgerow.app import App
from hedgerow.entrypoint import app_of, needs, needs_admin
from hedgerow.keys import Caller

router = APIRouter()
Current = Annotated[App, Depends(app_of)]

# The function's own time limit is 60 s; a tenant with more than this purges goes on behind the scenes.
TENANT_SECONDS = 25.0


@router.post("/v1/connections/{connection_id}/disconnect", status_code=202)
async def begin(
    connection_id: str,
    caller: Annotated[Caller, Depends(needs("write"))],
    app: Current,
    asked: DisconnectAsked | None = None,
) -> Disconnection:
    """Disconnect, once or again; with `purge` everything stored is removed against a receipt."""
    asked = asked or DisconnectAsked()
    ended = await ending.disconnect(app, caller, connection_id, purge=asked.purge, refuse_traffic=asked.refuse_traffic)
    return forms.disconnection_form(app, connection_id, *ended, await ending.traffic(app, connection_id))


@router.get("/v1/connections/{connection_id}/disconnect")
async def look(connection_id: str, caller: Annotated[Caller, Depends(needs("read"))], app: Current) -> Disconnection:
    """How far it has come; after a purge, its receipt."""
    ended = await ending.look(app, caller, connection_id)
    return forms.disconnection_form(app, connection_id, *ended, await ending.traffic(app, connection_id))


@router.delete("/v1/tenants/{tenant_id}")
async def delete_tenant(
    tenant_id: str, caller: Annotated[Caller, Depends(needs_admin)], app: Current, response: Response
) -> TenantEnding:
    """Delete a tenant: 200 with the one receipt when all is gone, 202 while purges go on; ask again to see."""
    receipt = await ending.delete_tenant(app, tenant_id, TENANT_SECONDS)
    response.status_code = 200 if receipt else 202
    return TenantEnding(id=tenant_id, state="deleted" if receipt else "closing", receipt=forms.receipt_form(receipt))
