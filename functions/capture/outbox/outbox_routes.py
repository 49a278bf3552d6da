"""What the engineer on call sees of capture: what waits, where an event is, whether the books balance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from functions.capture.outbox import reconciling, releasing, strangers, tracing, waiting
from functions.capture.outbox.books_views import Counts, Reconciliation
from functions.capture.outbox.event_views import EventPlace, EventPlaces
from functions.capture.outbox.outbox_views import DeliveryInFull
from functions.capture.outbox.releasing import Released, Wanted
from functions.capture.outbox.strangers import UnknownTokens
from functions.capture.outbox.waiting import OutboxPage
from hedgerow.app import App
from hedgerow.deliveries import DeliveryState
from hedgerow.entrypoint import app_of, needs, needs_admin
from hedgerow.errors import ForbiddenError
from hedgerow.keys import Caller
from hedgerow.ownership import connection_of

router = APIRouter()
Current = Annotated[App, Depends(app_of)]
Admin = Annotated[Caller, Depends(needs_admin)]
Reader = Annotated[Caller, Depends(needs("read"))]
Writer = Annotated[Caller, Depends(needs("write"))]
From = Annotated[str | None, Query(alias="from", description="A date of the project's zone, or an instant.")]
To = Annotated[str | None, Query(description="As `from`; a date is included.")]


@router.get("/v1/connections/{connection_id}/outbox")
async def list_outbox(
    connection_id: str,
    caller: Reader,
    app: Current,
    state: Annotated[DeliveryState | None, Query(description="Without it: pending, then held, then dead.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: str | None = None,
) -> OutboxPage:
    """What waits, since when, why; oldest first."""
    return await waiting.page_of(app, await connection_of(app, caller, connection_id), state, limit, cursor)


@router.post("/v1/connections/{connection_id}/outbox/redeliver")
async def redeliver(connection_id: str, wanted: Wanted, caller: Writer, app: Current) -> Released:
    """Make deliveries due now, dead and held ones too; up to a hundred a call."""
    return await releasing.redeliver(app, await connection_of(app, caller, connection_id), wanted)


@router.post("/v1/connections/{connection_id}/outbox/refuse")
async def refuse(connection_id: str, wanted: Wanted, caller: Writer, app: Current) -> Released:
    """Make held deliveries dead; up to a hundred a call."""
    return await releasing.refuse(app, await connection_of(app, caller, connection_id), wanted)


@router.get("/v1/connections/{connection_id}/outbox/{delivery_id}")
async def get_delivery(
    connection_id: str,
    delivery_id: str,
    caller: Reader,
    app: Current,
    *,
    payload: Annotated[bool, Query(description="The events too, for role write: they are customers' data.")] = False,
) -> DeliveryInFull:
    """One delivery in full."""
    connection = await connection_of(app, caller, connection_id)
    if payload and caller.role != "write":
        raise ForbiddenError(
            f"The payload holds customers' data; this key's role is `{caller.role}`, the call needs `write`."
        )
    return await waiting.in_full(app, connection, delivery_id, with_payload=payload)


@router.get("/v1/connections/{connection_id}/events/{uuid}")
async def find_event(connection_id: str, uuid: str, caller: Reader, app: Current) -> EventPlace:
    """Where is this event? Our own timeline, else PostHog's row."""
    return await tracing.where_is(app, await connection_of(app, caller, connection_id), uuid)


@router.get("/v1/events/{uuid}")
async def find_event_anywhere(uuid: str, caller: Reader, app: Current) -> EventPlaces:
    """The same over every connection of the tenant."""
    return await tracing.where_are(app, caller.tenant_id, uuid)


@router.get("/v1/connections/{connection_id}/counts")
async def read_counts(connection_id: str, caller: Reader, app: Current, begin: From = None, to: To = None) -> Counts:
    """By hour of acceptance, what became of the events, and whether that adds up."""
    return await reconciling.counts(app, await connection_of(app, caller, connection_id), begin, to)


@router.get("/v1/connections/{connection_id}/reconciliation")
async def reconcile(
    connection_id: str, caller: Reader, app: Current, begin: From = None, to: To = None
) -> Reconciliation:
    """Our books against the outbox, what was delivered against what PostHog holds; books counts lost in a kill."""
    return await reconciling.reconcile(app, await connection_of(app, caller, connection_id), begin, to)


@router.get("/v1/capture/unknown-tokens")
async def unknown_tokens(caller: Admin, app: Current) -> UnknownTokens:
    """Project tokens of the last 24 hours that belong to no connection, by their last four characters."""
    return await strangers.unknown_tokens(app)
