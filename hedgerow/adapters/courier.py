"""Courier: carries the embedded queue's messages out, as Pub/Sub's push subscriptions do.

What is under way is known only in memory: after a kill, the next courier begins at once
with every message that nobody acknowledged. What an answer means beyond "2xx or not" is
the receiver's business.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from hedgerow.adapters.embedded import Wanted
from hedgerow.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hedgerow.adapters.embedded import EmbeddedQueue, Waiting

    Deliver = Callable[[str, bytes], Awaitable[int]]

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0
ANSWER_SECONDS = 600.0
"""How long a delivery may take before it counts as refused; Pub/Sub's longest deadline."""
LOOK_SECONDS = 1.0
"""How often to look for what another process may have published."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Parcel:
    """A message with the number of deliveries begun."""

    message: Waiting
    attempts: int = 0

    def __lt__(self, other: Parcel) -> bool:
        """Older messages first, where two are due at the same time."""
        return self.message.id < other.message.id


@dataclass
class Lane:
    """One topic: how far it was loaded, what is ready, under way, or due again at a loop time."""

    topic: str
    loaded_to: int = 0
    under_way: int = 0
    ready: deque[Parcel] = field(default_factory=deque)
    retries: list[tuple[float, Parcel]] = field(default_factory=list)

    def next_parcel(self, now: float) -> Parcel | None:
        """What to deliver now: a repetition that is due, else the oldest message."""
        if self.retries and self.retries[0][0] <= now:
            return heapq.heappop(self.retries)[1]
        return self.ready.popleft() if self.ready else None


class Courier:
    """Delivers each message of `topics` by `deliver(topic, envelope)`, which answers an HTTP status.

    2xx acknowledges; anything else, an exception or ten minutes of silence repeats the
    delivery after 1 s, doubled up to 60 s. At most `concurrency` deliveries of a topic
    are under way at once; a message that waits for its repetition holds none of them up.
    """

    def __init__(self, queue: EmbeddedQueue, deliver: Deliver, topics: Iterable[str], *, concurrency: int = 8) -> None:
        self._queue = queue
        self._deliver = deliver
        self._topics = tuple(topics)
        self._concurrency = concurrency
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[asyncio.Task[int], Parcel] = {}
        self._acknowledged: list[int] = []

    async def run(self) -> None:
        """Deliver until cancelled. What is under way then is broken off, and delivered again next time."""
        if self._lanes:
            raise RuntimeError("this courier is running already")
        self._lanes = {topic: Lane(topic) for topic in self._topics}
        try:
            with self._queue.listening() as news:
                while True:
                    news.clear()
                    await self._turn(news)
                    await _wait(news, self._seconds_to_next())
        finally:
            await self._break_off()
            self._lanes = {}

    async def drain(self, limit: float = 10.0) -> int:
        """Deliver, or watch a `run` deliver, until the queue is empty or `limit` seconds are over.

        The answer is how many messages still wait.
        """
        runner = None if self._lanes else asyncio.create_task(self.run())
        until = asyncio.get_running_loop().time() + limit
        try:
            while (left := await self._queue.waiting()) and asyncio.get_running_loop().time() < until:
                if runner is not None and runner.done():
                    break
                await asyncio.sleep(0.005)
        finally:
            if runner is not None:
                runner.cancel()
                await asyncio.wait([runner])
        if runner is not None and not runner.cancelled():
            runner.result()
        return left

    async def _turn(self, news: asyncio.Event) -> None:
        """Settle what ended, load what fits, begin what may begin."""
        for task in [task for task in self._tasks if task.done()]:
            self._settle(task, self._tasks.pop(task))
        try:
            loaded = await self._queue.exchange(
                self._acknowledged, [self._wanted(lane) for lane in self._lanes.values()]
            )
        except TransientError as error:
            log.warning("queue_unavailable", detail=error.detail)
            return
        self._acknowledged.clear()
        for message in loaded:
            lane = self._lanes[message.topic]
            lane.ready.append(Parcel(message))
            lane.loaded_to = message.id
        for lane in self._lanes.values():
            self._begin(lane, news)

    def _wanted(self, lane: Lane) -> Wanted:
        # A few more than can begin, so that a place that falls free is filled without a look.
        return Wanted(lane.topic, behind=lane.loaded_to, limit=max(0, 2 * self._concurrency - len(lane.ready)))

    def _begin(self, lane: Lane, news: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time()
        while lane.under_way < self._concurrency and (parcel := lane.next_parcel(now)) is not None:
            lane.under_way += 1
            parcel.attempts += 1
            task = asyncio.create_task(self._attempt(parcel.message))
            task.add_done_callback(lambda _: news.set())
            self._tasks[task] = parcel

    async def _attempt(self, message: Waiting) -> int:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._deliver(message.topic, message.envelope(f"embedded/subscriptions/{message.topic}"))

    def _settle(self, task: asyncio.Task[int], parcel: Parcel) -> None:
        lane = self._lanes[parcel.message.topic]
        lane.under_way -= 1
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        if error is None and task.result() // 100 == 2:
            self._acknowledged.append(parcel.message.id)
            return
        seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(parcel.attempts - 1, 30), LAST_RETRY_SECONDS)
        heapq.heappush(lane.retries, (asyncio.get_running_loop().time() + seconds, parcel))
        log.warning(
            "delivery_refused",
            topic=lane.topic,
            key=parcel.message.key,
            attempts=parcel.attempts,
            answer=type(error).__name__ if error else task.result(),
            again_in_seconds=seconds,
        )

    def _seconds_to_next(self) -> float:
        now = asyncio.get_running_loop().time()
        due = [lane.retries[0][0] - now for lane in self._lanes.values() if lane.retries]
        return max(0.0, min([LOOK_SECONDS, *due]))

    async def _break_off(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        done = [self._tasks[task].message.id for task in self._tasks if _is_acknowledged(task)]
        self._tasks.clear()
        done += self._acknowledged
        self._acknowledged = []
        try:
            await self._queue.exchange(done, [Wanted(topic, 0, 0) for topic in self._topics])
        except TransientError as error:
            log.warning("queue_unavailable", detail=error.detail)


def _is_acknowledged(task: asyncio.Task[int]) -> bool:
    return not task.cancelled() and task.exception() is None and task.result() // 100 == 2


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
