"""Draining a backlog by redelivery's own tick, against POSTing the same ready bodies and nothing else.

The floor is one aiohttp session with as many requests in flight; bodies lie in memory. Ours
reads them from SQLite and writes down what became of each, durably.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench import capture_memory, nginx
from bench.capture_backlog import copied, fill, packed
from bench.capture_stage import far_away
from bench.figures import Row, rated, unmeasured
from bench.rounds import in_turn
from bench.sizes import Sizes
from functions.capture.redelivery.draining import MOST_WIDTH
from functions.capture.redelivery.redelivering import redeliver
from hedgerow.posthog.ingestion import PATHS, USER_AGENT

if TYPE_CHECKING:
    import aiohttp

NAME = "capture_drain"
BATCH = 100
AWAY_SECONDS = 0.02
LEAST, LEAST_AWAY = 0.75, 0.95


def measure(sizes: Sizes) -> list[Row]:
    """A row for an upstream that answers at once, one for an upstream 20 ms away, and the memory it takes."""
    if not nginx.is_there():
        return [unmeasured(NAME, "draining a backlog", "nginx (apt-get install nginx-light) is not here")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with nginx.upstream(folder / "nginx") as instant, far_away(AWAY_SECONDS, folder) as away:
            rows = uvloop.run(_measure(sizes, folder, instant, away))
        return rows + capture_memory.measure(sizes, NAME, folder / "memory")


async def _measure(sizes: Sizes, folder: Path, instant: str, away: str) -> list[Row]:
    batches = list(islice(packed(BATCH), sizes.events // BATCH))
    await fill(folder / "template", instant, batches)
    payloads = [batch.payload for batch in batches]
    rows: list[Row] = []
    for origin, what, least, rounds in (
        (instant, "an upstream that answers at once", LEAST, sizes.rounds),
        # 10,000 requests, 16 at a time, 20 ms each: a round of both takes half a minute.
        (away, "an upstream 20 ms away", LEAST_AWAY, 3),
    ):
        rates = await in_turn(
            rounds,
            {
                "drained": partial(_drained, folder, origin, len(payloads)),
                "sent": partial(_sent, origin, payloads),
            },
        )
        told = f"draining {sizes.events:,} events in batches of {BATCH}, {what}, against sending the same bodies"
        rows.append(rated(NAME, told, rates["drained"], rates["sent"], least=least, note="events a second"))
    return rows


async def _drained(folder: Path, origin: str, batches: int) -> float:
    """Events a second until nothing waits any more."""
    async with copied(folder / "template", folder / "drained", origin) as app:
        delivered = 0
        began = time.perf_counter()
        while (answer := await redeliver(app))["waiting"]:
            delivered += int(str(answer.get("delivered", 0)))
        took = time.perf_counter() - began
    if delivered != batches * BATCH:
        raise RuntimeError(f"{delivered} of {batches * BATCH} events were delivered")
    return delivered / took


async def _sent(origin: str, payloads: list[bytes]) -> float:
    """Events a second when the bodies are only sent."""
    import aiohttp

    waiting = iter(payloads)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MOST_WIDTH)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(_send_all(session, origin + PATHS["events"], waiting) for _ in range(MOST_WIDTH)))
        took = time.perf_counter() - began
    return len(payloads) * BATCH / took


async def _send_all(session: aiohttp.ClientSession, url: str, waiting: Iterator[bytes]) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "User-Agent": USER_AGENT}
    for payload in waiting:
        async with session.post(url, data=payload, headers=headers) as answer:
            await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the upstream answered {answer.status}")
