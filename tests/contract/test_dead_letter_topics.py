"""What a subscription gives up arrives on the dead topic with where it died: embedded, and on Pub/Sub's emulator."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

from hedgerow.adapters.courier import Courier
from hedgerow.adapters.embedded import EmbeddedQueue, Wanted
from hedgerow.adapters.google import PubSubQueue
from hedgerow.messages import RunEnded
from hedgerow.pushes import DEAD_TOPIC, DELIVERIES, PUBLISHED, SUBSCRIPTION, Push, unwrap
from tests.contract.posts import Letterbox, PubSubPost
from tests.contract.processes import kill_after

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = RunEnded.topic
BAD = RunEnded(connection_id="con_1", run_id="run_bad")


def refusing() -> Letterbox:
    """Takes what is dead, and nothing else."""
    return Letterbox(answer=lambda topic, body: 204 if topic == DEAD_TOPIC else 500)


async def fail(queue: EmbeddedQueue, times: int) -> None:
    """Deliver in vain so often, by a courier of its own each time."""
    for _ in range(times):
        letterbox = refusing()
        running = asyncio.create_task(Courier(queue, letterbox.deliver, [TOPIC, DEAD_TOPIC], patience=0).run())
        await letterbox.until(lambda: bool(letterbox.envelopes))  # noqa: B023 - awaited within the turn
        await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait([running])


async def dead(queue: EmbeddedQueue) -> list[Push]:
    """What waits on the dead topic."""
    waiting = await queue.exchange([], [Wanted(TOPIC, 0, 0), Wanted(DEAD_TOPIC, 0, 10)])
    return [unwrap(each.envelope("embedded/subscriptions/dead")) for each in waiting]


async def test_ten_failures_in_ten_processes_end_on_the_dead_topic(tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "queue.db")
    await queue.publish(BAD)
    await fail(queue, 9)
    assert [(topic, each.failures) for topic, each in (await queue.backlog()).items()] == [(TOPIC, 9)]

    letterbox = refusing()
    assert await Courier(queue, letterbox.deliver, [TOPIC, DEAD_TOPIC], patience=0).drain(5) == 0

    assert [topic for topic, _ in letterbox.envelopes] == [TOPIC, DEAD_TOPIC]
    attributes = letterbox.envelopes[1][1]["message"]["attributes"]
    assert attributes[SUBSCRIPTION] == TOPIC
    assert attributes[DELIVERIES] == "10"
    assert attributes[PUBLISHED] == letterbox.envelopes[0][1]["message"]["publishTime"]
    assert attributes["key"] == "run_bad"
    assert Letterbox.body(letterbox.envelopes[1][1]) == Letterbox.body(letterbox.envelopes[0][1])
    await queue.close()


async def test_nothing_is_given_up_within_its_first_hour(tmp_path: Path) -> None:
    """A full disk, or a store that another process holds for a while, must not bury what it would have taken."""
    queue = EmbeddedQueue(tmp_path / "queue.db")
    await queue.publish(BAD)
    await fail(queue, 9)

    assert await Courier(queue, refusing().deliver, [TOPIC, DEAD_TOPIC]).drain(0.5) == 1
    assert await dead(queue) == []
    assert [(topic, each.failures) for topic, each in (await queue.backlog()).items()] == [(TOPIC, 10)]
    await queue.close()

    with sqlite3.connect(tmp_path / "queue.db") as file:
        file.execute("UPDATE messages SET published_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-61 minutes')")
    file.close()
    again = EmbeddedQueue(tmp_path / "queue.db")
    assert await Courier(again, refusing().deliver, [TOPIC, DEAD_TOPIC]).drain(5) == 0
    await again.close()


async def test_a_dead_letter_is_never_given_up_itself(tmp_path: Path) -> None:
    """The store is down: what waits to be buried waits on."""
    queue = EmbeddedQueue(tmp_path / "queue.db")
    await queue.publish(BAD)
    await fail(queue, 9)
    nobody = Letterbox(answer=lambda topic, body: 503)
    assert await Courier(queue, nobody.deliver, [TOPIC, DEAD_TOPIC], patience=0).drain(0.3) == 1
    for _ in range(11):
        await Courier(queue, nobody.deliver, [TOPIC, DEAD_TOPIC], patience=0).drain(0.05)

    assert [each.attributes[DELIVERIES] for each in await dead(queue)] == ["10"]
    await queue.close()


async def test_where_nobody_buries_nothing_is_given_up(tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "queue.db")
    await queue.publish(BAD)
    await fail(queue, 9)
    refused = refusing()
    for _ in range(2):
        assert await Courier(queue, refused.deliver, [TOPIC], patience=0).drain(0.1) == 1
    await queue.close()


async def test_a_kill_is_no_failure(tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "queue.db")
    await queue.publish(*(RunEnded(connection_id="con_1", run_id=f"run_{number}") for number in range(4)))
    await asyncio.to_thread(kill_after, "delivering", "deliver", str(tmp_path / "queue.db"))

    assert [each.failures for each in (await queue.backlog()).values()] == [0]
    await queue.close()


async def test_a_file_of_the_first_release_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "queue.db") as file:
        file.execute(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL,"
            " body TEXT NOT NULL, published_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"
        )
        file.execute("INSERT INTO messages (topic, key, body) VALUES (?, 'run_bad', ?)", (TOPIC, BAD.model_dump_json()))
    file.close()
    queue = EmbeddedQueue(tmp_path / "queue.db")
    letterbox = Letterbox()

    assert await Courier(queue, letterbox.deliver, [TOPIC, DEAD_TOPIC]).drain(5) == 0
    assert letterbox.runs() == ["run_bad"]
    await queue.close()


async def test_the_emulator_gives_up_too(project: str, pubsub_host: str) -> None:
    """With five attempts, the fewest that Pub/Sub takes."""
    post, letterbox = PubSubPost(project, pubsub_host), refusing()
    async with post.open(DEAD_TOPIC), post.delivering(letterbox, TOPIC, DEAD_TOPIC):
        (subscription,) = await _subscriptions(post.queue, project)
        endpoint = subscription.push_config.push_endpoint.replace(f"/{DEAD_TOPIC}", f"/{TOPIC}")
        for _ in range(2):  # The second time it is there already.
            await post.queue.ensure_push(TOPIC, endpoint, attempts=5, retry_seconds=(0, 0))
        await post.queue.publish(BAD)
        await letterbox.until(lambda: any(topic == DEAD_TOPIC for topic, _ in letterbox.envelopes), 40)

    topics = [topic for topic, _ in letterbox.envelopes]
    assert topics[:6] == [TOPIC] * 5 + [DEAD_TOPIC]
    attributes = letterbox.envelopes[5][1]["message"]["attributes"]
    assert attributes[SUBSCRIPTION] == f"hedgerow-{TOPIC}"
    assert attributes[DELIVERIES] == "5"
    assert attributes["key"] == "run_bad"
    await post.queue.close()


async def _subscriptions(queue: PubSubQueue, project: str) -> list[Any]:
    subscribers = queue._pubsub.subscribers.get()
    return [each async for each in await subscribers.list_subscriptions({"project": f"projects/{project}"})]
