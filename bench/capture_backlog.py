"""A backlog to drain: deliveries as capture writes them, and the ready bodies that lie in them."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from bench.capture_bodies import EVENT_NAMES, TOKEN, events, uuid_of
from bench.capture_stage import connect
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.deliveries import Delivery, Parcel, TallyRow, compressed, hour_of, packed_batch
from hedgerow.models import Connection
from hedgerow.outbound import GuardedOutbound
from hedgerow.ports import Add, Swap
from hedgerow.records import new_id
from hedgerow.settings import Settings

BATCH = 100
"""Events of one delivery."""
_COMMIT = 200


async def fill(data: Path, upstream: str, *, batches: int) -> list[bytes]:
    """Make a folder with one connection to `upstream` and so many pending deliveries; their payloads."""
    async with opened(data, upstream) as app:
        connection = await connect(app, upstream)
        payloads: list[bytes] = []
        now = app.now()
        waiting: list[Delivery] = []
        for number, joined in enumerate(islice(events(BATCH), batches)):
            payloads.append(compressed(packed_batch(TOKEN, joined, historical=False)))
            at = now - timedelta(milliseconds=batches - number)
            waiting.append(_delivery(connection, number, at, payloads[-1], len(joined)))
            if len(waiting) == _COMMIT or number == batches - 1:
                await app.store.commit(*(Add(each) for each in waiting))
                waiting.clear()
        return payloads


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


def _delivery(connection: Connection, number: int, at: datetime, payload: bytes, size: int) -> Delivery:
    first = number * BATCH
    names = Counter(EVENT_NAMES[event % len(EVENT_NAMES)] for event in range(BATCH))
    return Delivery(
        id=new_id("dlv"),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        state="pending",
        accepted_at=at,
        hour=hour_of(at),
        due_at=at,
        shard=number % 8,
        count=BATCH,
        size=size,
        payload=payload,
        uuids=b"".join(UUID(uuid_of(event)).bytes for event in range(first, first + BATCH)),
        tally=tuple(TallyRow(name=name, count=count) for name, count in names.items()),
        parcels=(Parcel(received_at=at, count=BATCH, sdk="posthog-python/7.91.1", path="/batch/"),),
    )
