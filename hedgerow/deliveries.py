"""The outbox at rest: batches that PostHog has not taken, cannot take, or took later than at once.

An event that PostHog took at once leaves no record here; only counts (`hedgerow.tallies`).
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import orjson
from pydantic import Field

from hedgerow.models import Trouble
from hedgerow.parts import Part
from hedgerow.records import Index, Instant, Record

Lane = Literal["events", "ai", "recordings", "merges"]
"""Which of PostHog's paths takes it. `merges` are events like any other that the merge guard looks at first."""

DeliveryState = Literal["pending", "held", "dead", "delivered"]

SHARDS = 8
KEPT_DEAD = timedelta(days=30)
KEPT_DELIVERED = timedelta(days=7)
MOST_EVENTS = 1_000
MOST_PAYLOAD_BYTES = 700_000
"""Of one document. What is larger goes on in `DeliveryChunk`s."""
MOST_ATTEMPTS_KEPT = 20


class Parcel(Part):
    """The part of a delivery that came in one request, in the order of its events."""

    received_at: Instant
    count: int
    sdk: str = Field(default="", description="Such as posthog-node/5.70.0, as the request named itself.")
    path: str = Field(default="", description="The ingestion path it came by.")
    changes: tuple[str, ...] = Field(
        default=(), description="What was changed at acceptance, in words, without values; same for the whole parcel."
    )


class Attempt(Part):
    """One try to hand the delivery to PostHog."""

    at: Instant
    status: int | None = Field(default=None, description="PostHog's HTTP status; None when none came.")
    code: str
    detail: str = Field(description="In words, cleaned and cut; never a body in full.")


class TallyRow(Part):
    """How many events of a name: `shift` is their own hour minus the hour of acceptance, in hours."""

    name: str
    shift: int = 0
    count: int = 1


class Delivery(Record):
    """A batch for one connection's PostHog, accepted within one hour.

    `payload` is gzip of PostHog's own v0 batch, `{"api_key", "batch": [...]}`, ready to be sent:
    every event carries uuid, distinct_id and an absolute timestamp, and there is no `sent_at`.
    A delivered one keeps its story for seven days, without the payload.
    """

    collection = "deliveries"
    indexes = (
        Index("connection_id", "state", "accepted_at"),
        Index("connection_id", "-accepted_at"),
        Index("connection_id", "hour"),
        Index("connection_id", "due_at"),
        Index("expires_at"),
    )
    # A chunk has none: it must never go before its delivery, and goes with `retention_tick`, alone if need be.
    expires_by = "expires_at"

    tenant_id: str
    connection_id: str
    lane: Lane = "events"
    historical: bool = False
    state: DeliveryState
    accepted_at: Instant = Field(description="When its oldest event was accepted.")
    hour: Instant = Field(description="The hour of acceptance, by which it is counted.")
    due_at: Instant | None = Field(default=None, description="Pending: when it may be tried. Else None.")
    expires_at: Instant | None = Field(default=None, description="When `retention_tick` removes it; None: never.")
    shard: int = Field(description="0 to 7, at random: Firestore dislikes one hot range of an index.")
    count: int
    size: int = Field(description="Bytes of the payload before gzip.")
    payload: bytes = b""
    chunks: int = Field(default=0, description="How many `DeliveryChunk`s follow the payload.")
    uuids: bytes = Field(default=b"", description="16 bytes an event, in the payload's order.")
    tally: tuple[TallyRow, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    tries: int = 0
    attempts: tuple[Attempt, ...] = Field(default=(), description="The last 20.")
    trouble: Trouble | None = Field(default=None, description="Why it waits, is held or dead.")
    split_from: str | None = Field(default=None, description="The delivery it was cut out of.")
    finished_at: Instant | None = Field(default=None, description="When it was delivered, or died.")


class DeliveryStory(Record):
    """A delivery without its payload, for readers of many."""

    collection = "deliveries"
    indexes = Delivery.indexes
    partial = True

    tenant_id: str
    connection_id: str
    lane: Lane = "events"
    historical: bool = False
    state: DeliveryState
    accepted_at: Instant
    hour: Instant
    due_at: Instant | None = None
    expires_at: Instant | None = None
    count: int
    size: int
    uuids: bytes = b""
    tally: tuple[TallyRow, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    trouble: Trouble | None = None
    split_from: str | None = None
    finished_at: Instant | None = None


class WaitingDelivery(Record):
    """A delivery as far as sending it needs, for whoever sends many."""

    collection = "deliveries"
    indexes = (Index("connection_id", "due_at"),)
    partial = True

    tenant_id: str
    connection_id: str
    lane: Lane = "events"
    historical: bool = False
    state: DeliveryState
    hour: Instant
    due_at: Instant | None = None
    count: int
    size: int
    payload: bytes = b""
    chunks: int = 0
    tally: tuple[TallyRow, ...] = ()
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()


class DeliveryChunk(Record):
    """The rest of a payload that one document cannot hold. Id: `chunk_id(delivery, n)`, n from 1."""

    collection = "delivery_chunks"
    indexes = (Index("connection_id"), Index("expires_at"))

    connection_id: str
    delivery_id: str
    payload: bytes
    expires_at: Instant | None = None


def chunk_id(delivery_id: str, number: int) -> str:
    """The id of a delivery's n-th further chunk."""
    return f"{delivery_id}:{number}"


def hour_of(at: datetime) -> datetime:
    """The hour an instant lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def packed_uuids(uuids: Sequence[str]) -> bytes:
    """Uuids, in lower case with hyphens, as a delivery keeps them."""
    return bytes.fromhex("".join(uuids).replace("-", ""))


def position_of(uuids: bytes, wanted: UUID) -> int | None:
    """Which event of a delivery has this uuid, from 0; None when none has."""
    at = uuids.find(wanted.bytes)
    while at != -1 and at % 16:
        at = uuids.find(wanted.bytes, at + 1)
    return None if at == -1 else at // 16


def packed_batch(token: str, events: bytes, *, historical: bool) -> bytes:
    """PostHog's v0 batch around events that are JSON already, joined by commas; not yet compressed."""
    flag = b',"historical_migration":true' if historical else b""
    return b'{"api_key":' + orjson.dumps(token) + flag + b',"batch":[' + events + b"]}"


def compressed(batch: bytes) -> bytes:
    """As a payload keeps it: gzip, fast, the same bytes for the same batch."""
    return gzip.compress(batch, 1, mtime=0)
