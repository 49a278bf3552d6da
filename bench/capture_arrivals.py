"""What arrives when the upstream is off for a while: the same events to our host and to nginx, each sent once.

Nobody sends anything again but Hedgerow: its tick runs every three seconds, as on the laptop.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from bench import nginx
from bench.capture_backlog import opened
from bench.capture_bodies import TOKEN, event, uuid_of
from bench.capture_stage import connect, serving
from bench.figures import Must, Row, spread
from functions.capture.redelivery.redelivering import redeliver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp
    from aiohttp import web

    from bench.sizes import Sizes
    from hedgerow.app import App

PACE = 100
BEFORE_SECONDS = AFTER_SECONDS = 1
TICK_SECONDS = 3.0
PATIENCE_SECONDS = 120.0


async def measure(sizes: Sizes, bench: str, folder: Path) -> list[Row]:
    """Ours, which must be all of them; nginx's; and how long ours took once the upstream was back."""
    off = 60 if sizes.full else 5
    number = PACE * (BEFORE_SECONDS + off + AFTER_SECONDS)
    behind_us, behind_nginx = Counting(), Counting()
    async with opened(folder / "data", behind_us.origin) as app:
        await connect(app, behind_us.origin)
        with (
            serving("ours", behind_us.origin, folder, HEDGEROW_DATA=str(folder / "data")) as (ours, _),
            nginx.proxies(folder / "nginx", behind_nginx.origin) as peer,
        ):
            async with _ticking(app):
                sending = asyncio.create_task(_send([ours, peer.plain], number))
                for upstream in (behind_us, behind_nginx):
                    await upstream.open()
                await asyncio.sleep(BEFORE_SECONDS)
                for upstream in (behind_us, behind_nginx):
                    await upstream.close()
                await asyncio.sleep(off)
                for upstream in (behind_us, behind_nginx):
                    await upstream.open()
                back = time.monotonic()
                accepted, passed = await sending
                with suppress(TimeoutError):
                    await asyncio.wait_for(behind_us.until(accepted), PATIENCE_SECONDS)
                took = time.monotonic() - back
            for upstream in (behind_us, behind_nginx):
                await upstream.close()
    told = f"with the upstream off for {off} s"
    sent = spread([number])
    return [
        Row(
            bench,
            f"events that arrived {told}, through us",
            spread([len(behind_us.seen)]),
            "",
            sent,
            spread([len(behind_us.seen) / number]),
            Must(1.0, "ratio", at_least=True),
            f"{PACE} a second, each sent once; {accepted:,} answered 200, {behind_us.copies} arrived twice",
        ),
        Row(
            bench,
            f"events that arrived {told}, through nginx",
            spread([len(behind_nginx.seen)]),
            "",
            sent,
            spread([len(behind_nginx.seen) / number]),
            note=f"{passed:,} answered 200; an SDK tries the others again for some seconds, then drops them",
        ),
        Row(
            bench,
            f"until all had arrived after the upstream's return, {told}",
            spread([took]),
            "s",
            note=f"a tick every {TICK_SECONDS:g} s, as on the laptop; in the cloud every minute",
        ),
    ]


class Counting:
    """An upstream on one port that can be switched off and on, and knows which events came."""

    def __init__(self) -> None:
        self._port = nginx.free_port()
        self._runner: web.AppRunner | None = None
        self.origin = f"http://127.0.0.1:{self._port}"
        self.seen: set[str] = set()
        self.copies = 0
        self._came = asyncio.Event()

    async def until(self, number: int) -> None:
        """Wait for so many events."""
        while len(self.seen) < number:
            self._came.clear()
            await self._came.wait()

    async def open(self) -> None:
        """Listen."""
        from aiohttp import web

        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/batch/", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def close(self) -> None:
        """Refuse everybody, those included who were connected."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        from aiohttp import web

        for each in json.loads(await request.read())["batch"]:
            self.copies += each["uuid"] in self.seen
            self.seen.add(each["uuid"])
        self._came.set()
        return web.json_response({"status": 1})


async def _send(origins: list[str], number: int) -> list[int]:
    """Send every event to each, at the pace; how many each answered 200."""
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        began = time.monotonic()
        posts: list[list[asyncio.Task[bool]]] = [[] for _ in origins]
        for at in range(number):
            await asyncio.sleep(max(0.0, began + at / PACE - time.monotonic()))
            # Live events, each of its own instant: without one of its own it is stamped where it is accepted.
            body = json.dumps({"api_key": TOKEN, "batch": [{**event(at, uuid_of(at)), "timestamp": None}]}).encode()
            for origin, of_one in zip(origins, posts, strict=True):
                of_one.append(asyncio.create_task(_post(session, f"{origin}/batch/", body)))
        return [sum(await asyncio.gather(*of_one)) for of_one in posts]


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> bool:
    import aiohttp

    try:
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@asynccontextmanager
async def _ticking(app: App) -> AsyncIterator[None]:
    async def tick() -> None:
        while True:
            await redeliver(app)
            await asyncio.sleep(TICK_SECONDS)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
