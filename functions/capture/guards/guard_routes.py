"""The guards over HTTP: how they stand, and changing them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from functions.capture.guards import guard_keeping
from functions.capture.guards.guard_keeping import Guards, GuardsChange
from functions.capture.hosting import host_of
from hedgerow.app import App
from hedgerow.entrypoint import app_of, needs
from hedgerow.keys import Caller
from hedgerow.ownership import connection_of

router = APIRouter()
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
Current = Annotated[App, Depends(app_of)]


@router.get("/v1/connections/{connection_id}/guards")
async def read_guards(connection_id: str, caller: Reader, app: Current) -> Guards:
    """The privacy guard and the merge guard: rules, what they do in sentences, what they did in the last 24 hours."""
    return await guard_keeping.show(app, await connection_of(app, caller, connection_id))


@router.put("/v1/connections/{connection_id}/guards")
@router.patch("/v1/connections/{connection_id}/guards")
async def change_guards(connection_id: str, caller: Writer, app: Current, wanted: GuardsChange) -> Guards:
    """Change what is named; everything else stays. Other instances follow within seconds."""
    connection = await connection_of(app, caller, connection_id)
    await guard_keeping.change(app, connection, wanted)
    host_of(app).projects.forget(connection.id)
    return await guard_keeping.show(app, connection)
