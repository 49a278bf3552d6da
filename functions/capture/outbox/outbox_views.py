"""How the API shows a delivery: what it is, since when it is so, why, and what to do. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, Field

from functions.capture.outbox.contents import Inside
from hedgerow.deliveries import Attempt, Delivery, DeliveryState, DeliveryStory, Lane, Parcel
from hedgerow.models import Trouble
from hedgerow.records import Instant

MOST_NAMES = 20
MOST_SDKS = 10
# The tick comes every minute; a delivery that was due this long ago is waiting for nobody.
OVERDUE = timedelta(minutes=5)
WAITS = "Nothing to do: it is sent again every minute until it arrives."


class NameCount(BaseModel):
    """How many events of a name."""

    name: str
    count: int


class DeliveryView(BaseModel):
    """A delivery, without what is in it."""

    id: str
    state: DeliveryState
    lane: Lane
    historical: bool
    count: int = Field(description="Events.")
    size: int = Field(description="Bytes before gzip.")
    accepted_at: Instant = Field(description="When its oldest event was accepted.")
    since: Instant = Field(description="Since when it is in this state.")
    due_at: Instant | None = Field(description="Pending: when it is tried next.")
    expires_at: Instant | None = Field(description="When it is removed; null: never.")
    tries: int
    why: Trouble | None = Field(description="Why it waits, is held or dead; null once delivered.")
    names: list[NameCount] = Field(description="The 20 commonest names.")
    sdks: list[str]


class EventInDelivery(BaseModel):
    """One event of a delivery."""

    uuid: str
    name: str | None = Field(description="Null where the payload is not kept, or is no JSON.")
    timestamp: Instant | None


class DeliveryInFull(DeliveryView):
    """A delivery with its story; `payload` only where it was asked for."""

    parcels: list[Parcel]
    attempts: list[Attempt] = Field(description="The last 20.")
    events: list[EventInDelivery]
    split_from: str | None
    finished_at: Instant | None
    payload: str | None = Field(default=None, description="The events as JSON, cut at 64 kB; customers' data.")
    payload_cut: bool = False


def delivery_view(delivery: DeliveryStory | Delivery, now: datetime) -> DeliveryView:
    """What a list shows."""
    names: Counter[str] = Counter()
    for row in delivery.tally:
        names[row.name] += row.count
    changed = delivery.attempts[-1].at if delivery.state == "held" and delivery.attempts else delivery.accepted_at
    return DeliveryView(
        id=delivery.id,
        state=delivery.state,
        lane=delivery.lane,
        historical=delivery.historical,
        count=delivery.count,
        size=delivery.size,
        accepted_at=delivery.accepted_at,
        since=delivery.finished_at or changed,
        due_at=delivery.due_at,
        expires_at=delivery.expires_at,
        tries=delivery.tries,
        why=why(delivery, now),
        names=[NameCount(name=name, count=count) for name, count in names.most_common(MOST_NAMES)],
        sdks=sorted({parcel.sdk for parcel in delivery.parcels if parcel.sdk})[:MOST_SDKS],
    )


def full_view(
    delivery: Delivery, now: datetime, events: list[Inside], payload: bytes | None, most: int
) -> DeliveryInFull:
    """Everything about one; `events` may be empty where the payload cannot be read."""
    uuids = [str(UUID(bytes=delivery.uuids[at : at + 16])) for at in range(0, len(delivery.uuids), 16)]
    found: list[Inside | None] = [*events] if len(events) == len(uuids) else [None] * len(uuids)
    return DeliveryInFull(
        **delivery_view(delivery, now).model_dump(),
        parcels=list(delivery.parcels),
        attempts=list(delivery.attempts),
        events=[
            EventInDelivery(uuid=uuid, name=each.name if each else None, timestamp=each.at if each else None)
            for uuid, each in zip(uuids, found, strict=True)
        ],
        split_from=delivery.split_from,
        finished_at=delivery.finished_at,
        payload=None if payload is None else payload[:most].decode("utf-8", "replace"),
        payload_cut=payload is not None and len(payload) > most,
    )


def why(delivery: DeliveryStory | Delivery, now: datetime) -> Trouble | None:
    """Why it is not delivered, in words with the remedy."""
    if delivery.state == "delivered":
        return None
    if delivery.state == "pending" and delivery.due_at is not None and now - delivery.due_at > OVERDUE:
        return Trouble(
            code="not_tried",
            detail=f"It was due at {delivery.due_at:%Y-%m-%d %H:%M} UTC and nobody tried it.",
            hint="Look whether the schedule of redeliver_tick runs; it fires every minute.",
        )
    if delivery.trouble is not None:
        return delivery.trouble
    if delivery.attempts:
        last = delivery.attempts[-1]
        return Trouble(code=last.code, detail=last.detail, hint=WAITS)
    return Trouble(code="not_tried_yet", detail="It was kept, and its first try has not come.", hint=WAITS)
