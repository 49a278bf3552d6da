"""Which headers go through, both ways. Pure.

To PostHog goes what the SDK sent, with the chain of addresses lengthened; never a cookie, nothing
of the platform's or ours. Back comes what PostHog said of its answer; nothing it may say to a
browser about our own origin: no cookie, no rule for connections, storage or redirects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.capture.through.asking import Asked, Headers, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"trailers",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_SENT = _HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"cookie",
    b"cookie2",
    b"expect",
    b"forwarded",
    b"x-real-ip",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-http-method-override",
    b"x-cloud-trace-context",
    b"x-serverless-authorization",
    b"function-execution-id",
}
_NOT_SENT_BEGIN = (b"x-forwarded-", b"hedgerow-", b"x-hedgerow-", b"x-goog-", b"x-appengine-")
_SENT_FOR_ALL = frozenset({b"accept", b"accept-language", b"user-agent", b"origin", b"referer"})
"""Of a question whose answer others get as well: whatever else one client writes must not be in it."""

_NOT_RETURNED = _HOP_BY_HOP | {
    b"set-cookie",
    b"set-cookie2",
    b"date",
    b"server",
    b"alt-svc",
    b"strict-transport-security",
    b"public-key-pins",
    b"clear-site-data",
    b"service-worker-allowed",
    b"refresh",
    b"nel",
    b"report-to",
    b"reporting-endpoints",
    b"content-security-policy",
    b"content-security-policy-report-only",
    # nginx, Apache and lighttpd would hand out their own files at these.
    b"x-sendfile",
    b"x-lighttpd-send-file",
}
_NOT_RETURNED_BEGIN = (b"access-control-", b"hedgerow-", b"x-accel-")
_SANDBOX = (b"content-security-policy", b"default-src 'none'; sandbox")
"""Opened as a page, nothing that comes through here runs under our origin. Scripts and JSON are not touched by it."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def outgoing(asked: Asked, kind: Kind, upstream: str, *, for_all: bool) -> list[tuple[str, str]]:
    """The headers to PostHog but Host and Content-Length. `for_all`: the answer may be given to others as well."""
    if for_all:
        headers = [pair for pair in asked.headers if pair[0].lower() in _SENT_FOR_ALL]
    else:
        named = _named(asked.headers)
        headers = [
            (name, value)
            for name, value in asked.headers
            if (key := name.lower()) not in _NOT_SENT
            and key not in named
            and not key.startswith(_NOT_SENT_BEGIN)
            and not (key == b"authorization" and b"hdg_" in value)
            and not (key == b"accept-encoding" and kind != "other")
        ]
        headers += _asked_at(asked, upstream)
    if kind != "other":
        headers.append((b"Accept-Encoding", b"gzip" if accepts(asked, b"gzip") else b"identity"))
    headers += _chain(asked)
    return [(name.decode("latin-1"), _text(value)) for name, value in headers if not _CONTROL.search(value)]


def returned(headers: Iterable[tuple[bytes, bytes]], *, length: int | None) -> Headers:
    """The headers to the client; `length` of a body that is held whole, None: as PostHog said."""
    given = list(headers)
    named = _named(given)
    if length is not None or any(name.lower() == b"transfer-encoding" for name, _ in given):
        named.add(b"content-length")
    kept = [
        (name, value)
        for name, value in given
        if (key := name.lower()) not in _NOT_RETURNED and key not in named and not key.startswith(_NOT_RETURNED_BEGIN)
    ]
    if length is not None:
        kept.append((b"content-length", str(length).encode()))
    return [*kept, _SANDBOX]


def accepts(asked: Asked, encoding: bytes) -> bool:
    """Does the client take this content encoding?"""
    for entry in asked.header(b"accept-encoding").lower().split(b","):
        name, _, weight = entry.partition(b";")
        if name.strip() in {encoding, b"*"}:
            return re.fullmatch(rb"\s*q\s*=\s*0(\.0*)?\s*", weight) is None
    return False


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The value of a header by its name in lower case; empty when it is not there."""
    return next((value for key, value in headers if key.lower() == name), b"")


def _named(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """What the Connection header names as meant for this hop only; never what belongs to the body."""
    found = b",".join(value for name, value in headers if name.lower() == b"connection")
    return {name.strip().lower() for name in found.split(b",") if name.strip()} - {b"content-type", b"content-encoding"}


def _asked_at(asked: Asked, upstream: str) -> Headers:
    """The host and scheme the client asked at; the scheme is PostHog's own where no proxy in front tells it."""
    scheme = asked.header(b"x-forwarded-proto") or upstream.partition(":")[0].encode()
    host = asked.header(b"x-forwarded-host") or asked.header(b"host")
    return [(b"X-Forwarded-Proto", scheme), *([(b"X-Forwarded-Host", host)] if host else [])]


def _chain(asked: Asked) -> Headers:
    entries = [value for name, value in asked.headers if name.lower() == b"x-forwarded-for" and value.strip()]
    if asked.client:
        entries.append(asked.client.encode("latin-1", "replace"))
    return [(b"X-Forwarded-For", b", ".join(entries))] if entries else []


def _text(value: bytes) -> str:
    """As aiohttp writes it back to the same bytes, where it can."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
