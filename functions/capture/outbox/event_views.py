"""How the API shows where an event is: a timeline in words, and what to do. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from functions.capture.outbox.contents import Inside
from functions.capture.outbox.outbox_views import why
from functions.capture.outbox.posthog_rows import Row
from hedgerow.deliveries import Attempt, DeliveryState, DeliveryStory, Parcel
from hedgerow.models import Connection, Trouble
from hedgerow.records import Instant


class Moment(BaseModel):
    """Something that happened to an event."""

    at: Instant
    what: str


class EventPlace(BaseModel):
    """Where an event is, and how it came there."""

    uuid: str
    connection_id: str
    source: Literal["hedgerow", "posthog"] = Field(
        description="hedgerow: our own timeline. posthog: PostHog was asked, and this is its row."
    )
    summary: str
    state: DeliveryState
    name: str | None = Field(description="Null where the payload is not kept any more.")
    timestamp: Instant | None = Field(description="The event's own time.")
    received_at: Instant | None = None
    sdk: str | None = None
    path: str | None = None
    changes: list[str] = Field(default_factory=list, description="What was changed at acceptance.")
    delivery_id: str | None = None
    split_from: str | None = None
    tries: int = 0
    attempts: list[Attempt] = Field(default_factory=list)
    timeline: list[Moment]
    why: Trouble | None = None
    rows: int = Field(default=0, description="In PostHog, where it was asked.")


class NotAsked(BaseModel):
    """A connection whose PostHog could not be asked."""

    connection_id: str
    code: str
    detail: str
    hint: str


class EventPlaces(BaseModel):
    """Where an event is, over all connections of a tenant."""

    items: list[EventPlace]
    not_asked: list[NotAsked]
    next_cursor: None = None


def own_place(delivery: DeliveryStory, uuid: UUID, position: int, event: Inside | None, now: datetime) -> EventPlace:
    """The story of one event of a delivery; `event` is what its payload says, where it is kept."""
    parcel = _parcel(delivery, position)
    trouble = why(delivery, now)
    only = delivery.tally[0].name if len(delivery.tally) == 1 else None
    return EventPlace(
        uuid=str(uuid),
        connection_id=delivery.connection_id,
        source="hedgerow",
        summary=_summary(delivery, trouble),
        state=delivery.state,
        name=event.name if event else only,
        timestamp=event.at if event else None,
        received_at=parcel.received_at if parcel else delivery.accepted_at,
        sdk=parcel.sdk if parcel else None,
        path=parcel.path if parcel else None,
        changes=list(parcel.changes) if parcel else [],
        delivery_id=delivery.id,
        split_from=delivery.split_from,
        tries=delivery.tries,
        attempts=list(delivery.attempts),
        timeline=_timeline(delivery, parcel, trouble),
        why=trouble,
    )


def posthog_place(connection: Connection, uuid: UUID, rows: list[Row]) -> EventPlace:
    """PostHog's own row: it arrived, whether we forwarded it at once or somebody sent it past us."""
    first = rows[0]
    several = f" PostHog shows {len(rows)} rows of it." if len(rows) > 1 else ""
    return EventPlace(
        uuid=str(uuid),
        connection_id=connection.id,
        source="posthog",
        summary=f"It is in PostHog, which was asked just now; it never waited here.{several}",
        state="delivered",
        name=first.name,
        timestamp=first.at,
        sdk=first.sdk or None,
        timeline=[Moment(at=row.at, what="the event's own time, in PostHog's row") for row in rows],
        rows=len(rows),
    )


def _parcel(delivery: DeliveryStory, position: int) -> Parcel | None:
    end = 0
    for parcel in delivery.parcels:
        end += parcel.count
        if position < end:
            return parcel
    return None


def _summary(delivery: DeliveryStory, trouble: Trouble | None) -> str:
    said = trouble.detail if trouble else ""
    if delivery.state == "delivered":
        return f"Delivered to PostHog {_minute(delivery.finished_at)}, after {delivery.tries} {_tries(delivery.tries)}."
    if delivery.state == "pending":
        return f"It waits for PostHog: {said}"
    if delivery.state == "held":
        return f"It is held until somebody decides: {said}"
    return f"It is dead, and was not sent: {said}"


def _timeline(delivery: DeliveryStory, parcel: Parcel | None, trouble: Trouble | None) -> list[Moment]:
    received = parcel.received_at if parcel else delivery.accepted_at
    came = f"received from {parcel.sdk or 'an SDK without a name'} on {parcel.path}" if parcel else "received"
    moments = [Moment(at=received, what=came)]
    moments += [Moment(at=received, what=f"changed: {change}") for change in (parcel.changes if parcel else ())]
    moments += [Moment(at=each.at, what=_tried(each)) for each in delivery.attempts]
    if delivery.state == "delivered" and delivery.finished_at is not None:
        moments.append(Moment(at=delivery.finished_at, what="delivered: PostHog took it"))
    elif delivery.state == "dead" and trouble is not None:
        moments.append(Moment(at=delivery.finished_at or received, what=f"dead: {trouble.detail}"))
    elif delivery.state == "held" and trouble is not None:
        moments.append(Moment(at=received, what=f"held: {trouble.detail}"))
    elif delivery.due_at is not None:
        moments.append(Moment(at=delivery.due_at, what="due for its next try"))
    return moments


def _tried(attempt: Attempt) -> str:
    status = f" ({attempt.status})" if attempt.status else ""
    return f"tried: {attempt.code}{status}{': ' + attempt.detail if attempt.detail else ''}"


def _tries(number: int) -> str:
    return "try" if number == 1 else "tries"


def _minute(at: datetime | None) -> str:
    return f"at {at:%Y-%m-%d %H:%M:%S} UTC" if at else "later"
