"""The `metrics` function: reading what was synced. Nothing here writes a metric."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from functions.metrics import changes, encoding, explain, listing, names, prometheus, proof, series
from functions.metrics.changes import ChangePage
from functions.metrics.explain import Explanation
from functions.metrics.listing import CatalogPage
from functions.metrics.proof import Proof
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


@router.get("/v1/metrics/prometheus")
async def scrape(caller: Reader, app: Current) -> Response:
    """The newest complete day of each series over all connections, for Prometheus."""
    exposed = await prometheus.expose(app, caller.tenant_id)
    return Response(exposed, headers={"Content-Type": prometheus.CONTENT_TYPE})


@router.get("/v1/connections/{connection_id}/changes")
async def list_changes(
    connection_id: str,
    caller: Reader,
    app: Current,
    since: Annotated[str | None, Query(description="A date, or an instant with its zone.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: str | None = None,
) -> ChangePage:
    """Every past day whose value moved after it was complete, newest finding first."""
    connection = await connection_of(app, caller, connection_id)
    return await changes.changes_of(app, connection, since, limit, cursor)


@router.get("/v1/connections/{connection_id}/proof")
async def prove(connection_id: str, caller: Reader, app: Current, begin: From = None, to: To = None) -> Proof:
    """A second count by PostHog against what is stored; without a wish the complete ones of the last 30 days."""
    return await proof.prove(app, await connection_of(app, caller, connection_id), begin, to)


@router.get("/v1/connections/{connection_id}/explain")
async def explain_value(
    connection_id: str,
    caller: Reader,
    app: Current,
    name: Annotated[str, Query(description="The series.")],
    date: Annotated[str, Query(description="The local day, YYYY-MM-DD.")],
) -> Explanation:
    """One number: definition, exact HogQL, run, completeness, changes since."""
    return await explain.explain(app, await connection_of(app, caller, connection_id), name, date)


metrics = api("metrics", router)
