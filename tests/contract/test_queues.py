"""What every queue owes: each message delivered until it is acknowledged, whatever becomes of its publisher."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from hedgerow.adapters.google import PubSubQueue
from hedgerow.errors import TransientError
from hedgerow.messages import PurgeRequested, RunEnded, SyncRequested
from hedgerow.traces import begun
from tests.contract.posts import EmbeddedPost, Letterbox, Post, PubSubPost
from tests.contract.specimens import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOPICS = (RunEnded.topic, PurgeRequested.topic, SyncRequested.topic)


@pytest.fixture(params=["embedded", "pubsub"])
async def post(request: pytest.FixtureRequest, project: str, tmp_path: Path) -> AsyncIterator[Post]:
    opened: EmbeddedPost | PubSubPost
    if request.param == "embedded":
        opened = EmbeddedPost(tmp_path)
        yield opened
    else:
        opened = PubSubPost(project, request.getfixturevalue("pubsub_host"))
        async with opened.open(*TOPICS):
            yield opened
    await opened.queue.close()


def points(*names: object) -> list[RunEnded]:
    return [RunEnded(connection_id="con_1", run_id=f"run_{name}") for name in names]


async def test_a_message_arrives_in_an_envelope_of_pubsubs(post: Post) -> None:
    message = SyncRequested(connection_id="con_ü", due_at=NOON)
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish(message)
        await letterbox.until(lambda: bool(letterbox.envelopes))

    ((topic, envelope),) = letterbox.envelopes
    inner = envelope["message"]
    assert topic == "sync-requested"
    assert SyncRequested.model_validate(letterbox.body(envelope)) == message
    assert inner["attributes"] == {"key": message.key}
    assert inner["messageId"] == inner["message_id"] != ""
    assert datetime.fromisoformat(inner["publishTime"]) == datetime.fromisoformat(inner["publish_time"])
    assert envelope["subscription"].endswith("sync-requested")


async def test_every_message_of_every_topic_arrives(post: Post) -> None:
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish(*points(*range(40)), PurgeRequested(connection_id="con_1"), *points("last"))
        await letterbox.until(lambda: len(letterbox.envelopes) >= 42)

    assert {
        letterbox.body(envelope).get("run_id") for topic, envelope in letterbox.envelopes if topic == "run-ended"
    } == {
        *(f"run_{number}" for number in range(40)),
        "run_last",
    }
    assert [topic for topic, _ in letterbox.envelopes].count("purge-requested") == 1


async def test_an_empty_publish_does_nothing(post: Post) -> None:
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish()
        await post.queue.publish(*points(1))
        await letterbox.until(lambda: bool(letterbox.envelopes))

    assert letterbox.runs() == ["run_1"]


@pytest.mark.parametrize("status", [400, 429, 500, 302])
async def test_a_refused_message_comes_again_as_the_same(post: Post, status: int) -> None:
    answers = iter([status])
    letterbox = Letterbox(answer=lambda topic, body: next(answers, 200))

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish(*points(1))
        await letterbox.until(lambda: len(letterbox.envelopes) == 2)

    first, second = (envelope["message"] for _, envelope in letterbox.envelopes)
    assert first["messageId"] == second["messageId"]
    assert first["data"] == second["data"]


async def test_a_message_that_is_always_refused_stops_no_other(post: Post) -> None:
    def answer(topic: str, body: dict[str, Any]) -> int:
        return 500 if body["run_id"].startswith("run_bad") else 200

    letterbox = Letterbox(answer=answer)

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish(*points(*(f"bad{number}" for number in range(12))))
        await post.queue.publish(*points(*range(60)))
        await letterbox.until(lambda: {f"run_{number}" for number in range(60)} <= set(letterbox.runs()))
        await letterbox.until(lambda: letterbox.runs().count("run_bad11") >= 2)


async def test_what_was_published_early_is_delivered_later(post: Post) -> None:
    await post.queue.publish(*points(*range(5)))
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await letterbox.until(lambda: len(set(letterbox.runs())) == 5)


async def test_what_a_killed_process_had_published_is_delivered(post: Post) -> None:
    await post.publish_and_die(7)
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await letterbox.until(lambda: len(set(letterbox.runs())) == 7)


async def test_more_messages_than_one_request_takes(post: Post) -> None:
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish(*points(*range(2_100)))
        await letterbox.until(lambda: len(letterbox.envelopes) >= 2_100, 60)

    assert len(set(letterbox.runs())) == 2_100


async def test_more_bytes_than_one_request_takes(post: Post) -> None:
    large = [RunEnded(connection_id="c" * 900_000, run_id=f"run_{number}") for number in range(12)]
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.publish(*large)
        await letterbox.until(lambda: len(set(letterbox.runs())) == 12, 60)


async def test_a_closed_queue_may_be_closed_again(post: Post) -> None:
    await post.queue.publish(*points(1))

    await post.queue.close()
    await post.queue.close()


async def test_a_message_carries_the_trace_it_was_published_in(post: Post) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        with begun({"traceparent": parent}):
            await post.queue.publish(*points("traced"))
        await letterbox.until(lambda: bool(letterbox.envelopes))

    ((_, envelope),) = letterbox.envelopes
    assert envelope["message"]["attributes"] == {"key": "run_traced", "traceparent": parent}


async def test_a_queue_that_answers_says_so_without_publishing(post: Post) -> None:
    letterbox = Letterbox()

    async with post.delivering(letterbox, *TOPICS):
        await post.queue.reach()
        await post.queue.publish(*points("after"))
        await letterbox.until(lambda: bool(letterbox.envelopes))

    assert letterbox.runs() == ["run_after"]


async def test_an_emulator_that_is_away_is_not_reached(project: str) -> None:
    queue = PubSubQueue(project, emulator_host="127.0.0.1:9")
    with pytest.raises((TransientError, TimeoutError)):
        async with asyncio.timeout(2):
            await queue.reach()
    await queue.close()
