"""Empties the backlog of one ingestion origin: one delivery as a probe, and when that passes, many at once.

Reading the next pages, sending and writing down what became of it go on side by side; what is
held in memory is bounded in bytes. A failing probe leaves everything else as it was.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.capture import backlog
from functions.capture.resending import attempt
from functions.capture.settling import settled
from hedgerow.delivery import Split
from hedgerow.posthog.ingestion import Outcome

if TYPE_CHECKING:
    from functions.capture.backlog import Queue, Upstream
    from functions.capture.drain_lease import Lease
    from functions.capture.settling import Settling
    from hedgerow.app import App
    from hedgerow.deliveries import Delivery

BUDGET_SECONDS = 45.0
"""A tick begins no new request after that, so that it has ended when the next one fires."""
FIRST_WIDTH = 4
MOST_WIDTH = 16
"""Requests in flight to one origin."""
READERS = 2
MOST_READ = 256
MOST_HELD_BYTES = 8 * 1024 * 1024
"""Of payloads read and not yet sent, all origins together; one read may go beyond it."""
FAILURES_CLOSE = 5
"""Failures in a row that shut the origin for the rest of the tick."""
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
    done: Counter[str] = field(default_factory=Counter)
    probes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_PROBES))
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_LARGE))
    held: int = 0
    room: asyncio.Condition = field(default_factory=asyncio.Condition)

    def is_over(self) -> bool:
        """No time left, or somebody else's turn."""
        return self.lease.is_lost or time.monotonic() >= self.until


class Drain:
    """One origin in one round of a tick."""

    def __init__(self, tick: Tick, upstream: Upstream) -> None:
        self._tick = tick
        self._upstream = upstream
        self._read: asyncio.Queue[tuple[Queue, Delivery] | None] = asyncio.Queue(MOST_READ)
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
        turns = self._upstream.turns
        while turns:
            queue = turns.popleft()
            found = await backlog.page(self._tick.app, queue, limit=1)
            if queue.cursor is not None:
                turns.appendleft(queue)
            if found:
                await self._send(queue, found[0])
                return not self._is_closed()
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
            found = await backlog.page(tick.app, queue)
            tick.held += sum(len(delivery.payload) for delivery in found)
            for delivery in found:
                await self._read.put((queue, delivery))
            if queue.cursor is not None:
                turns.append(queue)

    async def _work(self, group: asyncio.TaskGroup) -> None:
        """Send one after the other; beside it, as long as all goes well, ever more do."""
        while True:
            read = await self._read.get()
            if read is None:
                await self._read.put(None)
                return
            queue, delivery = read
            if not self._is_closed():
                await self._send(queue, delivery)
            await self._let_go(delivery)
            if self._failures == 0 and self._workers < MOST_WIDTH:
                self._workers += 1
                group.create_task(self._work(group))
            elif self._failures and self._workers > FIRST_WIDTH:
                self._workers -= 1
                return

    async def _let_go(self, delivery: Delivery) -> None:
        tick = self._tick
        was_full = tick.held >= MOST_HELD_BYTES
        tick.held -= len(delivery.payload)
        if was_full and tick.held < MOST_HELD_BYTES:
            async with tick.room:
                tick.room.notify_all()

    async def _send(self, queue: Queue, delivery: Delivery) -> None:
        tick = self._tick
        async with tick.large if delivery.chunks else nullcontext():
            outcome, step = await attempt(tick.app, queue.connection, delivery, random.random())  # noqa: S311
        self._note(outcome)
        if isinstance(step, Split):
            tick.done["split"] += 1
        elif step.state != delivery.state:
            tick.done[step.state] += delivery.count
        else:
            tick.done["failed"] += 1
        await tick.settling.put(settled(delivery, step))

    def _note(self, outcome: Outcome | None) -> None:
        """One failure shuts the origin before anything has passed; later it takes several in a row."""
        if outcome is None:
            return
        if outcome.kind != "failed":
            self._failures = 0
            return
        self._failures += 1
        if self._workers == 0 or self._failures >= FAILURES_CLOSE:
            self._tick.closed.add(self._upstream.origin)
