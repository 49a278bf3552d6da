"""Courier: carries the embedded queue's messages out, as Pub/Sub's push subscriptions do.

What is under way is known only in memory: after a kill, the next courier begins at once
with every message that nobody acknowledged. How often a message failed is in the file.
What an answer means beyond "2xx or not" is the receiver's business.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from hedgerow.adapters.embedded import Wanted, subscription_of
from hedgerow.errors import TransientError
from hedgerow.pushes import DEAD_TOPIC, MOST_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from hedgerow.adapters.embedded import EmbeddedQueue, Waiting

    Deliver = Callable[[str, bytes], Awaitable[int]]

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0
ANSWER_SECONDS = 600.0
"""How long a delivery may take before it counts as refused; Pub/Sub's longest deadline."""
LOOK_SECONDS = 1.0
"""How often to look for what another process may have published."""

PATIENCE_SECONDS = 3600.0
"""No message is given up sooner. Ten attempts take four minutes here: a disk that is full for
half an hour, or a store that another process holds, must not bury what it would have taken."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Parcel:
    """A message, the number of deliveries that failed, and the loop time of its publishing."""

    message: Waiting
    failures: int
    published: float

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

    Where somebody subscribes to the dead topic, a message that failed ten times, in however
    many processes, and is at least `patience` seconds old moves there. A dead letter itself
    is never given up: it waits for the store that takes it.
    """

    def __init__(
        self,
        queue: EmbeddedQueue,
        deliver: Deliver,
        topics: Iterable[str],
        *,
        concurrency: int = 8,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._queue = queue
        self._deliver = deliver
        self._topics = tuple(topics)
        self._concurrency = concurrency
        self._patience = patience
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[asyncio.Task[int], Parcel] = {}
        self._acknowledged: list[int] = []
        self._failed: list[int] = []
        self._given_up: list[Waiting] = []

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
            loaded = await self._keep([self._wanted(lane) for lane in self._lanes.values()])
        except TransientError as error:
            log.warning("queue_unavailable", detail=error.detail)
            return
        now = asyncio.get_running_loop().time()
        for message in loaded:
            lane = self._lanes[message.topic]
            lane.ready.append(Parcel(message, message.failures, now - message.age))
            lane.loaded_to = message.id
        for lane in self._lanes.values():
            self._begin(lane, news)

    async def _keep(self, wanted: Sequence[Wanted], *more: int) -> list[Waiting]:
        """Tell the file how deliveries ended, and take what is wanted; kept for the next time when it fails."""
        loaded = await self._queue.exchange([*self._acknowledged, *more], wanted, self._failed, self._given_up)
        self._acknowledged, self._failed, self._given_up = [], [], []
        return loaded

    def _wanted(self, lane: Lane) -> Wanted:
        # A few more than can begin, so that a place that falls free is filled without a look.
        return Wanted(lane.topic, behind=lane.loaded_to, limit=max(0, 2 * self._concurrency - len(lane.ready)))

    def _begin(self, lane: Lane, news: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time()
        while lane.under_way < self._concurrency and (parcel := lane.next_parcel(now)) is not None:
            lane.under_way += 1
            task = asyncio.create_task(self._attempt(parcel.message))
            task.add_done_callback(lambda _: news.set())
            self._tasks[task] = parcel

    async def _attempt(self, message: Waiting) -> int:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._deliver(message.topic, message.envelope(subscription_of(message.topic)))

    def _settle(self, task: asyncio.Task[int], parcel: Parcel) -> None:
        lane = self._lanes[parcel.message.topic]
        lane.under_way -= 1
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        if error is None and task.result() // 100 == 2:
            self._acknowledged.append(parcel.message.id)
            return
        parcel.failures += 1
        self._failed.append(parcel.message.id)
        told = log.bind(
            topic=lane.topic,
            key=parcel.message.key,
            attempts=parcel.failures,
            answer=type(error).__name__ if error else task.result(),
        )
        if self._is_hopeless(parcel):
            self._given_up.append(replace(parcel.message, failures=parcel.failures))
            told.error("delivery_given_up")
            return
        seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(parcel.failures - 1, 30), LAST_RETRY_SECONDS)
        heapq.heappush(lane.retries, (asyncio.get_running_loop().time() + seconds, parcel))
        told.warning("delivery_refused", again_in_seconds=seconds)

    def _is_hopeless(self, parcel: Parcel) -> bool:
        if DEAD_TOPIC not in self._lanes or parcel.message.topic == DEAD_TOPIC:
            return False
        age = asyncio.get_running_loop().time() - parcel.published
        return parcel.failures >= MOST_ATTEMPTS and age >= self._patience

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
        try:
            await self._keep([Wanted(topic, 0, 0) for topic in self._topics], *done)
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
