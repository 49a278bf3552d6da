"""What goes into the outbox together: lots of events from single requests, grouped into deliveries.

Pure: it builds records and knows no store.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import orjson

from hedgerow.deliveries import (
    KEPT_DEAD,
    MOST_EVENTS,
    MOST_PAYLOAD_BYTES,
    SHARDS,
    Attempt,
    Delivery,
    DeliveryChunk,
    Parcel,
    TallyRow,
    chunk_id,
    compressed,
    hour_of,
    packed_batch,
    packed_uuids,
)
from hedgerow.models import Trouble
from hedgerow.payloads import packed_payload
from hedgerow.records import new_id
from hedgerow.tallies import MOST_ROWS, OTHER_NAMES

if TYPE_CHECKING:
    from functions.capture.events import Frozen, Poison
    from functions.capture.projects import Project
    from hedgerow.deliveries import Lane

MOST_BATCH_BYTES = 4 * 1024 * 1024
"""Of one delivery before gzip, unless a single event is larger: PostHog takes 20 MB."""
MOST_COMMIT_BYTES = 8 * 1024 * 1024
MOST_COMMIT_RECORDS = 200
UNREADABLE_BYTES = 64_000
MOST_GRAVE_BYTES = 2 * 1024 * 1024
"""Of an event PostHog would refuse; of a larger one, which nobody could send anyway, only the beginning is kept."""
UNREADABLE_NAME = "(unreadable)"
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)

AsideState = Literal["pending", "held", "dead"]
Records = list[Delivery | DeliveryChunk]


@dataclass(slots=True)
class Source:
    """Where the events of one request came from."""

    received_at: datetime
    sdk: str
    path: str


@dataclass(slots=True)
class Lot:
    """Events of one request that go into one delivery, with whatever else fits beside them."""

    project: Project
    lane: Lane
    historical: bool
    state: AsideState
    trouble: Trouble | None
    source: Source
    events: bytes
    uuids: bytes
    count: int
    tally: Counter[tuple[str, int]]
    changes: tuple[str, ...] = ()
    attempt: Attempt | None = None
    raw: bool = False
    frozen: Sequence[Frozen] = ()
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_written(self) -> bool:
        """Whether the store has it."""
        return self.done.done() and not self.done.cancelled() and self.done.exception() is None

    @property
    def together(self) -> object:
        """Lots with the same value may share a delivery. A recording may not: PostHog takes one session at a time."""
        if self.raw or self.lane == "recordings":
            return id(self)
        code = self.trouble.code + self.trouble.detail if self.trouble else ""
        hour = hour_of(self.source.received_at)
        return (self.project.connection.id, self.lane, self.historical, self.state, code, hour)


def tally_of(events: Sequence[Frozen], accepted_at: datetime) -> Counter[tuple[str, int]]:
    """How many events of each name and shift (their own hour minus the hour of acceptance)."""
    begin = hour_of(accepted_at)
    end = begin + _HOUR
    tally: Counter[tuple[str, int]] = Counter()
    for event in events:
        # Nearly every event is of this hour; the division is for the others.
        key = (event.name, 0 if begin <= event.at < end else (event.at - begin) // _HOUR)
        tally[key] += 1
    return tally


def _parts(events: Sequence[Frozen]) -> list[tuple[bytes, Sequence[Frozen]]]:
    """Events as JSON joined by commas, in as many parts as the bounds on a delivery ask for."""
    if len(events) <= MOST_EVENTS:
        whole = orjson.dumps([event.body for event in events])[1:-1]
        if len(whole) <= MOST_BATCH_BYTES or len(events) == 1:
            return [(whole, events)] if events else []
    middle = min(MOST_EVENTS, (len(events) + 1) // 2)
    return [*_parts(events[:middle]), *_parts(events[middle:])]


def lots_of(
    project: Project,
    events: Sequence[Frozen],
    source: Source,
    *,
    lane: Lane = "events",
    historical: bool = False,
    state: AsideState = "pending",
    trouble: Trouble | None = None,
    attempt: Attempt | None = None,
) -> list[Lot]:
    """Events of one request as lots, within the bounds of a delivery."""
    return [
        Lot(
            project=project,
            lane=lane,
            historical=historical,
            state=state,
            trouble=trouble,
            source=source,
            events=encoded,
            uuids=packed_uuids([event.uuid for event in some]),
            count=len(some),
            tally=tally_of(some, source.received_at),
            changes=tuple(sorted({change for event in some for change in event.changes}))[:20],
            attempt=attempt,
            frozen=some,
        )
        for encoded, some in _parts(events)
    ]


def grave(project: Project, poison: Poison, source: Source) -> Lot:
    """What can never be an event, kept dead with its reason."""
    try:
        orjson.loads(poison.body)
        raw = len(poison.body) > MOST_GRAVE_BYTES
        body = poison.body[:UNREADABLE_BYTES] if raw else poison.body
    except orjson.JSONDecodeError:
        body, raw = poison.body[:UNREADABLE_BYTES], True
    return Lot(
        project=project,
        lane="events",
        historical=False,
        state="dead",
        trouble=Trouble(
            code=poison.code,
            detail=poison.detail,
            hint="Mend what sends it; an event in this form can never be delivered."
            if raw
            else "Mend what sends it; PostHog would refuse this event in any batch.",
        ),
        source=source,
        events=body,
        uuids=packed_uuids([poison.uuid]),
        count=1,
        tally=Counter({(poison.name or UNREADABLE_NAME, 0): 1}),
        raw=raw,
    )


def grouped(lots: list[Lot]) -> list[list[Lot]]:
    """Lots that share a delivery, within the bounds of one."""
    groups: list[list[Lot]] = []
    open_ones: dict[object, tuple[list[Lot], int, int]] = {}
    for lot in lots:
        group, count, size = open_ones.get(lot.together, ([], 0, 0))
        if not group or count + lot.count > MOST_EVENTS or size + len(lot.events) > MOST_BATCH_BYTES:
            group, count, size = [], 0, 0
            groups.append(group)
        group.append(lot)
        open_ones[lot.together] = (group, count + lot.count, size + len(lot.events))
    return groups


def records_of(group: list[Lot]) -> Records:
    """The delivery of a group, and the chunks its payload needs beyond the first."""
    first = group[0]
    connection, now = first.project.connection, min(lot.source.received_at for lot in group)
    events = b",".join(lot.events for lot in group)
    token, historical = first.project.token, first.historical
    batch = events if first.raw else packed_batch(token, events, historical=historical)
    # What is not JSON must not be joined with what is: it goes without seams.
    payload = compressed(batch) if first.raw else packed_payload(token, events, historical=historical)
    pieces = [payload[at : at + MOST_PAYLOAD_BYTES] for at in range(0, len(payload), MOST_PAYLOAD_BYTES)]
    tally: Counter[tuple[str, int]] = Counter()
    for lot in group:
        tally.update(lot.tally)
    id = new_id("dlv")
    expires = None if first.state == "pending" else now + KEPT_DEAD
    delivery = Delivery(
        id=id,
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        lane=first.lane,
        historical=first.historical,
        state=first.state,
        accepted_at=now,
        hour=hour_of(now),
        due_at=now if first.state == "pending" else None,
        expires_at=expires,
        shard=secrets.randbelow(SHARDS),
        count=sum(lot.count for lot in group),
        size=len(batch),
        payload=pieces[0],
        chunks=len(pieces) - 1,
        uuids=b"".join(lot.uuids for lot in group),
        tally=_rows(tally),
        parcels=_parcels(group),
        trouble=first.trouble,
        tries=1 if first.attempt else 0,
        attempts=(first.attempt,) if first.attempt else (),
        finished_at=now if first.state == "dead" else None,
    )
    chunks = [
        DeliveryChunk(
            id=chunk_id(id, number), connection_id=connection.id, delivery_id=id, payload=piece, expires_at=expires
        )
        for number, piece in enumerate(pieces[1:], start=1)
    ]
    return [*chunks, delivery]


def _rows(tally: Counter[tuple[str, int]]) -> tuple[TallyRow, ...]:
    """The tally as it is kept; names beyond the bound are counted together."""
    kept, rest = tally.most_common(MOST_ROWS), sum(tally.values())
    rows = [TallyRow(name=name, shift=shift, count=count) for (name, shift), count in kept]
    rest -= sum(row.count for row in rows)
    return tuple([*rows, TallyRow(name=OTHER_NAMES, count=rest)] if rest else rows)


def _parcels(group: list[Lot]) -> tuple[Parcel, ...]:
    """Where the events came from; requests alike within a second are one parcel."""
    parcels: list[tuple[Lot, int]] = []
    for lot in group:
        if parcels:
            first, count = parcels[-1]
            source, other = first.source, lot.source
            if (source.sdk, source.path, first.changes) == (
                other.sdk,
                other.path,
                lot.changes,
            ) and other.received_at - source.received_at < _SECOND:
                parcels[-1] = (first, count + lot.count)
                continue
        parcels.append((lot, lot.count))
    return tuple(
        Parcel(
            received_at=lot.source.received_at,
            count=count,
            sdk=lot.source.sdk,
            path=lot.source.path,
            changes=lot.changes,
        )
        for lot, count in parcels
    )


def commits_of(
    written: list[tuple[list[Lot], Records]],
) -> list[list[tuple[list[Lot], Records]]]:
    """Groups that fit into one commit of the store, in turn."""
    batches: list[list[tuple[list[Lot], Records]]] = []
    size = number = 0
    for entry in written:
        weight = sum(len(record.payload) * 4 // 3 + 2_000 for record in entry[1])
        if not batches or size + weight > MOST_COMMIT_BYTES or number + len(entry[1]) > MOST_COMMIT_RECORDS:
            batches.append([])
            size = number = 0
        batches[-1].append(entry)
        size += weight
        number += len(entry[1])
    return batches
