"""What the embedded queue and its courier promise beyond the port: pace, backoff, and nothing lost to a kill."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.courier import LOOK_SECONDS, Courier
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.errors import TransientError
from hedgerow.messages import PurgeRequested, RunEnded
from tests.contract.posts import Letterbox
from tests.contract.processes import kill_after, process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOPIC = RunEnded.topic


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[EmbeddedQueue]:
    opened = EmbeddedQueue(tmp_path / "queue.db")
    yield opened
    await opened.close()


def points(*names: object) -> list[RunEnded]:
    return [RunEnded(connection_id="con_1", run_id=f"run_{name}") for name in names]


async def test_drain_delivers_until_nothing_waits(queue: EmbeddedQueue) -> None:
    letterbox = Letterbox()
    await queue.publish(*points(*range(100)))
    assert await queue.waiting() == 100

    assert await Courier(queue, letterbox.deliver, [TOPIC]).drain() == 0

    assert sorted(letterbox.runs()) == sorted(f"run_{number}" for number in range(100))
    assert await queue.waiting() == 0


async def test_drain_says_what_it_could_not_deliver(queue: EmbeddedQueue) -> None:
    letterbox = Letterbox(answer=lambda topic, body: 503 if body["run_id"] == "run_bad" else 200)
    await queue.publish(*points("bad", 1, 2))

    assert await Courier(queue, letterbox.deliver, [TOPIC]).drain(1.5) == 1

    assert await queue.waiting() == 1


async def test_drain_watches_a_courier_that_runs(queue: EmbeddedQueue) -> None:
    letterbox = Letterbox()
    courier = Courier(queue, letterbox.deliver, [TOPIC])
    running = asyncio.create_task(courier.run())
    await asyncio.sleep(0)
    await queue.publish(*points(1, 2))

    assert await courier.drain() == 0
    with pytest.raises(RuntimeError, match="running already"):
        await courier.run()

    running.cancel()
    await asyncio.wait([running])
    assert len(letterbox.envelopes) == 2


async def test_what_a_delivery_publishes_is_delivered_too(queue: EmbeddedQueue) -> None:
    delivered: list[str] = []

    async def deliver(topic: str, envelope: bytes) -> int:
        delivered.append(topic)
        if topic == TOPIC:
            await queue.publish(PurgeRequested(connection_id="con_1"))
        return 204

    await queue.publish(*points(1))

    assert await Courier(queue, deliver, [TOPIC, PurgeRequested.topic]).drain() == 0
    assert delivered == [TOPIC, PurgeRequested.topic]


async def test_a_topic_without_subscriber_keeps_nothing(queue: EmbeddedQueue) -> None:
    letterbox = Letterbox()
    await queue.publish(PurgeRequested(connection_id="con_1"), *points(1))

    assert await Courier(queue, letterbox.deliver, [TOPIC]).drain() == 0
    assert [topic for topic, _ in letterbox.envelopes] == [TOPIC]
    await queue.publish(PurgeRequested(connection_id="con_1"))
    assert await Courier(queue, letterbox.deliver, []).drain() == 0


async def test_repetitions_wait_one_second_then_two(queue: EmbeddedQueue) -> None:
    times: list[float] = []

    async def deliver(topic: str, envelope: bytes) -> int:
        times.append(time.monotonic())
        if len(times) == 1:
            raise OSError("nobody there")
        return 500 if len(times) == 2 else 200

    await queue.publish(*points(1))

    assert await Courier(queue, deliver, [TOPIC]).drain() == 0
    assert 0.9 < times[1] - times[0] < 1.9
    assert 1.9 < times[2] - times[1] < 3.9


async def test_a_slow_topic_has_its_own_places(queue: EmbeddedQueue) -> None:
    under_way = most = 0
    released = asyncio.Event()

    async def deliver(topic: str, envelope: bytes) -> int:
        nonlocal under_way, most
        if topic == TOPIC:
            under_way += 1
            most = max(most, under_way)
            await released.wait()
            under_way -= 1
        else:
            released.set()
        return 200

    await queue.publish(*points(*range(30)), PurgeRequested(connection_id="con_1"))

    assert await Courier(queue, deliver, [TOPIC, PurgeRequested.topic], concurrency=3).drain() == 0
    assert most == 3


async def test_a_message_is_under_way_a_few_milliseconds_after_its_publish(queue: EmbeddedQueue) -> None:
    letterbox = Letterbox()
    running = asyncio.create_task(Courier(queue, letterbox.deliver, [TOPIC]).run())
    await asyncio.sleep(0.05)
    waits: list[float] = []
    for number in range(11):
        await asyncio.sleep(0.03)  # until the courier rests
        await queue.publish(*points(number))
        published = time.monotonic()
        await letterbox.until(lambda: len(letterbox.envelopes) > number)  # noqa: B023 - awaited within the turn
        waits.append(time.monotonic() - published)

    running.cancel()
    await asyncio.wait([running])
    assert sorted(waits)[5] < LOOK_SECONDS / 4


async def test_a_broken_off_delivery_is_repeated_at_once_by_the_next_courier(queue: EmbeddedQueue) -> None:
    begun = asyncio.Event()

    async def hang(topic: str, envelope: bytes) -> int:
        begun.set()
        await asyncio.sleep(60)
        return 200

    await queue.publish(*points(1))
    running = asyncio.create_task(Courier(queue, hang, [TOPIC]).run())
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    letterbox = Letterbox()

    assert await Courier(queue, letterbox.deliver, [TOPIC]).drain(5) == 0
    assert letterbox.runs() == ["run_1"]


async def test_an_answer_that_came_is_not_forgotten_by_a_cancel(queue: EmbeddedQueue) -> None:
    letterbox = Letterbox()
    await queue.publish(*points(*range(50)))
    running = asyncio.create_task(Courier(queue, letterbox.deliver, [TOPIC]).run())
    await letterbox.until(lambda: len(letterbox.envelopes) >= 10)
    running.cancel()
    await asyncio.wait([running])

    assert await queue.waiting() == 50 - len(letterbox.envelopes)


class Crash(BaseException):
    """What a fault suite throws in place of a kill."""


async def test_a_crash_inside_a_delivery_ends_the_courier(queue: EmbeddedQueue) -> None:
    async def deliver(topic: str, envelope: bytes) -> int:
        raise Crash

    await queue.publish(*points(1))

    with pytest.raises(Crash):
        await Courier(queue, deliver, [TOPIC]).drain(5)
    assert await queue.waiting() == 1


async def test_a_process_killed_while_delivering_loses_nothing(tmp_path: Path) -> None:
    """Of four, the first was acknowledged before the kill; the others come again at once."""
    queue = EmbeddedQueue(tmp_path / "queue.db")
    await queue.publish(*points(*range(4)))
    await asyncio.to_thread(kill_after, "delivering", "deliver", str(tmp_path / "queue.db"))
    letterbox = Letterbox()

    assert await Courier(queue, letterbox.deliver, [TOPIC]).drain(5) == 0

    assert letterbox.runs() == ["run_1", "run_2", "run_3"]
    await queue.close()


async def test_what_another_process_publishes_is_found(queue: EmbeddedQueue, tmp_path: Path) -> None:
    letterbox = Letterbox()
    running = asyncio.create_task(Courier(queue, letterbox.deliver, [TOPIC]).run())

    with process("publish-embedded", str(tmp_path / "queue.db"), "3"):
        await letterbox.until(lambda: len(letterbox.envelopes) == 3)

    running.cancel()
    await asyncio.wait([running])


async def test_the_queue_survives_a_file_it_cannot_open(tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "no folder" / "queue.db")

    with pytest.raises(TransientError):
        await queue.publish(*points(1))

    (tmp_path / "no folder").mkdir()
    await queue.publish(*points(1))
    assert await queue.waiting() == 1
    await queue.close()
