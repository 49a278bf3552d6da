"""What the adapters to Google's services share: a client for each event loop, its channel, how calls repeat."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from hedgerow.adapters.google_errors import is_worth_repeating

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.api_core.retry_async import AsyncRetry

PATIENCE_SECONDS = 20.0
"""How long one call may take with all its repetitions; the libraries' own 60 s outlives most callers."""
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A connection may die unseen while the platform throttles an idle instance. Google's own clients ask every
    # 30 s as well; what the other side leaves unanswered for 5 s ends the connection, and the call is repeated.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # After an outage a channel waits up to two minutes before it knocks again, and fails every call meanwhile.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class _Transport(Protocol):
    def close(self) -> Awaitable[None]: ...


class _Client(Protocol):
    @property
    def transport(self) -> _Transport: ...


C = TypeVar("C", bound=_Client)
T = TypeVar("T")


class ClientPerLoop(Generic[C]):
    """Makes a client at its first use in an event loop: a gRPC channel dies with the loop that opened it."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, C] = WeakKeyDictionary()

    def get(self) -> C:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._make()
        return client

    async def close(self) -> None:
        """Close the running loop's client; those of other loops went with them."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.transport.close()


def open_transport(transport: Any, emulator_host: str | None) -> Any:
    """A transport of Google's over a channel of ours: to the service, or in plain text to "host:port".

    To the service it takes the credentials of the environment; `DefaultCredentialsError` without any.
    """
    import grpc.aio

    options = list(CHANNEL_OPTIONS)
    if emulator_host is not None:
        return transport(channel=grpc.aio.insecure_channel(emulator_host, options=options))
    return transport(channel=transport.create_channel(options=options))


def short_retry() -> AsyncRetry:
    """Repeat what is worth repeating, with jitter and from 0.1 s on, for at most `PATIENCE_SECONDS`."""
    from google.api_core.retry_async import AsyncRetry

    return AsyncRetry(predicate=is_worth_repeating, initial=0.1, maximum=2.0, multiplier=2.0, timeout=PATIENCE_SECONDS)


def patience() -> dict[str, Any]:
    """What a call is given unless it has a reason of its own: how it repeats, and when it gives up."""
    return {"retry": short_retry(), "timeout": PATIENCE_SECONDS}


def plain_instant(at: datetime | None) -> datetime | None:
    """Google's own class of instants counts nanoseconds and equals no other."""
    return datetime.fromtimestamp(at.timestamp(), UTC) if at else None


async def repeatedly(read: Callable[[float], Awaitable[T]]) -> T:
    """What `read(timeout)` answers, repeated as a whole where it fails: a stream's own retry ends at its beginning."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def attempt() -> T:
        return await read(max(0.1, deadline - asyncio.get_running_loop().time()))

    repeating: Callable[[], Awaitable[T]] = short_retry()(attempt)
    return await repeating()
