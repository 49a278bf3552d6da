"""The dead topic's target, and targets that cannot read a message: each is kept once, with what a person needs."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from functions.alerts.main import evaluate_alerts
from functions.dead.main import bury_message
from hedgerow.adapters.courier import Courier
from hedgerow.adapters.embedded import Wanted
from hedgerow.dead_letters import DeadMessage
from hedgerow.entrypoint import on_message
from hedgerow.errors import TooLargeError
from hedgerow.messages import RunEnded
from hedgerow.ports import Add
from hedgerow.pushes import DELIVERIES, dead_letter_attributes
from local.private import PrivateTargets
from tests.crash import Crash, Fuse, armed
from tests.functions.dead.dying import kept, push
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.app import App
    from hedgerow.ports import Store

BODY = RunEnded(connection_id="con_1", run_id="run_1").model_dump_json()
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


def envelope(body: str, attributes: dict[str, str], message_id: str = "7") -> bytes:
    message = {
        "data": base64.b64encode(body.encode()).decode(),
        "attributes": attributes,
        "messageId": message_id,
        "publishTime": "2026-11-20T15:29:00Z",
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/hedgerow-dead"}).encode()


def dead_letter(message_id: str = "7", key: str = "run_1") -> bytes:
    given_up = dead_letter_attributes("projects/p/subscriptions/hedgerow-run-ended", 10, "2026-11-20T14:00:00.5Z")
    return envelope(BODY, {"key": key, "traceparent": TRACE, **given_up}, message_id)


async def test_a_dead_letter_is_kept_with_where_it_died(stage: Stage) -> None:
    assert await push(stage, bury_message, dead_letter()) == 204

    (dead,) = await kept(stage)
    assert (dead.topic, dead.subscription, dead.key) == ("run-ended", "hedgerow-run-ended", "run_1")
    assert (dead.code, dead.attempts, dead.trace, dead.is_whole) == ("given_up", 10, TRACE, True)
    assert dead.body == BODY
    assert dead.at == NOW
    assert dead.published_at is not None
    assert dead.published_at.isoformat() == "2026-11-20T14:00:00.500000+00:00"
    assert dead.attributes == {"key": "run_1", "traceparent": TRACE}


async def test_a_doubled_dead_letter_is_silent(stage: Stage) -> None:
    """Pub/Sub may dead letter one message several times, each time under another id."""
    with capture_logs() as lines:
        for number in range(3):
            assert await push(stage, bury_message, dead_letter(str(number))) == 204

    (dead,) = await kept(stage)
    said = [line for line in lines if line["event"] == "message.dead"]
    assert [(line["topic"], line["reason"], line["dead_id"]) for line in said] == [("run-ended", "given_up", dead.id)]


async def test_a_death_of_the_target_loses_nothing(stage: Stage) -> None:
    for after in (False, True):
        crashing = Stage(armed(stage.app, Fuse(1, after=after)), stage.clock, stage.store, stage.queue)
        with pytest.raises(Crash):
            await push(crashing, bury_message, dead_letter(key=str(after)))
        assert await push(stage, bury_message, dead_letter(key=str(after))) == 204

    assert sorted(dead.key for dead in await kept(stage)) == ["False", "True"]


async def test_what_a_target_cannot_read_is_kept_once_and_says_why_without_values(
    stage: Stage,
) -> None:
    body = json.dumps({"connection_id": ["secret-value"], "note": "phx_abcdefgh12345678"})
    with capture_logs() as lines:
        for _ in range(2):
            assert await push(stage, evaluate_alerts, envelope(body, {"key": "k"})) == 204

    (dead,) = await kept(stage)
    assert (dead.topic, dead.code, dead.subscription) == ("run-ended", "unreadable", "hedgerow-dead")
    assert "connection_id: Input should be a valid string" in dead.reason
    assert "secret-value" not in dead.reason
    assert "phx_abcdefgh" not in dead.body
    assert not dead.is_whole
    assert "secret-value" not in str(lines)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"message": 1}', b'{"message": {"data": "*"}}', b"\xff\xfe"])
async def test_what_is_no_push_at_all_is_kept_too(stage: Stage, body: bytes) -> None:
    for target in (bury_message, evaluate_alerts):
        assert await push(stage, target, body) == 204

    assert {dead.topic for dead in await kept(stage)} == {"dead", "run-ended"}


async def test_a_dead_letter_that_does_not_say_whence_is_kept(stage: Stage) -> None:
    attributes = {
        "CloudPubSubDeadLetterSourceDeliveryCount": "many",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "?",
    }
    assert await push(stage, bury_message, envelope("no JSON", attributes)) == 204

    (dead,) = await kept(stage)
    assert (dead.topic, dead.attempts, dead.published_at, dead.body) == ("unknown", None, None, "no JSON")


async def test_a_record_of_the_first_release_still_reads(stage: Stage) -> None:
    old = '{"id": "dead_1", "topic": "run-ended", "body": "{", "reason": "no JSON", "at": "2026-11-20T15:30:00Z"}'
    await stage.store.commit(Add(DeadMessage.model_validate_json(old)))

    (dead,) = await kept(stage)
    assert (dead.code, dead.redelivered_at, dead.is_whole) == ("unreadable", None, False)


async def test_what_the_courier_gives_up_is_kept_by_the_manifests_target(stage: Stage) -> None:
    """The whole way of a poisoned message in `hedgerow dev`: its target fails ten times, `hedgerow dead` has it."""
    settings = stage.app.settings.model_copy(update={"invoker": SecretStr("the-invoker")})
    private = PrivateTargets(replace(stage.app, settings=settings))
    topics = [*private.subscribers]

    async def deliver(topic: str, body: bytes) -> int:
        return 500 if topic == RunEnded.topic else await private.deliver(topic, body)

    await stage.queue.publish(RunEnded(connection_id="con_1", run_id="run_1"))
    wanted = [Wanted(topic, 0, 10) for topic in topics]
    (waiting,) = await stage.queue.exchange([], wanted)
    for _ in range(9):
        await stage.queue.exchange([], wanted, failed=[waiting.id])

    assert await Courier(stage.queue, deliver, topics, patience=0).drain(5) == 0

    (dead,) = await kept(stage)
    assert (dead.code, dead.topic, dead.attempts, dead.key) == ("given_up", "run-ended", 10, "run_1")
    assert (dead.body, dead.is_whole) == (BODY, True)
    assert dead.published_at is not None
    await private.close()


async def test_what_can_never_succeed_is_put_aside_at_once(stage: Stage) -> None:
    @on_message(RunEnded)
    async def refuses(app: App, message: RunEnded) -> None:
        raise TooLargeError("The month is over 1 MiB.")

    for _ in range(2):
        assert await push(stage, refuses, envelope(BODY, {"key": "run_1"})) == 204
    (dead,) = await kept(stage)
    assert (dead.code, dead.topic, dead.is_whole) == ("rejected", "run-ended", True)
    assert "The month is over 1 MiB." in dead.reason


async def test_an_envelope_nested_without_end_is_put_aside(stage: Stage) -> None:
    assert await push(stage, evaluate_alerts, b"[" * 200_000) == 204
    assert [each.code for each in await kept(stage)] == ["unreadable"]


@pytest.mark.parametrize("half", ["key", "messageId", "subscription"])
async def test_half_a_character_in_what_came_with_a_message_puts_it_aside(stage: Stage, half: str) -> None:
    whole = json.loads(dead_letter())
    if half == "key":
        whole["message"]["attributes"]["key"] = "\ud800"
    elif half == "messageId":
        whole["message"]["messageId"] = "\ud800"
    else:
        whole["subscription"] = "\ud800"
    assert await push(stage, bury_message, json.dumps(whole).encode()) == 204
    (dead,) = await kept(stage)
    assert dead.code == "unreadable"
    assert not dead.is_whole or "\\ud800" in dead.body


@pytest.mark.parametrize(
    "odd",
    [
        dead_letter(key="half").replace(b'"half"', b'"\xed\xa0\x80"'),
        dead_letter(key="\ud800").decode().encode("utf-16"),
    ],
)
async def test_an_envelope_that_is_no_utf_8_is_put_aside(stage: Stage, odd: bytes) -> None:
    assert await push(stage, bury_message, odd) == 204
    assert [dead.code for dead in await kept(stage)] == ["unreadable"]


@pytest.mark.parametrize("said", ["²", "9" * 5_000, "-1"])
async def test_a_number_of_deliveries_that_is_none_is_left_out(stage: Stage, said: str) -> None:
    whole = json.loads(dead_letter())
    whole["message"]["attributes"][DELIVERIES] = said
    assert await push(stage, bury_message, json.dumps(whole).encode()) == 204
    (dead,) = await kept(stage)
    assert (dead.attempts, dead.code) == (None, "given_up")


async def test_attributes_that_no_store_takes_are_left_out_and_the_message_is_kept(store: Store) -> None:
    odd = {"__a__": "1", "": "2", "n" * 1_600: "3", "plain": "4", **{f"n{n}": "é" * 4_000 for n in range(600)}}
    async with staged(store=store) as stage:
        assert await push(stage, bury_message, envelope("\N{GRINNING FACE}" * 64_000, odd)) == 204
        (dead,) = await kept(stage)
    assert dead.attributes.keys() == {"plain", *(f"n{n}" for n in range(96))}
