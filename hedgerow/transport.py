"""The httpx client over the guarded session, and httpx's errors for aiohttp's.

Imported at its first use only, and not by capture, which speaks to the session itself.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from hedgerow.connector import CONNECT_SECONDS, READ_SECONDS


def open_client(session: Callable[[], aiohttp.ClientSession]) -> httpx.AsyncClient:
    """An httpx client over the session. The cookie jar takes nothing: tenants share this client."""
    return httpx.AsyncClient(
        transport=GuardedTransport(session),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
    )


class GuardedTransport(AiohttpTransport):
    """httpx's errors for aiohttp's, told apart rightly.

    The transport it extends calls every lost connection a connect timeout and lets
    aiohttp's protocol errors through as they are.
    """

    def __init__(self, session: Callable[[], aiohttp.ClientSession]) -> None:
        # The context is the session's business; handing one over saves building another.
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), client=session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body comes as a stream."""
        try:
            response = await super().handle_async_request(request)
        except (httpx.TransportError, aiohttp.ClientError) as error:
            raise _told_apart(error, request) from error
        response.stream = _Body(cast("httpx.AsyncByteStream", response.stream), request)
        return response


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, request: httpx.Request) -> None:
        self.stream = stream
        self.request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.stream:
                yield chunk
        except (httpx.TransportError, aiohttp.ClientError) as error:
            raise _told_apart(error, self.request) from error

    async def aclose(self) -> None:
        await self.stream.aclose()


def _told_apart(error: httpx.TransportError | aiohttp.ClientError, request: httpx.Request) -> httpx.TransportError:
    cause = error if isinstance(error, aiohttp.ClientError) else error.__cause__
    if isinstance(cause, TimeoutError):
        kind = httpx.ConnectTimeout if isinstance(cause, aiohttp.ConnectionTimeoutError) else httpx.ReadTimeout
        return kind("no answer in time", request=request)
    if isinstance(cause, aiohttp.ClientConnectorError):
        told: httpx.TransportError = httpx.ConnectError(str(cause), request=request)
    elif isinstance(cause, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        told = httpx.ReadError(str(cause), request=request)
    elif isinstance(cause, aiohttp.ClientError):
        told = httpx.RemoteProtocolError(str(cause), request=request)
    else:
        return error if isinstance(error, httpx.TransportError) else httpx.ReadError(str(error), request=request)
    return told
