"""`hedgerow dev`: every target of the manifest on one port, ticks on a clock, messages pushed.

It plays the parts of Cloud Scheduler and Pub/Sub, and holds what it needs to go on after a
kill in one folder. What it serves is the same code that the cloud runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn
from starlette.requests import Request

from functions.api.routes import function, targets
from hedgerow import messages, wiring
from hedgerow.errors import HedgerowError, MisconfiguredError, TransientError
from hedgerow.outbound import GuardedOutbound
from hedgerow.pushes import DEAD_TOPIC
from local import restart
from local.chat import ChatServices
from local.clockwork import Clockwork
from local.dev_settings import CannotStartError, Options, at_home, clock_from, settings_of
from local.private import PrivateTargets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from hedgerow.app import App

# Together below the five seconds in which a SIGTERM must have ended everything.
GRACE_SECONDS = 2
CLOSE_SECONDS = 1.5
LAST_SECONDS = 4.5


class Doors:
    """ASGI: the public API under /v1, the chat of this machine under /inbox, the SDKs' host on every other path.

    Pushes come in by their secret path.
    """

    def __init__(self, app: App, private: PrivateTargets) -> None:
        self._app = app
        self._private = private
        self._chat = ChatServices(app.now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or await self._private.push(scope, receive, send):
            return
        if f"{scope['path']}/".startswith("/inbox/"):
            await self._chat(scope, receive, send)
            return
        # An SDK knows one host and its own paths on it; the API has its version before every path of its own.
        name = "api" if f"{scope['path']}/".startswith("/v1/") else "capture"
        with wiring.override(self._app):
            family = await function(targets()[name])(Request(scope, receive))
            await family(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, and say so."""
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals are ours: uvicorn would raise them again at the end, and exit as killed."""
        yield


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT. `CannotStartError` when the port, the folder or an emulator is not to be had."""
    with _listen(options.port) as listener:
        here = f"127.0.0.1:{listener.getsockname()[1]}"
        _own(options.data, f"http://{here}")
        settings = at_home(settings_of(options), here)
        try:
            app = wiring.build(settings, clock_from(options.now))
        except HedgerowError as error:
            raise CannotStartError(f"{error.detail} {error.hint}") from error
        asyncio.run(_serve(app, listener))


async def _serve(app: App, listener: socket.socket) -> None:
    try:
        await restart.let_go(app)
    except MisconfiguredError as error:
        raise CannotStartError(f"{error.detail} {error.hint}") from error
    # An SDK's clock is corrected by how long its request took: the first must not wait for imports.
    import functions.capture.door  # noqa: F401

    function(targets()["capture"])
    private = PrivateTargets(app)
    clockwork = Clockwork(app, private)
    config = uvicorn.Config(
        Doors(app, private),
        log_level="warning",
        access_log=False,
        # What it says itself is a line of ours too, not bare text.
        log_config=None,
        # Who the client is, `HEDGEROW_FORWARDED_HOPS` says; uvicorn would believe anybody on this machine.
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    _stop_on_signals(server)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listens.wait()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    parts = [
        asyncio.create_task(clockwork.run()),
        asyncio.create_task(clockwork.run_redelivery()),
        await _carrier(app, private, address),
    ]
    working = [part for part in parts if part is not None]
    print(f"chat {address}/inbox", flush=True)
    print(f"ready {address}", flush=True)
    try:
        # The clock or the courier only end by a bug; without them the server would lie about working.
        done, _ = await asyncio.wait([serving, *working], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        for part in done:
            part.result()
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await _close(app, private, working)


async def _carrier(app: App, private: PrivateTargets, address: str) -> asyncio.Task[None] | None:
    """Begin to carry messages: our own courier, or the emulator's pushes."""
    from hedgerow.adapters.google import PubSubQueue

    if isinstance(app.queue, PubSubQueue):
        for topic in [*(kind.topic for kind in messages.Message.__subclasses__()), DEAD_TOPIC]:
            subscriber = private.subscribers.get(topic)
            name = subscriber.name if subscriber else "nobody"
            try:
                await app.queue.ensure_push(topic, f"{address}{private.push_path}/{name}")
            except TransientError as error:
                raise CannotStartError(f"The Pub/Sub emulator does not answer: {error.detail}") from error
        return None
    from hedgerow.adapters.courier import Courier
    from hedgerow.adapters.embedded import EmbeddedQueue

    if not isinstance(app.queue, EmbeddedQueue):
        raise TypeError("the courier carries for the embedded queue alone")
    # A PostHog that hangs holds its delivery for over a minute: a tenant's worth of them must not stop the others.
    return asyncio.create_task(Courier(app.queue, private.deliver, private.subscribers, concurrency=64).run())


async def _close(app: App, private: PrivateTargets, parts: list[asyncio.Task[None]]) -> None:
    for part in parts:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)
    await private.close()
    if isinstance(app.outbound, GuardedOutbound):
        await app.outbound.close()
    await wiring.close(app)


def _stop_on_signals(server: uvicorn.Server) -> None:
    def stop() -> None:
        server.should_exit = True
        # A target stuck in a thread or a closing that hangs must not hold the terminal.
        last = threading.Timer(LAST_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named; with it, every answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise CannotStartError(f"Port {port} cannot be used ({error.strerror}); choose another with --port.") from error
    return listener


def _own(data: Path, address: str) -> None:
    """Two servers on one folder would deliver every message twice and call every tick twice.

    The lock's file says where its holder listens, for the operator's commands.
    """
    import fcntl

    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(data / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.write(handle, f"{address}\n".encode())
    except BlockingIOError as error:
        raise CannotStartError(
            f"Another server runs on {data}; stop it, or choose another folder with --data."
        ) from error
    except OSError as error:
        raise CannotStartError(f"The folder {data} cannot be used: {error.strerror}.") from error
