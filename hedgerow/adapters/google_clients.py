"""What the adapters to Google's services share: a client for each event loop, and its errors in our words."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from hedgerow.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import grpc.aio
    from google.api_core.retry_async import AsyncRetry

PATIENCE_SECONDS = 20.0
"""How long one call may take with all its repetitions; the libraries' own 60 s outlives most callers."""


class _Transport(Protocol):
    def close(self) -> Awaitable[None]: ...


class _Client(Protocol):
    @property
    def transport(self) -> _Transport: ...


C = TypeVar("C", bound=_Client)


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


def emulator_channel(host: str) -> grpc.aio.Channel:
    """A plain-text channel to an emulator at "host:port", for messages of any size as the service takes them."""
    import grpc.aio

    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    return grpc.aio.insecure_channel(host, options=unlimited)


def short_retry() -> AsyncRetry:
    """Repeat what is worth repeating, from 0.1 s on, for at most `PATIENCE_SECONDS`."""
    from google.api_core import exceptions
    from google.api_core.retry import if_exception_type
    from google.api_core.retry_async import AsyncRetry

    return AsyncRetry(
        predicate=if_exception_type(exceptions.ServiceUnavailable, exceptions.ResourceExhausted),
        initial=0.1,
        maximum=2.0,
        multiplier=2.0,
        timeout=PATIENCE_SECONDS,
    )


@contextmanager
def google_errors(service: str) -> Iterator[None]:
    """Turn whatever says "not now" into a `TransientError`; a refusal of the request itself passes.

    Missing rights count as "not now": they come and go with the deployment, not with
    the request, and a message that met them must come back.
    """
    from google.api_core import exceptions as google
    from google.auth.exceptions import RefreshError, TransportError

    try:
        yield
    except (google.Forbidden, google.Unauthorized) as error:
        raise TransientError(
            f"{service} refuses this service account: {error.message}",
            code="no_rights",
            hint="Give the function's service account the roles of infra/terraform.",
        ) from error
    except (google.ServerError, google.TooManyRequests, google.Aborted, google.Cancelled) as error:
        raise TransientError(f"{service} did not answer: {error.message}") from error
    except (google.RetryError, RefreshError, TransportError) as error:
        raise TransientError(f"{service} cannot be reached: {error}") from error
