"""The incidents API: lists, one with its timeline, acknowledge, snooze, rate."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from functions.alerts.incidents import acting, listing
from functions.alerts.incidents.listing import IncidentPage
from functions.alerts.incidents.views import IncidentView, RateWanted, SnoozeWanted, view
from functions.alerts.records import IncidentState
from hedgerow.app import App
from hedgerow.entrypoint import app_of, needs
from hedgerow.keys import Caller

router = APIRouter()
Current = Annotated[App, Depends(app_of)]
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]


@router.get("/v1/incidents")
async def list_incidents(
    caller: Reader,
    app: Current,
    state: Annotated[IncidentState | None, Query(description="`open` or `resolved`; both without.")] = None,
    connection: Annotated[str | None, Query(description="A connection's id.")] = None,
    rule: Annotated[str | None, Query(description="A rule's id.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> IncidentPage:
    """The tenant's incidents, newest first."""
    return await listing.list_incidents(
        app, caller.tenant_id, state=state, connection_id=connection, rule_id=rule, limit=limit, cursor=cursor
    )


@router.get("/v1/incidents/{incident_id}")
async def get_incident(incident_id: str, caller: Reader, app: Current) -> IncidentView:
    """One incident with its timeline."""
    return view(await listing.incident_of(app, caller.tenant_id, incident_id))


@router.post("/v1/incidents/{incident_id}/acknowledge")
async def acknowledge_incident(incident_id: str, caller: Writer, app: Current) -> IncidentView:
    """Say that somebody looks after it; its channels are told."""
    incident = await listing.incident_of(app, caller.tenant_id, incident_id)
    return view(await acting.acknowledge(app, incident, await acting.name_of_key(app, caller.key_id)))


@router.post("/v1/incidents/{incident_id}/snooze")
async def snooze_incident(incident_id: str, wanted: SnoozeWanted, caller: Writer, app: Current) -> IncidentView:
    """Be quiet about it until an instant, or for so many minutes."""
    incident = await listing.incident_of(app, caller.tenant_id, incident_id)
    until = wanted.until if wanted.until is not None else app.now() + timedelta(minutes=wanted.minutes or 0)
    return view(await acting.snooze(app, incident, until, await acting.name_of_key(app, caller.key_id)))


@router.post("/v1/incidents/{incident_id}/rate")
async def rate_incident(incident_id: str, wanted: RateWanted, caller: Writer, app: Current) -> IncidentView:
    """Say whether it was worth telling: the noise budget drops the least useful rules first."""
    incident = await listing.incident_of(app, caller.tenant_id, incident_id)
    return view(await acting.rate(app, incident, wanted.useful, await acting.name_of_key(app, caller.key_id)))
