"""The `metrics` function: reading what was synced. Nothing here writes a metric."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from functions.metrics import encoding, listing, names, series
from functions.metrics.listing import CatalogPage
from functions.metrics.window import window_of
from hedgerow.app import App
from hedgerow.entrypoint import api, app_of, needs
from hedgerow.keys import Caller
from hedgerow.ownership import connection_of

router = APIRouter()
Reader = Annotated[Caller, Depends(needs("read"))]
Current = Annotated[App, Depends(app_of)]
From = Annotated[str | None, Query(alias="from", description="First local day, YYYY-MM-DD.")]
To = Annotated[str | None, Query(description="Last local day, included.")]


@router.get("/v1/metrics/catalog")
async def catalog(caller: Reader, app: Current) -> CatalogPage:
    """Every metric: name, description, unit, definition."""
    return listing.catalog(app.settings.new_users_days)


@router.get("/v1/connections/{connection_id}/metrics")
async def read_metrics(
    connection_id: str,
    request: Request,
    caller: Reader,
    app: Current,
    name: Annotated[list[str] | None, Query(description="A series; repeat it for more, leave it out for all.")] = None,
    begin: From = None,
    to: To = None,
) -> Response:
    """The series asked for, by local day: JSON, or CSV where `Accept` prefers it."""
    connection = await connection_of(app, caller, connection_id)
    reading = await series.read(app, connection, window_of(app, connection, begin, to), names.known(name or ()))
    if encoding.wants_csv(request.headers.get("accept", "")):
        return Response(encoding.as_csv(reading), media_type="text/csv; charset=utf-8; header=present")
    return Response(encoding.as_json(reading), media_type="application/json")


metrics = api("metrics", router)
