"""Empties the backlog of one ingestion origin: one delivery as a probe, and when that passes, many at once, joined.

Reading the next pages, sending and writing down what became of it go on side by side; what is
held in memory is bounded in bytes. A failing probe leaves everything else as it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.capture.redelivery import backlog
from functions.capture.redelivery.loads import loads_of
from functions.capture.redelivery.resending import attempt, attempt_together

if TYPE_CHECKING:
    from functions.capture.redelivery.backlog import Queue, Upstream
    from functions.capture.redelivery.drain_lease import Lease
    from functions.capture.redelivery.loads import Load
    from functions.capture.redelivery.settling import Settled, Settling
    from hedgerow.app import App
    from hedgerow.deliveries import WaitingDelivery
    from hedgerow.posthog.ingestion import Outcome

BUDGET_SECONDS = 45.0
"""A tick begins no new request after that, so that it has ended when the next one fires."""
FIRST_WIDTH = 4
MOST_WIDTH = 16
"""Requests in flight to one origin."""
READERS = 2
MOST_READ = 64
"""Loads that wait for a request."""
MOST_HELD_BYTES = 8 * 1024 * 1024
"""Of payloads read and not yet sent, all origins together; one read may go beyond it."""
FAILURES_CLOSE = 5
"""Failures in a row that shut the origin for the rest of the tick."""
PROBES_CLOSE = 3
"""Connections whose first delivery fails before the origin counts as down: one alone may fail for reasons of its own."""
MOST_PROBES = 64
MOST_LARGE = 2
"""Deliveries of several documents that are put together at a time, all origins together."""


@dataclass
class Tick:
    """What the drains of one tick share."""

    app: App
    lease: Lease
    settling: Settling
    until: float = field(default_factory=lambda: time.monotonic() + BUDGET_SECONDS)
    closed: set[str] = field(default_factory=set)
    lame: set[str] = field(default_factory=set)
    """Connections of which something failed: they have no more turns in this tick."""
    done: Counter[str] = field(default_factory=Counter)
    probes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_PROBES))
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_LARGE))
    held: int = 0
    room: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def put(self, outcomes: list[Settled]) -> None:
        """Count them for the tick's answer and have them written."""
        for each in outcomes:
            self.done[each.word] += each.number
        await self.settling.put(outcomes)

    def is_over(self) -> bool:
        """No time left, or somebody else's turn."""
        return self.lease.is_lost or time.monotonic() >= self.until


class Drain:
    """One origin in one round of a tick."""

    def __init__(self, tick: Tick, upstream: Upstream) -> None:
        self._tick = tick
        self._upstream = upstream
        self._read: asyncio.Queue[tuple[Queue, Load] | None] = asyncio.Queue(MOST_READ)
        self._workers = 0
        self._failures = 0

    async def run(self) -> None:
        """Until nothing is due here, the origin fails, or the tick is over."""
        async with self._tick.probes:
            if self._tick.is_over() or not await self._probe():
                return
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read_all())
            self._workers = FIRST_WIDTH
            for _ in range(FIRST_WIDTH):
                group.create_task(self._work(group))
            await reading
            await self._read.put(None)

    async def _probe(self) -> bool:
        """Whether the origin takes one delivery. What fails may be one connection's own; when several do, it is down."""
        turns, tick = self._upstream.turns, self._tick
        probed = 0
        while turns and not self._is_closed():
            queue = turns.popleft()
            found = await backlog.page(tick.app, queue, limit=1)
            if not found:
                continue
            await self._send_one(queue, found[0])
            if queue.connection_id not in tick.lame:
                if queue.cursor is not None:
                    turns.appendleft(queue)
                return not self._is_closed()
            probed += 1
            if probed >= PROBES_CLOSE or not turns:
                tick.closed.add(self._upstream.origin)
        return False

    def _is_closed(self) -> bool:
        return self._upstream.origin in self._tick.closed or self._tick.is_over()

    async def _read_all(self) -> None:
        """Every connection in turn, a page at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(self._read_some())

    async def _read_some(self) -> None:
        tick, turns = self._tick, self._upstream.turns
        while turns and not self._is_closed():
            async with tick.room:
                await tick.room.wait_for(lambda: tick.held < MOST_HELD_BYTES)
            if not turns:
                return
            queue = turns.popleft()
            if queue.connection_id in tick.lame:
                continue
            found = await backlog.page(tick.app, queue)
            tick.held += sum(len(delivery.payload) for delivery in found)
            for load in loads_of(found):
                await self._read.put((queue, load))
            if queue.cursor is not None:
                turns.append(queue)

    async def _work(self, group: asyncio.TaskGroup) -> None:
        """Send one after the other; beside it, as long as all goes well, ever more do."""
        while True:
            read = await self._read.get()
            if read is None:
                await self._read.put(None)
                return
            queue, load = read
            await self._send(queue, load)
            await self._let_go(load)
            if self._failures == 0 and self._workers < MOST_WIDTH:
                self._workers += 1
                group.create_task(self._work(group))
            elif self._failures and self._workers > FIRST_WIDTH:
                self._workers -= 1
                return

    async def _let_go(self, load: Load) -> None:
        tick = self._tick
        was_full = tick.held >= MOST_HELD_BYTES
        tick.held -= sum(len(delivery.payload) for delivery in load)
        if was_full and tick.held < MOST_HELD_BYTES:
            async with tick.room:
                tick.room.notify_all()

    async def _send(self, queue: Queue, load: Load) -> None:
        """All in one request, or, where PostHog does not take that, one after the other."""
        if (
            self._is_closed()
            or queue.connection_id in self._tick.lame
            or (len(load) > 1 and await self._is_sent_together(queue, load))
        ):
            return
        for delivery in load:
            if self._is_closed() or queue.connection_id in self._tick.lame:
                return
            await self._send_one(queue, delivery)

    async def _is_sent_together(self, queue: Queue, load: Load) -> bool:
        """Whether PostHog took them together, or was not there to take any."""
        if queue.connection is None:
            return False
        outcome, outcomes = await attempt_together(self._tick.app, queue.connection, load)
        self._note(queue, outcome)
        await self._tick.put(outcomes)
        return bool(outcomes)

    async def _send_one(self, queue: Queue, waiting: WaitingDelivery) -> None:
        tick = self._tick
        async with tick.large if waiting.chunks else nullcontext():
            outcome, settled = await attempt(tick.app, queue.connection, waiting)
        self._note(queue, outcome)
        await tick.put([] if settled is None else [settled])

    def _note(self, queue: Queue, outcome: Outcome | None) -> None:
        """A failure ends the connection's turns in this tick; several in a row shut the origin for all."""
        if outcome is None:
            return
        if outcome.kind != "failed":
            self._failures = 0
            return
        self._failures += 1
        self._tick.lame.add(queue.connection_id)
        if self._failures >= FAILURES_CLOSE:
            self._tick.closed.add(self._upstream.origin)
