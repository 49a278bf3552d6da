"""A room for what passes through: an upstream on this machine that answers what a test wants and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aiohttp import web

from functions.capture.through.asking import Asked, Headers, Passed
from functions.capture.through.passing import Passing
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from hedgerow.ports import Store

Answering = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]
TOKEN = "phc_ours"


@dataclass
class Seen:
    """A request as the upstream got it."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> list[str]:
        """All values of a header."""
        return [value.decode() for key, value in self.headers if key.decode().lower() == name.lower()]


@dataclass
class Upstream:
    """`answers` makes each answer, after `delay` seconds."""

    answers: Answering
    delay: float = 0.0
    origin: str = ""
    seen: list[Seen] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _port: int = 0

    async def meet(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.raw_path, list(request.raw_headers), await request.read()))
        await asyncio.sleep(self.delay)
        answer = self.answers(request)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    async def switch_on(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self.meet)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.origin = f"http://127.0.0.1:{self._port}"

    async def switch_off(self) -> None:
        """Stop listening; open connections are cut."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()


@dataclass
class Room:
    """One installation, one upstream, and the way through between them."""

    stage: Stage
    upstream: Upstream
    passing: Passing

    def restarted(self, **settings: object) -> Room:
        """The same installation in a new process: its memory is empty, its store is not."""
        app = replace(self.stage.app, settings=self.stage.app.settings.model_copy(update=settings))
        return Room(self.stage, self.upstream, Passing(app))

    async def ask(self, asked: Asked, origin: str | None = "") -> Passed:
        """The answer; `origin` is the upstream's unless another is given."""
        passed = await self.passing.answer(asked, self.upstream.origin if origin == "" else origin)
        assert passed is not None
        return passed


def get(target: str, *headers: tuple[str, str], method: str = "GET") -> Asked:
    """A request without a body, from a browser's address."""
    path, _, query = target.partition("?")
    return Asked(method, path, query.encode(), [(n.encode(), v.encode()) for n, v in headers], b"", "203.0.113.7")


def flags(body: bytes, *headers: tuple[str, str], target: str = "/flags/?v=2") -> Asked:
    """A question about flags."""
    asked = get(target, ("content-type", "application/json"), *headers, method="POST")
    asked.body = body
    return asked


def header(passed: Passed, name: str) -> str | None:
    """The one value of a header of an answer."""
    found = [value.decode() for key, value in passed.headers if key.decode().lower() == name.lower()]
    assert len(found) < 2, f"{name} came {len(found)} times"
    return found[0] if found else None


async def whole(passed: Passed) -> bytes:
    """The body, collected where it streams."""
    if isinstance(passed.body, bytes):
        return passed.body
    return b"".join([part async for part in passed.body])


def json_answer(text: str, **headers: str) -> Answering:
    """An upstream that always says this."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(body=text.encode(), content_type="application/json", headers=named)


@asynccontextmanager
async def furnished(answers: Answering, *, delay: float = 0.0, store: Store | None = None) -> AsyncIterator[Room]:
    """A room for the block."""
    upstream = Upstream(answers, delay)
    await upstream.switch_on()
    try:
        port = upstream.origin.rpartition(":")[2]
        async with staged([f"127.0.0.1:{port}", f"localhost:{port}"], store) as stage:
            yield Room(stage, upstream, Passing(stage.app))
    finally:
        await upstream.switch_off()
