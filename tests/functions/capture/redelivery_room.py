"""A room for redelivery: an upstream that reads batches as PostHog does, deliveries in front of it, and the books."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from aiohttp import web

from functions.capture.redelivery import redelivering
from hedgerow.deliveries import (
    MOST_PAYLOAD_BYTES,
    Delivery,
    DeliveryChunk,
    DeliveryState,
    Lane,
    Parcel,
    TallyRow,
    chunk_id,
    hour_of,
    packed_uuids,
)
from hedgerow.models import Connection, Tenant
from hedgerow.payloads import packed_payload
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.tallies import CaptureCount, CountRow
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.ports import Store

Event = dict[str, Any]
Answer = Callable[["Batch"], web.Response]
OK = web.Response


@dataclass(frozen=True)
class Batch:
    """One request as PostHog would read it."""

    path: str
    token: str | None
    events: list[Event]
    historical: bool = False


@dataclass
class Upstream:
    """Answers what `answer` says, 200 by default; `rows` counts what it took, by uuid."""

    answer: Answer = lambda batch: web.json_response({"status": 1})
    seen: list[Batch] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    origin: str = ""

    async def meet(self, request: web.Request) -> web.Response:
        # The body is gzip as the header says; aiohttp's server has unpacked it.
        body = json.loads(await request.read())
        batch = (
            Batch(request.path, body[0].get("api_key"), body)
            if isinstance(body, list)
            else Batch(request.path, body["api_key"], body["batch"], body.get("historical_migration", False))
        )
        assert request.headers["Content-Encoding"] == "gzip"
        self.seen.append(batch)
        answer = self.answer(batch)
        if answer.status == 200:
            self.rows.update(str(event["uuid"]) for event in batch.events)
        return answer


@asynccontextmanager
async def upstream(answer: Answer | None = None) -> AsyncIterator[Upstream]:
    """An upstream on a port of its own."""
    found = Upstream() if answer is None else Upstream(answer)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/{path:.*}", found.meet)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


@dataclass
class Room:
    """An installation with one tenant."""

    stage: Stage
    tenant: Tenant
    number: int = 0

    async def connection(self, origin: str) -> Connection:
        """A connection whose events go to this origin."""
        self.number += 1
        made = await self.stage.connection(self.tenant, token=f"phc_{self.number}")
        there = made.model_copy(update={"id": new_id("con"), "version": 0, "ingestion_host": origin})
        return await self.stage.add(there)

    async def kept(
        self,
        connection: Connection,
        events: Sequence[Event],
        *,
        lane: Lane = "events",
        historical: bool = False,
        state: DeliveryState = "pending",
    ) -> Delivery:
        """Events accepted now and kept, with their counts, as capture keeps them."""
        now = self.stage.clock()
        payload = packed_payload(connection.project_token or "", orjson.dumps(events)[1:-1], historical=historical)
        pieces = [payload[at : at + MOST_PAYLOAD_BYTES] for at in range(0, len(payload), MOST_PAYLOAD_BYTES)]
        names = Counter(str(event["event"]) for event in events)
        delivery = Delivery(
            id=new_id("dlv"),
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            lane=lane,
            historical=historical,
            state=state,
            accepted_at=now,
            hour=hour_of(now),
            due_at=now,
            shard=0,
            count=len(events),
            size=len(gzip.decompress(payload)),
            payload=pieces[0],
            chunks=len(pieces) - 1,
            uuids=packed_uuids([str(event["uuid"]) for event in events]),
            tally=tuple(TallyRow(name=name, count=number) for name, number in names.items()),
            parcels=(Parcel(received_at=now, count=len(events)),),
        )
        chunks = [
            DeliveryChunk(
                id=chunk_id(delivery.id, number),
                connection_id=connection.id,
                delivery_id=delivery.id,
                payload=piece,
            )
            for number, piece in enumerate(pieces[1:], start=1)
        ]
        count = CaptureCount(
            id=new_id("cnt"),
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            hour=hour_of(now),
            rows=tuple(CountRow(name=name, accepted=number, pending=number) for name, number in names.items()),
        )
        await self.stage.store.commit(Add(delivery), Add(count), *(Add(chunk) for chunk in chunks))
        return delivery

    async def tick(self, app: App | None = None) -> dict[str, object]:
        """A minute passes, and the tick."""
        self.stage.clock.forward(timedelta(minutes=1))
        return await redelivering.redeliver(app or self.stage.app)

    async def deliveries(self) -> list[Delivery]:
        """All of them."""
        found: list[Delivery] = []
        cursor: str | None = None
        while True:
            page = await self.stage.store.find(Delivery, limit=200, cursor=cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def books(self) -> dict[str, int]:
        """Events by state, as counted; states without any are left out."""
        sums: Counter[str] = Counter()
        for record in (await self.stage.store.find(CaptureCount, limit=1_000)).items:
            for row in record.rows:
                sums.update(row.model_dump(exclude={"name", "shift"}))
        return {state: number for state, number in sums.items() if number}


def events(number: int, name: str = "paid", **properties: object) -> list[Event]:
    """New events."""
    return [
        {
            "uuid": str(uuid4()),
            "event": name,
            "distinct_id": f"u{at}",
            "timestamp": "2026-11-20T15:30:00+00:00",
            "properties": properties,
        }
        for at in range(number)
    ]


def uuids(some: Sequence[Event]) -> Counter[str]:
    """Each of these events once."""
    return Counter(str(event["uuid"]) for event in some)


@asynccontextmanager
async def room(*upstreams: Upstream, store: Store | None = None) -> AsyncIterator[Room]:
    """A room whose way out leads to these upstreams."""
    allowed = [found.origin.removeprefix("http://") for found in upstreams]
    async with staged(allowed, store) as stage:
        yield Room(stage, await stage.tenant())


def unzipped(payload: bytes) -> Any:
    """A payload as JSON."""
    return json.loads(gzip.decompress(payload))
