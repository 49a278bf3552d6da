"""The guard itself: an aiohttp connector and resolver that refuse addresses, and the httpx transport over them.

Imported by `hedgerow.outbound` at its first use only: aiohttp and httpx cost a cold
start. A name is judged by what it resolves to, in the same lookup that is then
connected to; a literal address and the scheme are judged at every request, because
aiohttp shows a resolver no literals.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, cast

import aiohttp
import certifi
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from httpx_aiohttp import AiohttpTransport

from hedgerow.addresses import Allowed, is_public, literal
from hedgerow.outbound import CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS, AddressRefusedError

if TYPE_CHECKING:
    import socket

    from aiohttp.client import ClientTimeout
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Capture holds one per event in flight: a slow PostHog at a thousand events a second needs that many.
CONNECTIONS = 2_000


def open_session(allowed: Allowed) -> aiohttp.ClientSession:
    """The one session: guarded, without cookies, proxies from the environment or endless waits."""
    return aiohttp.ClientSession(
        connector=GuardedConnector(allowed),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
    )


def open_client(session: Callable[[], aiohttp.ClientSession]) -> httpx.AsyncClient:
    """An httpx client over the session. The cookie jar takes nothing: tenants share this client."""
    return httpx.AsyncClient(
        transport=GuardedTransport(session),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
    )


class GuardedConnector(aiohttp.TCPConnector):
    """Judges scheme and literal address of every request, pooled connections and redirects included."""

    def __init__(self, allowed: Allowed) -> None:
        super().__init__(
            resolver=GuardedResolver(allowed, ThreadedResolver()),
            ssl=_trusted(),
            limit=CONNECTIONS,
            ttl_dns_cache=30,
        )
        self.allowed = allowed

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        """A connection for this request, or `AddressRefusedError`."""
        if req.proxy is not None:
            raise AddressRefusedError("Hedgerow calls no host through a proxy.")
        host, port = req.url.raw_host or "", req.url.port or 0
        if not self.allowed.has(host, port):
            if req.url.scheme not in {"https", "wss"}:
                raise AddressRefusedError(f"{host} was to be called without TLS; only https is.")
            if _passes_resolver(host) and not _is_public_literal(host):
                raise AddressRefusedError(f"{host} is a private or reserved address.")
        return await super().connect(req, traces, timeout)


def _passes_resolver(host: str) -> bool:
    """Does aiohttp take this for an address and connect without asking the resolver? Its own rule, and wide."""
    return ":" in host or host.replace(".", "").isdigit()


def _is_public_literal(host: str) -> bool:
    address = literal(host)
    return address is not None and is_public(address)


class GuardedResolver(AbstractResolver):
    """Resolves a name and hands on only what may be called."""

    def __init__(self, allowed: Allowed, resolver: AbstractResolver) -> None:
        self.allowed = allowed
        self.resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = 0) -> list[ResolveResult]:  # type: ignore[assignment]
        """The addresses of a name that may be called; `AddressRefusedError` when none may."""
        found = await self.resolver.resolve(host, port, family)
        if self.allowed.has(host, port):
            return found
        open_ones = [answer for answer in found if self._may_call(answer)]
        if found and not open_ones:
            raise AddressRefusedError(f"{host} resolves to a private or reserved address.")
        return open_ones

    def _may_call(self, answer: ResolveResult) -> bool:
        address = literal(answer["host"])
        return address is not None and (is_public(address) or self.allowed.has(answer["host"], answer["port"]))

    async def close(self) -> None:
        """Close the resolver asked."""
        await self.resolver.close()


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


def _trusted() -> ssl.SSLContext:
    """The system's authorities, a company's own among them, and the public list where the system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
