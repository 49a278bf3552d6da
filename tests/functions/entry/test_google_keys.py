"""The key set: kept as long as Google says, asked for again when a key is new, never hammered, never thrown away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from hedgerow import google_keys
from hedgerow.app import App
from hedgerow.errors import TransientError
from tests.google_tokens import certificates
from tests.loopback import Loopback, answering, http
from tests.stage import Clock, Stage, staged


def served(*names: str, age: str = "Cache-Control: public, max-age=3600") -> bytes:
    return http(certificates(*names), "200 OK", age)


@pytest.fixture
async def certs() -> AsyncIterator[Loopback]:
    async with answering(served("first")) as server:
        yield server


@pytest.fixture
async def stage(certs: Loopback) -> AsyncIterator[Stage]:
    async with staged([f"127.0.0.1:{certs.port}"]) as stage:
        yield stage


@pytest.fixture
def app(stage: Stage, certs: Loopback) -> App:
    there = {"google_certs": f"http://127.0.0.1:{certs.port}/certs"}
    return replace(stage.app, settings=stage.app.settings.model_copy(update=there))


@pytest.fixture
def clock(stage: Stage) -> Clock:
    return stage.clock


async def has(app: App, kid: str) -> bool:
    return await google_keys.of(app).key(app, kid) is not None


async def test_keys_are_kept_for_their_max_age(app: App, certs: Loopback, clock: Clock) -> None:
    assert await has(app, "first")
    clock.forward(timedelta(minutes=59))
    assert await has(app, "first")
    assert len(certs.seen) == 1
    clock.forward(timedelta(minutes=1))
    assert await has(app, "first")
    assert len(certs.seen) == 2


async def test_the_time_an_answer_spent_on_its_way_is_taken_off(app: App, certs: Loopback, clock: Clock) -> None:
    certs.answer = http(certificates("first"), "200 OK", "Cache-Control: max-age=3600", "Age: 3000")
    assert await has(app, "first")
    clock.forward(timedelta(minutes=10))
    assert await has(app, "first")
    assert len(certs.seen) == 2


async def test_a_rotated_key_is_found_at_once_and_a_made_up_one_asks_once_a_minute(
    app: App, certs: Loopback, clock: Clock
) -> None:
    assert await has(app, "first")
    clock.forward(timedelta(minutes=2))
    certs.answer = served("first", "second")
    assert await has(app, "second")
    assert len(certs.seen) == 2
    for number in range(20):
        assert not await has(app, f"made-up-{number}")
    assert len(certs.seen) == 2
    clock.forward(timedelta(minutes=1))
    assert not await has(app, "made-up")
    assert len(certs.seen) == 3


@pytest.mark.parametrize(("said", "kept"), [("max-age=999999999", 24 * 60), ("max-age=0", 1), ("no-store", 60)])
async def test_an_answer_is_kept_for_a_minute_at_least_and_a_day_at_most(
    app: App, certs: Loopback, clock: Clock, said: str, kept: int
) -> None:
    certs.answer = served("first", age=f"Cache-Control: {said}")
    assert await has(app, "first")
    clock.forward(timedelta(minutes=kept, seconds=-1))
    assert await has(app, "first")
    assert len(certs.seen) == 1
    clock.forward(timedelta(seconds=1))
    assert await has(app, "first")
    assert len(certs.seen) == 2


async def test_a_clock_that_is_set_back_keeps_no_new_key_waiting(app: App, certs: Loopback, clock: Clock) -> None:
    assert await has(app, "first")
    certs.answer = served("first", "second")
    clock.forward(-timedelta(hours=5))
    assert await has(app, "second")


async def test_more_than_keys_can_be_is_not_read(app: App, certs: Loopback, clock: Clock) -> None:
    assert await has(app, "first")
    certs.answer = http(certificates("second") + b" " * 300_000)
    clock.forward(timedelta(hours=1))
    assert await has(app, "first")


async def test_a_key_that_google_took_back_is_gone_with_the_next_answer(
    app: App, certs: Loopback, clock: Clock
) -> None:
    assert await has(app, "first")
    certs.answer = served("second")
    clock.forward(timedelta(hours=1))
    assert not await has(app, "first")


@pytest.mark.parametrize(
    "answer",
    [
        http(b"", "500 Internal Server Error"),
        http(b"{}"),
        http(b"[]"),
        http(b'{"first": "no certificate"}'),
        http(b"not JSON"),
        http(b"[" * 50_000),
        http(b'"' + b"x" * 300_000 + b'"'),
        http(b"{", length=1000),
        b"",
    ],
)
async def test_what_was_known_stays_when_the_answer_is_none(
    app: App, certs: Loopback, clock: Clock, answer: bytes
) -> None:
    assert await has(app, "first")
    certs.answer = answer
    clock.forward(timedelta(hours=2))
    assert await has(app, "first")
    assert len(certs.seen) >= 2
    tries = len(certs.seen)
    assert await has(app, "first")
    assert len(certs.seen) == tries


async def test_with_no_key_at_all_nobody_can_be_judged(app: App, certs: Loopback) -> None:
    certs.answer = http(b"", "503 Service Unavailable")
    with pytest.raises(TransientError) as caught:
        await has(app, "first")
    assert caught.value.code == "keys_unavailable"
