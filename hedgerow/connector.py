"""The guard itself: an aiohttp connector and resolver that refuse addresses.

Imported by `hedgerow.outbound` at its first use only: aiohttp costs a cold start. A name is
judged by what it resolves to, in the same lookup that is then connected to; a literal
address and the scheme are judged at every request, because aiohttp shows a resolver no
literals.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from hedgerow.addresses import AddressRefusedError, Allowed, is_public, literal

if TYPE_CHECKING:
    import socket

    from aiohttp.client import ClientTimeout
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

CONNECT_SECONDS = 10.0
READ_SECONDS = 90.0
TOTAL_SECONDS = 120.0
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


def _trusted() -> ssl.SSLContext:
    """The system's authorities, a company's own among them, and the public list where the system has none."""
    context = ssl.create_default_context()
    if not _has_authorities():
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _has_authorities() -> bool:
    """Whether the system keeps any, in a file or in a folder. Reading a second list costs every cold start 30 ms."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return True
    return bool(paths.capath) and any(Path(paths.capath).iterdir())
