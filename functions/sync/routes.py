"""The sync family's API: ticks by hand, refresh, runs."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from functions.sync import refreshing, ticking
from hedgerow.app import App
from hedgerow.entrypoint import app_of, needs, needs_admin
from hedgerow.keys import Caller
from hedgerow.ownership import connection_of
from hedgerow.runs import RunView, view

router = APIRouter()


def _written(value: object) -> object:
    if isinstance(value, str):
        return value
    raise ValueError("write it as YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_written)]


class Window(BaseModel):
    """The days to refresh, in the project's zone, both inclusive."""

    model_config = ConfigDict(extra="forbid")

    first: Annotated[Day | None, Field(alias="from")] = None
    last: Annotated[Day | None, Field(alias="to")] = None


class Ticked(BaseModel):
    """How many connections of the tier were due and published."""

    tier: str
    due: int


class RunList(BaseModel):
    """A page of runs, newest first."""

    items: list[RunView]
    next_cursor: str | None


@router.post("/v1/ticks/{tier}")
async def tick_now(
    tier: str, _: Annotated[Caller, Depends(needs_admin)], app: Annotated[App, Depends(app_of)]
) -> Ticked:
    """Do what Cloud Scheduler does every five minutes."""
    known = ticking.tier_of(tier)
    return Ticked(tier=known, due=await ticking.tick(app, known))


@router.post("/v1/connections/{connection_id}/refresh", status_code=202)
async def refresh(
    connection_id: str,
    caller: Annotated[Caller, Depends(needs("write"))],
    app: Annotated[App, Depends(app_of)],
    window: Annotated[Window | None, Body()] = None,
) -> RunView:
    """Begin a sync by hand."""
    connection = await connection_of(app, caller, connection_id)
    asked = window or Window()
    return view(await refreshing.refresh(app, connection, asked.first, asked.last))


@router.get("/v1/connections/{connection_id}/runs")
async def list_runs(
    connection_id: str,
    caller: Annotated[Caller, Depends(needs("read"))],
    app: Annotated[App, Depends(app_of)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> RunList:
    """What ran, newest first."""
    connection = await connection_of(app, caller, connection_id)
    page = await refreshing.runs_of(app, connection, limit, cursor)
    return RunList(items=[view(run) for run in page.items], next_cursor=page.next_cursor)


@router.get("/v1/connections/{connection_id}/runs/{run_id}")
async def read_run(
    connection_id: str,
    run_id: str,
    caller: Annotated[Caller, Depends(needs("read"))],
    app: Annotated[App, Depends(app_of)],
) -> RunView:
    """One run."""
    connection = await connection_of(app, caller, connection_id)
    return view(await refreshing.run_of(app, connection, run_id))
