"""One server process for the capture bench: our SDKs' host, or the bare pass-through it is held against.

`python -m bench.capture_server ours|bare ORIGIN`: prints its address and serves until it is ended.
Both run on the same uvicorn, loop and parser.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvicorn
from starlette.requests import Request

if TYPE_CHECKING:
    import aiohttp
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOP_BY_HOP = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding", b"keep-alive"})


def bare(upstream: str) -> ASGIApp:
    """Read the body, send it on, send the answer back: the least a proxy in Python can do."""
    session: aiohttp.ClientSession | None = None

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal session
        if session is None:
            import aiohttp

            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=2_000), cookie_jar=aiohttp.DummyCookieJar()
            )
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name not in _HOP_BY_HOP
        }
        async with session.post(upstream + scope["path"], data=b"".join(parts), headers=headers) as answer:
            body = await answer.read()
        sent = [(b"content-type", answer.headers["Content-Type"].encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    return proxy


def ours() -> ASGIApp:
    """The `capture` target, as the local server mounts it."""
    from functions.capture.main import capture
    from hedgerow import wiring

    app = wiring.current()

    async def host(scope: Scope, receive: Receive, send: Send) -> None:
        with wiring.override(app):
            door = await capture(Request(scope, receive))
            await door(scope, receive, send)  # type: ignore[operator]

    return host


async def serve(which: str, upstream: str) -> None:
    """Serve until the process is ended."""
    application = ours() if which == "ours" else bare(upstream)
    config = uvicorn.Config(application, port=0, log_level="error", access_log=False, lifespan="off", backlog=4096)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await server.main_loop()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(sys.argv[1], sys.argv[2]))
