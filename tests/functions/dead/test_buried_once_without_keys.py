"""What never works is kept once, however late it comes again, and without keys; what may work is asked for again."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from functions.alerts.main import evaluate_alerts
from functions.dead.main import bury_message
from hedgerow.entrypoint import on_message
from hedgerow.errors import RejectedError, TransientError
from hedgerow.messages import RunEnded
from hedgerow.pushes import DELIVERIES, PROJECT, PUBLISHED, SUBSCRIPTION, dead_letter_attributes, unwrap
from tests.functions.dead.dying import kept, push
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.app import App

BODY = RunEnded(connection_id="con_1", run_id="run_1").model_dump_json()
KEY = "phx_abcdefgh12345678"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


def envelope(body: str, **message: object) -> bytes:
    whole = {"data": base64.b64encode(body.encode()).decode(), "messageId": "7", "attributes": {"key": "k"}, **message}
    return json.dumps({"message": whole, "subscription": "projects/p/subscriptions/hedgerow-run-ended"}).encode()


async def test_what_our_own_services_refuse_for_good_is_put_aside(stage: Stage) -> None:
    @on_message(RunEnded)
    async def refused(app: App, message: RunEnded) -> None:
        raise RejectedError("No record has this form.")

    assert await push(stage, refused, envelope(BODY)) == 204
    (dead,) = await kept(stage)
    assert (dead.code, dead.reason) == ("rejected", "No record has this form. [rejected]")


@pytest.mark.parametrize("error", [TransientError("The store is away."), RuntimeError("a bug")])
async def test_what_may_pass_and_what_is_a_bug_are_asked_for_again(stage: Stage, error: Exception) -> None:
    @on_message(RunEnded)
    async def failing(app: App, message: RunEnded) -> None:
        raise error

    assert await push(stage, failing, envelope(BODY)) == 503
    assert await kept(stage) == []


async def test_a_delivery_repeated_a_day_later_makes_no_second_record(stage: Stage) -> None:
    assert await push(stage, evaluate_alerts, envelope("no JSON")) == 204
    stage.clock.forward(timedelta(days=1))
    assert await push(stage, evaluate_alerts, envelope("no JSON")) == 204
    assert len(await kept(stage)) == 1
    assert await push(stage, evaluate_alerts, envelope("no JSON", messageId="8")) == 204
    assert len(await kept(stage)) == 2


async def test_no_part_of_what_is_kept_shows_a_key(stage: Stage) -> None:
    odd = {"key": f"of {KEY}", f"name {KEY}": "x", "note": KEY}
    given_up = {**odd, **dead_letter_attributes("hedgerow-run-ended", 10, "")}
    assert await push(stage, bury_message, envelope(f"with {KEY}", attributes=given_up)) == 204
    assert await push(stage, evaluate_alerts, envelope(f"with {KEY}", attributes=odd)) == 204

    buried = await kept(stage)
    assert len(buried) == 2
    assert not any("abcdefgh" in each.model_dump_json() for each in buried)


async def test_a_message_without_attributes_is_a_message(stage: Stage) -> None:
    assert dict(unwrap(envelope(BODY, attributes=None)).attributes) == {}
    assert dict(unwrap(envelope(BODY, attributes={})).attributes) == {}


def test_half_a_character_is_met_in_either_spelling() -> None:
    for half in (b"\\ud800", b"\\uD800"):
        with pytest.raises(ValueError, match=r"surrogates|envelope"):
            unwrap(envelope(BODY, messageId="HALF").replace(b"HALF", half))


def test_a_dead_letter_says_whence_by_names() -> None:
    wanted = {SUBSCRIPTION: "hedgerow-run-ended", PROJECT: "acme", DELIVERIES: "10", PUBLISHED: "then"}
    assert dead_letter_attributes("projects/acme/subscriptions/hedgerow-run-ended", 10, "then") == wanted
