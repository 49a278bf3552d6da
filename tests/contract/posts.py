"""Posts: a queue of each kind together with the place its messages are delivered to."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from hedgerow.adapters.courier import Courier
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.google import PubSubQueue
from tests.contract.processes import kill_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from hedgerow.ports import Queue


@dataclass
class Letterbox:
    """Everything that was delivered, in order; `answer` decides the status of each delivery."""

    answer: Callable[[str, dict[str, Any]], int] = lambda topic, body: 200
    envelopes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, topic: str, envelope: bytes) -> int:
        decoded: dict[str, Any] = json.loads(envelope)
        self.envelopes.append((topic, decoded))
        self._news.set()
        return self.answer(topic, self.body(decoded))

    @staticmethod
    def body(envelope: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(base64.b64decode(envelope["message"]["data"]))
        return body

    def runs(self) -> list[str]:
        """The run ids delivered so far, repetitions included."""
        return [self.body(envelope)["run_id"] for _, envelope in self.envelopes]

    async def until(self, enough: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until enough has come."""
        async with asyncio.timeout(seconds):
            while not enough():
                self._news.clear()
                await self._news.wait()


class Post(Protocol):
    """A queue under test, and how its deliveries begin."""

    @property
    def queue(self) -> Queue: ...

    def delivering(self, letterbox: Letterbox, *topics: str) -> Any:
        """Deliver the messages of `topics` into the letterbox within the block."""
        ...

    async def publish_and_die(self, number: int) -> None:
        """Let another process publish runs run_0 … and SIGKILL it when publish has returned."""
        ...


class EmbeddedPost:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "queue.db"
        self.queue = EmbeddedQueue(self._path)

    @asynccontextmanager
    async def delivering(self, letterbox: Letterbox, *topics: str) -> AsyncIterator[None]:
        running = asyncio.create_task(Courier(self.queue, letterbox.deliver, topics).run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def publish_and_die(self, number: int) -> None:
        await asyncio.to_thread(kill_after, "published", "publish-embedded", str(self._path), str(number))


class PubSubPost:
    """Topics are created when the post is, so that what is published early is kept for their subscriptions."""

    def __init__(self, project: str, host: str) -> None:
        self._project = project
        self._host = host
        self._letterbox: Letterbox | None = None
        self.queue = PubSubQueue(project, emulator_host=host)

    @asynccontextmanager
    async def open(self, *topics: str) -> AsyncIterator[PubSubPost]:
        server = web.Application(client_max_size=2**26)
        server.router.add_post("/{topic}", self._receive)
        runner = web.AppRunner(server, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        for topic in topics:
            await self.queue.ensure_push(topic, f"http://127.0.0.1:{runner.addresses[0][1]}/{topic}")
        try:
            yield self
        finally:
            await runner.cleanup()

    @asynccontextmanager
    async def delivering(self, letterbox: Letterbox, *topics: str) -> AsyncIterator[None]:
        self._letterbox = letterbox
        yield
        self._letterbox = None

    async def publish_and_die(self, number: int) -> None:
        await asyncio.to_thread(kill_after, "published", "publish-pubsub", self._host, self._project, str(number))

    async def _receive(self, request: web.Request) -> web.Response:
        if self._letterbox is None:
            return web.Response(status=503)
        return web.Response(status=await self._letterbox.deliver(request.match_info["topic"], await request.read()))
