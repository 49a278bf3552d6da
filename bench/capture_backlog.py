"""A backlog to drain: deliveries as capture writes them, and the ready bodies that lie in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bench.capture_bodies import EVENT_NAMES, TOKEN, events, uuid_of
from bench.capture_stage import connect
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.deliveries import (
    SHARDS,
    Delivery,
    Parcel,
    TallyRow,
    hour_of,
    packed_batch,
    packed_uuids,
)
from hedgerow.models import Connection
from hedgerow.outbound import GuardedOutbound
from hedgerow.payloads import packed_payload
from hedgerow.ports import Add, Swap
from hedgerow.records import new_id
from hedgerow.settings import Settings

_COMMIT = 200


@dataclass(frozen=True, slots=True)
class Packed:
    """What one delivery holds: its payload, the bytes of that before gzip, its events' uuids and names."""

    payload: bytes
    size: int
    uuids: bytes
    tally: tuple[TallyRow, ...]

    @property
    def count(self) -> int:
        """How many events."""
        return len(self.uuids) // 16


def packed(count: int) -> Iterator[Packed]:
    """Batches of so many events, without an end."""
    for number, joined in enumerate(events(count)):
        batch = packed_batch(TOKEN, joined, historical=False)
        uuids = [uuid_of(event) for event in range(number * count, number * count + count)]
        names = {name: joined.count(f'"event": "{name}"'.encode()) for name in EVENT_NAMES}
        tally = tuple(TallyRow(name=name, count=found) for name, found in names.items() if found)
        yield Packed(packed_payload(TOKEN, joined, historical=False), len(batch), packed_uuids(uuids), tally)


async def fill(data: Path, upstream: str, batches: Iterable[Packed]) -> None:
    """Make a folder with one connection to `upstream` and a pending delivery for each batch."""
    async with opened(data, upstream) as app:
        connection = await connect(app, upstream)
        began = app.now() - timedelta(minutes=1)
        waiting: list[Delivery] = []
        for number, each in enumerate(batches):
            waiting.append(delivery(connection, each, began + timedelta(milliseconds=number), number))
            if len(waiting) == _COMMIT:
                await app.store.commit(*(Add(record) for record in waiting))
                waiting.clear()
        await app.store.commit(*(Add(record) for record in waiting))


@asynccontextmanager
async def copied(template: Path, data: Path, upstream: str) -> AsyncIterator[App]:
    """An App on a copy of a filled folder, its connection sending to `upstream`; the copy is gone afterwards."""
    shutil.copytree(template, data)
    # What of the copy is not on disk yet would be written, and paid for, by the first commit.
    for file in data.iterdir():
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    try:
        async with opened(data, upstream) as app:
            (connection,) = (await app.store.find(Connection)).items
            moved = connection.model_copy(update={"host": upstream, "ingestion_host": upstream})
            await app.store.commit(Swap(moved))
            yield app
    finally:
        shutil.rmtree(data)


@asynccontextmanager
async def opened(data: Path, upstream: str) -> AsyncIterator[App]:
    """An App on a folder, allowed to send to `upstream`."""
    app = wiring.build(Settings(data=data, allowed_private_hosts=(upstream.partition("//")[2],)))
    try:
        yield app
    finally:
        if isinstance(app.outbound, GuardedOutbound):
            await app.outbound.close()
        await app.store.close()
        await app.queue.close()


def delivery(connection: Connection, batch: Packed, at: datetime, number: int) -> Delivery:
    """A batch that waits since `at`, as capture would have written it."""
    return Delivery(
        id=new_id("dlv"),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        state="pending",
        accepted_at=at,
        hour=hour_of(at),
        due_at=at,
        shard=number % SHARDS,
        count=batch.count,
        size=batch.size,
        payload=batch.payload,
        uuids=batch.uuids,
        tally=batch.tally,
        parcels=(Parcel(received_at=at, count=batch.count, sdk="posthog-python/7.91.1", path="/batch/"),),
    )
