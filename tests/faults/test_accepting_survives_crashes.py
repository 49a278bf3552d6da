"""A process that dies at any call of the store while it accepts: what was answered is not lost, a repeat is not doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from functions.capture.hosting import host_of
from functions.capture.main import capture
from functions.capture.outbox import booking
from functions.capture.outbox.spans import span_of
from hedgerow.deliveries import Delivery
from hedgerow.models import Connection, TokenClaim
from hedgerow.ports import Delete
from hedgerow.tallies import CaptureCount
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.capture.accept_room import Room
from tests.functions.capture.counting_upstream import Event, Upstream, strict
from tests.functions.capture.wire_bytes import event
from tests.stage import staged

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.ports import Store


@dataclass
class Sdk:
    """Sends batches and keeps what was not answered with success, as the SDKs do."""

    there: Room
    token: str
    answered: list[Event] = field(default_factory=list)
    left: list[list[Event]] = field(default_factory=list)

    async def send(self, app: App, batch: list[Event]) -> None:
        """One request to one process."""
        self.left.append(batch)
        self.there.stage.app = app
        async with self.there.stage.calling(capture, None) as client:
            answer = await client.post("/batch/", json={"api_key": self.token, "batch": batch})
        if answer.status_code == 200:
            self.left.remove(batch)
            self.answered += batch

    async def lives_through(self, app: App) -> None:
        """A delivered batch, one with a poison, one that is no event, one that must wait; and the counts."""
        await self.send(app, [event("one"), event("two")])
        await host_of(app).counts.flush()
        await self.send(app, [event("three"), event("poison")])
        await self.send(app, [event("blank", distinct_id=" "), event("four")])
        await self.there.upstream.off()
        await self.send(app, [event("late"), event("later")])
        await host_of(app).counts.flush()


@asynccontextmanager
async def _room(store: Store) -> AsyncIterator[Room]:
    """A room without a server: its requests die with the process."""
    upstream = Upstream(strict)
    await upstream.on()
    try:
        async with (
            staged([f"127.0.0.1:{upstream.port}"], store) as stage,
            httpx.AsyncClient() as nobody,
        ):
            yield Room(stage, stage.app, upstream, await stage.tenant(), nobody, 0)
    finally:
        await upstream.off()


async def _emptied(store: Store) -> None:
    for kind in (Delivery, CaptureCount, Connection, TokenClaim):
        found = await store.find(kind, limit=1_000)
        await store.commit(*(Delete(kind, record.id) for record in found.items))


async def _died_at(store: Store, fuse: Fuse) -> None:
    """Die at the fuse, start anew, repeat what was not answered, drain, and look."""
    async with _room(store) as there:
        token = await there.project()
        sdk = Sdk(there, token)
        whole = there.stage.app
        try:
            await sdk.lives_through(armed(whole, fuse))
        except Crash:
            assert fuse.blown
        where = (fuse.at, fuse.after, fuse.calls[-1:])
        # The dead process writes nothing more, whatever its tasks try.
        fuse.blown = True
        there.stage.app = there.app = replace(whole)
        for batch in list(sdk.left):
            sdk.left.remove(batch)
            await sdk.send(there.app, batch)
        assert sdk.left == [], where
        if not there.upstream.is_on:
            await there.upstream.on()
        await there.drained()
        await host_of(there.app).counts.flush()
        there.stage.clock.forward(timedelta(minutes=30))
        now = there.stage.clock()
        span = span_of(None, None, zone="UTC", now=now, longest=timedelta(days=2))
        await booking.keep_books(there.app, there.tokens[token], span)
        good = {each["uuid"] for each in sdk.answered if each["event"] not in {"poison", "blank"}}
        assert good <= there.upstream.uuids, where
        # However many copies, one row each.
        assert len(there.upstream.rows) == len(there.upstream.uuids), where
        dead = await there.dead()
        bad = sum(1 for each in sdk.answered if each["event"] in {"poison", "blank"})
        assert sum(dead.values()) >= bad, where
        books = await there.books(token)
        assert books["accepted"] >= books["delivered"] + books.get("dead", 0), where
        assert "pending" not in books, where


async def test_a_process_that_dies_while_it_accepts_loses_nothing_it_answered_for(store: Store) -> None:
    whole = Fuse()
    await _died_at(store, whole)
    assert any("Add(deliveries)" in call for call in whole.calls)
    assert any("capture_counts" in call for call in whole.calls)
    for fuse in every_fuse(len(whole.calls)):
        await _emptied(store)
        await _died_at(store, fuse)
