"""`/health` and `/ready` on every target."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import httpx
import pytest
from starlette.requests import Request

from functions.api.routes import function, targets
from hedgerow import health, wiring
from hedgerow.app import App
from hedgerow.errors import TransientError
from tests.crash import CountingStore, Ledger
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hedgerow.messages import Message


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@asynccontextmanager
async def calling(app: App, target: Callable[[Request], Awaitable[object]]) -> AsyncIterator[httpx.AsyncClient]:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await cast("ASGIApp", await target(Request(scope, receive)))(scope, receive, send)

    with wiring.override(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://here") as client:
            yield client


@dataclass
class DeafQueue:
    """A queue that answers as it is told to."""

    error: BaseException | None = None
    asked: int = 0
    hangs: asyncio.Event | None = field(default=None)

    async def publish(self, *messages: Message) -> None:
        raise AssertionError("nothing is to be published")

    async def reach(self) -> None:
        self.asked += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        return


@pytest.mark.parametrize("name", sorted(targets()))
async def test_every_target_says_that_it_lives_and_that_it_is_ready(stage: Stage, name: str) -> None:
    async with calling(stage.app, function(targets()[name])) as client:
        for path, said in (("/health", "alive"), ("/ready", "ready")):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": said})
            assert answer.headers["cache-control"] == "no-store"
            head = await client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert (await client.post(path)).status_code == 405


async def test_health_touches_nothing(stage: Stage) -> None:
    ledger, queue = Ledger(), DeafQueue(TransientError("gone"))
    app = replace(stage.app, store=CountingStore(stage.store, ledger), queue=queue)
    async with calling(app, importlib.import_module("functions.api.main").api) as client:
        assert (await client.get("/health")).status_code == 200
    assert (ledger.reads, queue.asked) == (0, 0)


async def test_a_stranger_is_told_that_it_is_not_ready_and_nothing_more(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    app = replace(stage.app, queue=DeafQueue(TransientError("projects/acme lacks pubsub")))
    async with calling(app, importlib.import_module("functions.capture.main").capture) as client:
        answer = await client.get("/ready")
        head = await client.head("/ready")
    assert answer.status_code == head.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_ready"
    assert "acme" not in answer.text
    assert "projects/acme lacks pubsub" in capfd.readouterr().err


async def test_what_does_not_answer_is_not_waited_for(stage: Stage) -> None:
    app = replace(stage.app, queue=DeafQueue(hangs=asyncio.Event()))
    async with asyncio.timeout(health.LOOK_SECONDS + 3), calling(app, function(targets()["api"])) as client:
        assert (await client.get("/ready")).status_code == 503


async def test_a_crowd_of_strangers_asks_the_store_once(stage: Stage) -> None:
    ledger, queue = Ledger(), DeafQueue()
    app = replace(stage.app, store=CountingStore(stage.store, ledger), queue=queue)
    async with calling(app, function(targets()["api"])) as client:
        answers = await asyncio.gather(*(client.get("/ready") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert (ledger.reads, queue.asked) == (1, 1)
        queue.error = TransientError("gone")
        await asyncio.sleep(health.FRESH_SECONDS + 0.05)
        assert (await client.get("/ready")).status_code == 503
        assert queue.asked == 2
