"""Reading two years of twelve series: the documents it takes, and its time through HTTP against a bare server.

Both servers are one process with one SQLite store and one uvicorn; the client keeps its
connections. The time is from sending the request to having the whole body.
"""

from __future__ import annotations

import asyncio
import http.client
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from bench.children import child
from bench.figures import Row, compared, counted
from bench.installation import ADMIN_KEY
from bench.rounds import in_turn, timing
from bench.sizes import Sizes
from bench.years import NAMES, Filled, bare, fill
from functions.metrics.main import metrics
from hedgerow import wiring
from hedgerow.app import App
from hedgerow.settings import Settings
from tests.crash import CountingStore, Ledger

NAME = "reading"
SERIES = f"{len(NAMES)} series × 2 years"


def measure(sizes: Sizes) -> list[Row]:
    """Documents for two alignments of two years; the time against a bare server, and against no server at all."""
    return asyncio.run(_measure(sizes))


async def _measure(sizes: Sizes) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        app = wiring.build(Settings(data=Path(folder), admin_key=SecretStr(ADMIN_KEY)))
        try:
            filled = await fill(app)
            rows = [
                await _documents(app, filled, filled.whole, "24 whole months"),
                await _documents(app, filled, filled.mid, "up to today, which touch 25 months"),
            ]
            with child(
                [sys.executable, "-m", "bench.reading_server"],
                Path(folder) / "server.log",
                {"HEDGEROW_DATA": folder, "HEDGEROW_ADMIN_KEY": ADMIN_KEY, "HEDGEROW_REQUESTS_PER_MINUTE": "1000000"},
            ) as server:
                line = server.stdout.readline() if server.stdout else ""
                if not line:
                    raise RuntimeError((Path(folder) / "server.log").read_text(encoding="utf-8")[-2000:])
                real, plain = line.split()
                rows += await _times(app, filled, real, plain, sizes)
        finally:
            await app.store.close()
            await app.queue.close()
    return rows


async def _documents(app: App, filled: Filled, window: tuple[date, date], which: str) -> Row:
    ledger = Ledger()
    counting = App(app.settings, CountingStore(app.store, ledger), app.vault, app.queue, app.outbound, app.now)

    async def family(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await metrics(Request(scope, receive))
        await answer(scope, receive, send)  # type: ignore[operator]

    with wiring.override(counting):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(family), base_url="http://hedgerow.bench") as http:
            answer = await http.get(_path(filled, window), headers={"Authorization": f"Bearer {filled.key}"})
    points = sum(len(series["points"]) for series in answer.raise_for_status().json()["series"])
    expected = len(NAMES) * ((window[1] - window[0]).days + 1)
    if points != expected:
        raise RuntimeError(f"{points} points came instead of {expected}")
    note = ", ".join(f"{count} {line.removeprefix('read ')}" for line, count in ledger.lines.items() if "read" in line)
    return counted(NAME, f"documents read, {SERIES}, {which}", [ledger.reads], limit=26, note=note)


async def _times(app: App, filled: Filled, real: str, plain: str, sizes: Sizes) -> list[Row]:
    window, path = filled.mid, _path(filled, filled.mid)
    headers = {"Authorization": f"Bearer {filled.key}"}
    clients = {name: http.client.HTTPConnection(address) for name, address in (("real", real), ("bare", plain))}
    bodies = {name: _get(client, path, headers) for name, client in clients.items()}
    bodies["none"] = await bare(app.store, filled.connection_id, *window)
    if len(set(bodies.values())) != 1:
        raise RuntimeError("the three readings do not give the same bytes")

    def through(name: str) -> float:
        began = time.perf_counter()
        for _ in range(sizes.requests):
            _get(clients[name], path, headers)
        return (time.perf_counter() - began) / sizes.requests

    async def real_one() -> float:
        return through("real")

    async def bare_one() -> float:
        return through("bare")

    async def without() -> None:
        for _ in range(sizes.requests):
            await bare(app.store, filled.connection_id, *window)

    seconds = await in_turn(sizes.rounds, {"real": real_one, "bare": bare_one, "none": timing(without)})
    seconds["none"] = [total / sizes.requests for total in seconds["none"]]
    note = f"each sample the mean of {sizes.requests} requests; answers of {len(bodies['real']) // 1024} KiB, the same bytes"
    return [
        compared(
            NAME,
            f"reading {SERIES} through HTTP against a bare server",
            seconds["real"],
            seconds["bare"],
            limit=2.0,
            note=note,
        ),
        compared(
            NAME,
            f"reading {SERIES} through HTTP against the bare reading without any server",
            seconds["real"],
            seconds["none"],
            limit=2.0,
            note="the stricter way to read the same promise",
        ),
    ]


def _path(filled: Filled, window: tuple[date, date]) -> str:
    asked = [("name", name) for name in NAMES] + [("from", str(window[0])), ("to", str(window[1]))]
    return f"/v1/connections/{filled.connection_id}/metrics?{urlencode(asked)}"


def _get(client: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {body[:500]!r}")
    return body
