"""One process, two loopback ports: the real `metrics` function as the framework serves it, and a bare server.

Started by `bench.reading` with the folder of a filled store; prints both ports and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import functions_framework.aio

from bench.serving import serving
from bench.years import bare
from hedgerow import wiring

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

METRICS_SOURCE = Path(__file__).resolve().parent.parent / "functions/metrics/main.py"


async def serve_both() -> None:
    """Serve until the process is ended."""
    app = wiring.current()
    real = functions_framework.aio.create_asgi_app("metrics", str(METRICS_SOURCE))  # type: ignore[no-untyped-call]

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        asked = parse_qs(scope["query_string"].decode())
        connection_id = scope["path"].split("/")[3]
        first, last = date.fromisoformat(asked["from"][0]), date.fromisoformat(asked["to"][0])
        body = await bare(app.store, connection_id, first, last)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with serving(real) as real_address, serving(plain) as bare_address:
        sys.stdout.write(f"{real_address} {bare_address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_both())
