"""A room for the outbox's tests: deliveries as capture writes them, counts as its instances do, a local PostHog."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson

from functions.capture.outbox import outbox_routes
from hedgerow import keys, problems, wiring
from hedgerow.deliveries import (
    Attempt,
    Delivery,
    DeliveryState,
    Lane,
    Parcel,
    TallyRow,
    compressed,
    hour_of,
    packed_batch,
    packed_uuids,
)
from hedgerow.models import Connection, Role, Trouble
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.tallies import CaptureCount, CountRow, count_id
from tests.sync_stage import NOW, SyncStage, sync_stage

Rows = Sequence[CountRow]


@dataclass
class Room:
    """One installation with one connection, seen through the outbox's routes."""

    stage: SyncStage

    async def connection(self) -> Connection:
        return await self.stage.connection()

    @asynccontextmanager
    async def calling(
        self, role: Role | None = "write", tenant_id: str | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the outbox's routes with a tenant's key; without a role, the operator's."""
        key = self.stage.app.settings.admin_key
        text = key.get_secret_value() if key else ""
        if role is not None:
            record, secret = keys.make(tenant_id or self.stage.tenant.id, "test", role, self.stage.app.now())
            await self.stage.store.commit(Add(record))
            text = secret.get_secret_value()
        family = problems.Guard(problems.application("outbox", outbox_routes.router))
        transport = httpx.ASGITransport(app=family)
        headers = {"Authorization": f"Bearer {text}"}
        with wiring.override(self.stage.app):
            async with httpx.AsyncClient(transport=transport, base_url="http://h.test", headers=headers) as client:
                yield client

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, role: Role | None = "read"
    ) -> httpx.Response:
        async with self.calling(role) as client:
            return await client.get(path.replace("CON", self.stage.connection_id), params=query)

    async def post(self, path: str, body: Mapping[str, object], role: Role = "write") -> httpx.Response:
        async with self.calling(role) as client:
            return await client.post(path.replace("CON", self.stage.connection_id), json=dict(body))

    async def kept(
        self,
        events: Sequence[Mapping[str, Any]],
        state: DeliveryState = "pending",
        *,
        accepted_at: datetime | None = None,
        trouble: Trouble | None = None,
        lane: Lane = "events",
        raw: bytes | None = None,
        is_counted: bool = True,
        connection: Connection | None = None,
        attempts: tuple[Attempt, ...] = (),
    ) -> Delivery:
        """A delivery in the store, and its counts."""
        con = connection or await self.connection()
        at = accepted_at or self.stage.app.now()
        tally = Counter((str(event["event"]), shift_of(event, at)) for event in events)
        payload = (
            raw if raw is not None else packed_batch("phc_test", b",".join(map(orjson.dumps, events)), historical=False)
        )
        delivery = Delivery(
            id=new_id("dlv"),
            tenant_id=con.tenant_id,
            connection_id=con.id,
            lane=lane,
            state=state,
            accepted_at=at,
            hour=hour_of(at),
            due_at=at if state == "pending" else None,
            finished_at=at if state in {"dead", "delivered"} else None,
            expires_at=None if state == "pending" else at + timedelta(days=30),
            shard=0,
            count=len(events),
            size=len(payload),
            payload=b"" if state == "delivered" else compressed(payload),
            uuids=packed_uuids([str(event["uuid"]) for event in events]),
            tally=tuple(TallyRow(name=name, shift=shift, count=count) for (name, shift), count in tally.items()),
            parcels=(Parcel(received_at=at, count=len(events), sdk="posthog-node/5.70.0", path="/batch/"),),
            tries=len(attempts),
            attempts=attempts,
            trouble=trouble,
        )
        await self.stage.store.commit(Add(delivery))
        if is_counted:
            rows = [
                CountRow.model_validate({"name": name, "shift": shift, "accepted": count, state: count})
                for (name, shift), count in tally.items()
            ]
            await self.counted(rows, at, connection=con)
        return delivery

    async def counted(
        self,
        rows: Rows,
        at: datetime | None = None,
        *,
        connection: Connection | None = None,
        instance: str | None = None,
    ) -> CaptureCount:
        """What one more instance counted."""
        con = connection or await self.connection()
        hour = hour_of(at or self.stage.app.now())
        record = CaptureCount(
            id=count_id(con.id, hour, instance or uuid4().hex),
            tenant_id=con.tenant_id,
            connection_id=con.id,
            hour=hour,
            rows=tuple(rows),
        )
        await self.stage.store.commit(Add(record))
        return record

    async def delivered(self, events: Sequence[Mapping[str, Any]], at: datetime | None = None) -> None:
        """Events PostHog took at once: they are in it, and counted; nothing else is left of them here."""
        when = at or self.stage.app.now()
        self.stage.posthog.load(dict(event) for event in events)
        tally = Counter((str(event["event"]), shift_of(event, when)) for event in events)
        await self.counted([CountRow(name=n, shift=s, accepted=c, delivered=c) for (n, s), c in tally.items()], when)


def event(name: str = "cart", at: datetime = NOW, uuid: UUID | None = None, **properties: object) -> dict[str, Any]:
    """An event as capture freezes it."""
    return {
        "uuid": str(uuid or uuid4()),
        "event": name,
        "distinct_id": "u1",
        "timestamp": at.isoformat(),
        "properties": properties,
    }


def shift_of(given: Mapping[str, Any], accepted_at: datetime) -> int:
    own = datetime.fromisoformat(str(given["timestamp"]))
    return int(own.timestamp()) // 3600 - int(accepted_at.timestamp()) // 3600


@asynccontextmanager
async def room(**settings: Any) -> AsyncIterator[Room]:
    """A room on a stage of its own."""
    async with sync_stage(settings={"admin_key": "the-operators-key", **settings}) as stage:
        yield Room(stage)
