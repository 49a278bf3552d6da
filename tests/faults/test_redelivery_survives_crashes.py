"""A tick of redelivery dies before or after every port call: nothing is lost, and the counts never drift."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from functions.capture.redelivery.drain_lease import DrainLease
from hedgerow.deliveries import Delivery, DeliveryChunk
from hedgerow.models import Connection
from hedgerow.ports import Delete, Patch
from hedgerow.tallies import CaptureCount
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.capture.redelivery_room import Batch, Room, events, room, upstream, uuids

if TYPE_CHECKING:
    from collections import Counter

    from hedgerow.ports import Store

POISON = "poison"


def refuses_poison(batch: Batch) -> web.Response:
    is_poisoned = any(event["event"] == POISON for event in batch.events)
    return web.Response(status=400, text="no") if is_poisoned else web.json_response({"status": 1})


async def furnished(here: Room, origin: str) -> Counter[str]:
    """Two connections, plain deliveries that go together, one in chunks and one with a poison in it; the events that can arrive."""
    first, second = await here.connection(origin), await here.connection(origin)
    some = [events(2), events(1), events(3), events(1), events(2)]
    some[1][0]["properties"] = {"filling": secrets.token_hex(900_000)}
    poisoned = [*events(2), *events(1, POISON)]
    to = (first, first, second, first, first)
    kept = [await here.kept(connection, batch) for batch, connection in zip(some, to, strict=True)]
    assert [each.chunks for each in kept] == [0, 1, 0, 0, 0]
    await here.kept(second, poisoned)
    return uuids([event for batch in [*some, poisoned[:2]] for event in batch])


async def settled(here: Room) -> dict[str, object]:
    """What is left when ticks have had their time, and the books after every one of them."""
    for _ in range(6):
        await here.tick()
        books = await here.books()
        in_states = sum(number for state, number in books.items() if state != "accepted")
        assert books["accepted"] == in_states, books
    deliveries = await here.deliveries()
    return {
        "books": await here.books(),
        "states": sorted((each.state, each.count) for each in deliveries),
        "chunks": await here.stage.store.count(DeliveryChunk),
    }


async def one(store: Store, fuse: Fuse) -> tuple[dict[str, object], bool]:
    """Die at the fuse, recover, and look; whether all that could arrive did."""
    async with upstream(refuses_poison) as posthog, room(posthog, store=store) as here:
        wanted = await furnished(here, posthog.origin)
        try:
            await here.tick(armed(here.stage.app, fuse))
        except Crash:
            books = await here.books()
            assert books["accepted"] == sum(number for state, number in books.items() if state != "accepted"), books
        left = await settled(here)
        return left, set(wanted) == set(posthog.rows)


async def emptied(store: Store) -> None:
    """Another death begins with nothing there."""

    for kind in (Delivery, DeliveryChunk, CaptureCount, Connection, DrainLease):
        found = await store.find(kind, limit=1_000)
        await store.commit(*(Delete(kind, record.id) for record in found.items))


async def test_a_tick_that_dies_anywhere_loses_nothing_and_counts_right(store: Store) -> None:
    whole = Fuse()
    expected, arrived = await one(store, whole)
    assert arrived
    assert expected["books"] == {"accepted": 12, "delivered": 11, "dead": 1}
    assert expected["chunks"] == 0
    assert sum("Patch(deliveries)" in call for call in whole.calls) >= 2
    # Between two port calls nothing is written, so after one is before the next; only the last has an after.
    fuses = [fuse for fuse in every_fuse(len(whole.calls)) if not fuse.after or fuse.at == len(whole.calls)]
    for fuse in fuses:
        await emptied(store)
        left, arrived = await one(store, fuse)
        where = (fuse.at, fuse.after, fuse.calls[-1] if fuse.calls else "")
        assert arrived, where
        assert left["books"] == expected["books"], where
        assert left["chunks"] == 0, where
        assert all(state in {"delivered", "dead"} for state, _ in left["states"]), where  # type: ignore[attr-defined]


@pytest.mark.parametrize("shared", ["before", "after"])
async def test_a_second_tick_in_the_middle_of_the_first_counts_nothing_twice(shared: str, store: Store) -> None:
    """The lease ran out while the first still sent: both send, one writes."""

    gate = asyncio.Event()

    async with upstream() as posthog, room(posthog, store=store) as here:
        connection = await here.connection(posthog.origin)
        some = [events(1) for _ in range(20)]
        for batch in some:
            await here.kept(connection, batch)
        slow = SlowStore(here.stage.store, gate, before=shared == "before")

        first = asyncio.create_task(here.tick(replace(here.stage.app, store=slow)))  # type: ignore[arg-type]
        await slow.is_waiting.wait()
        here.stage.clock.forward(timedelta(minutes=1))
        await here.tick()
        gate.set()
        await first
        assert await here.books() == {"accepted": 20, "delivered": 20}
        assert set(posthog.rows) == set(uuids([event for batch in some for event in batch]))


class SlowStore:
    """Holds up the first commit of an outcome until the gate opens."""

    def __init__(self, store: Store, gate: asyncio.Event, *, before: bool) -> None:

        self._store, self._gate, self._before = store, gate, before
        self.is_waiting = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def commit(self, *changes: object) -> object:

        is_outcome = any(isinstance(each, Patch) and each.kind is Delivery for each in changes)
        if not is_outcome or self.is_waiting.is_set():
            return await self._store.commit(*changes)  # type: ignore[arg-type]
        written = None if self._before else await self._store.commit(*changes)  # type: ignore[arg-type]
        self.is_waiting.set()
        await self._gate.wait()
        return written if written is not None else await self._store.commit(*changes)  # type: ignore[arg-type]
