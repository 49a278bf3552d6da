"""The outbox as a list: what waits first, oldest first, and how much of it there is, counted within a bound."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from functions.capture.outbox import contents, outbox_views
from functions.capture.outbox.outbox_views import DeliveryInFull, DeliveryView
from hedgerow.app import App
from hedgerow.deliveries import Delivery, DeliveryState, DeliveryStory
from hedgerow.errors import InvalidError, MissingError
from hedgerow.models import Connection
from hedgerow.ports import Where
from hedgerow.records import Index, Instant, Record

ASIDE: tuple[DeliveryState, ...] = ("pending", "held", "dead")
MOST_COUNTED = 2_000
MOST_PAYLOAD = 64_000
PAGE = 200
"""Records at once: on SQLite each is read with its payload."""

Aside = Literal["pending", "held", "dead"]


class WaitingDelivery(Record):
    """What is added up of a delivery."""

    collection = Delivery.collection
    indexes = (Index("connection_id", "state", "accepted_at"),)
    partial = True

    connection_id: str
    state: DeliveryState
    accepted_at: Instant
    due_at: Instant | None = None
    count: int
    size: int


class Total(BaseModel):
    """What is in one state. `cut`: events, bytes and the next try are of the 2,000 oldest deliveries only."""

    deliveries: int
    events: int
    bytes: int = Field(description="Before gzip.")
    oldest_accepted_at: Instant | None = None
    next_try_at: Instant | None = None
    cut: bool = False


class OutboxPage(BaseModel):
    """A page of the outbox; `totals` come with the first page only."""

    totals: dict[DeliveryState, Total] | None
    items: list[DeliveryView]
    next_cursor: str | None


async def page_of(
    app: App, connection: Connection, state: DeliveryState | None, limit: int, cursor: str | None
) -> OutboxPage:
    """One page; `InvalidError` for a broken cursor. Without a state: pending, then held, then dead."""
    states = ASIDE if state is None else (state,)
    first, inner = _place(states, cursor) if cursor else (states[0], None)
    items: list[DeliveryView] = []
    further: str | None = None
    for each in states[states.index(first) :]:
        if len(items) == limit:
            further = f"{each}."
            break
        where = (Where("connection_id", "==", connection.id), Where("state", "==", each))
        while len(items) < limit:
            page = await app.store.find(DeliveryStory, *where, limit=min(PAGE, limit - len(items)), cursor=inner)
            items += [outbox_views.delivery_view(found, app.now()) for found in page.items]
            inner = page.next_cursor
            if inner is None:
                break
        if inner is not None:
            further = f"{each}.{inner}"
            break
    totals = None if cursor else {each: await _total(app, connection, each) for each in states}
    return OutboxPage(totals=totals, items=items, next_cursor=further)


async def in_full(app: App, connection: Connection, delivery_id: str, *, with_payload: bool) -> DeliveryInFull:
    """One delivery; `MissingError` for anybody else's and for none."""
    delivery = await delivery_of(app, connection, delivery_id)
    payload = await contents.unpacked(app.store, delivery)
    events = [contents.inside(event) for event in contents.batch_of(payload) or ()]
    shown = _without_token(payload, connection) if with_payload else None
    return outbox_views.full_view(delivery, app.now(), events, shown, MOST_PAYLOAD)


async def delivery_of(app: App, connection: Connection, delivery_id: str) -> Delivery:
    """The connection's own delivery; `MissingError` for anybody else's and for none."""
    delivery = await app.store.get(Delivery, delivery_id)
    if delivery is None or delivery.connection_id != connection.id:
        raise no_delivery()
    return delivery


def no_delivery() -> MissingError:
    """The one refusal of a delivery that is not the connection's."""
    return MissingError(
        "There is no such delivery.",
        hint="`hedgerow outbox`, or GET /v1/connections/{id}/outbox, lists them; what was delivered is kept 7 days, what is dead or held 30.",
    )


async def _total(app: App, connection: Connection, state: DeliveryState) -> Total:
    where = (Where("connection_id", "==", connection.id), Where("state", "==", state))
    total = Total(deliveries=0, events=0, bytes=0)
    tries: list[datetime] = []
    cursor: str | None = None
    while total.deliveries < MOST_COUNTED:
        page = await app.store.find(WaitingDelivery, *where, limit=PAGE, cursor=cursor)
        for found in page.items:
            total.oldest_accepted_at = total.oldest_accepted_at or found.accepted_at
            total.deliveries += 1
            total.events += found.count
            total.bytes += found.size
            if found.due_at is not None:
                tries.append(found.due_at)
        cursor = page.next_cursor
        if cursor is None:
            break
    total.next_try_at = min(tries, default=None)
    if cursor is not None:
        total.cut = True
        total.deliveries = await app.store.count(WaitingDelivery, *where)
    return total


def _place(states: tuple[DeliveryState, ...], cursor: str) -> tuple[DeliveryState, str | None]:
    name, _, inner = cursor.partition(".")
    for state in states:
        if state == name:
            return state, inner or None
    raise InvalidError(
        "The cursor is broken or belongs to another list.",
        code="invalid_cursor",
        hint="Start again without a cursor.",
        members={"field": "cursor"},
    )


def _without_token(payload: bytes, connection: Connection) -> bytes:
    token = connection.project_token
    return payload.replace(token.encode(), f"…{token[-4:]}".encode()) if token else payload
