"""A question that is not ingestion: what it asks for, which token it names, and when two of them are the same.

Pure. Everything that may change PostHog's answer is part of a question's key; the time of
asking and the client's own counters are not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

Headers = list[tuple[bytes, bytes]]
Kind = Literal["flags", "definitions", "config", "lists", "payload", "static", "other"]
"""`lists`: surveys and their like. `payload`: one remote-config flag. `other` goes through and is never kept."""

VOLATILE = frozenset({"_", "ver", "ip", "beacon", "retry_count", "compression", "sent_at", "data"})
"""Query values that say how or when something is asked, not what."""
PLAIN_QUERY = VOLATILE | {"token", "api_key", "v", "send_cohorts", "stage"}
"""What SDKs write into queries. A question with anything else in it is not written to the store."""
MOST_BODY_BYTES = 4 * 1024 * 1024
"""Of a question about flags, as sent and unpacked: thousands of times what an SDK writes."""
_EVALUATIONS = frozenset({"/flags", "/decide"})
_DEFINITIONS = frozenset({"/flags/definitions", "/api/feature_flag/local_evaluation"})
_LISTS = frozenset({"/api/surveys", "/api/early_access_features", "/api/web_experiments", "/api/product_tours"})
_PAYLOAD = re.compile(r"/api/(?:projects|environments)/[^/]+/feature_flags/[^/]+/remote_config")
_CONFIG = re.compile(r"/array/([^/]+)/[^/]+")


@dataclass(slots=True)
class Asked:
    """A request as it came. `path` is decoded and without the capture prefix; `client` is the peer's address."""

    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes
    client: str | None
    _body_read: dict[str, object] | Literal[False] | None = field(default=False, init=False, repr=False)

    def header(self, name: bytes) -> bytes:
        """The value of a header by its name in lower case; empty when it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query, in its order."""
        return parse_qsl(self.query.decode("latin-1"), keep_blank_values=True)

    @property
    def body_read(self) -> dict[str, object] | None:
        """The body as an object, in any of the forms SDKs have sent it in; None when it is none. Read once."""
        if self._body_read is False:
            self._body_read = _read(self)
        return self._body_read


@dataclass(slots=True)
class Passed:
    """An answer to send on. A streamed body raises `OutboundError` when PostHog breaks off: then cut the connection."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes]


def kind_of(asked: Asked) -> Kind:
    """What this asks for, by method and path."""
    path = asked.path.rstrip("/")
    if path in _EVALUATIONS:
        return "flags" if asked.method == "POST" else "other"
    if asked.method != "GET" or asked.header(b"range"):
        return "other"
    if path in _DEFINITIONS:
        return "definitions"
    if path in _LISTS:
        return "lists"
    if path.startswith("/static/"):
        return "static"
    if _CONFIG.fullmatch(path):
        return "config"
    return "payload" if _PAYLOAD.fullmatch(path) else "other"


def token_of(asked: Asked) -> str | None:
    """The project token a request names: in its query, its path, its body (flags only), or as a bearer `phc_…`."""
    named = dict(asked.parameters)
    if found := named.get("token") or named.get("api_key"):
        return found
    if found_in_path := re.match(r"/array/([^/]+)/", asked.path):
        return found_in_path[1]
    if asked.path.rstrip("/") in _EVALUATIONS and (asked.body or "data" in named):
        body = asked.body_read or {}
        for name in ("api_key", "token", "$token"):
            value = body.get(name)
            if isinstance(value, str) and value:
                return value
    scheme, _, bearer = asked.header(b"authorization").decode("latin-1").partition(" ")
    return bearer.strip() if scheme == "Bearer" and bearer.strip().startswith("phc_") else None


def page_of(asked: Asked) -> str | None:
    """The origin of the page that asks; None for servers and apps."""
    origin = asked.header(b"origin").decode("latin-1")
    if not origin or origin == "null":
        parts = urlsplit(unquote(asked.header(b"referer").decode("latin-1"), errors="replace"))
        origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
    return origin[:300].lower() or None


def question_of(asked: Asked, kind: Kind, upstream: str) -> str | None:
    """The key of a question, 64 hexadecimal digits; None when it cannot be told whether another is the same."""
    path = asked.path.rstrip("/")
    asks_config = kind == "config" or path == "/decide" or b"config=" in asked.query
    parts: list[object] = [
        upstream,
        asked.method,
        path,
        sorted(pair for pair in asked.parameters if pair[0] not in VOLATILE),
        hashlib.sha256(asked.header(b"authorization")).hexdigest(),
        # Whether a page may record itself depends on the page.
        page_of(asked) if asks_config else None,
    ]
    if kind == "flags":
        body = asked.body_read
        if body is None:
            return None
        parts += [{key: value for key, value in body.items() if key not in {"sent_at", "sentAt"}}, _runtime(asked)]
    try:
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except orjson.JSONEncodeError:
        return None


def is_plain(asked: Asked) -> bool:
    """Does the query hold only what SDKs write?"""
    return all(name in PLAIN_QUERY for name, _ in asked.parameters)


def _runtime(asked: Asked) -> list[object]:
    """What PostHog guesses client or server from: the kind of program, without its version."""
    product = re.split(r"[/ ]", asked.header(b"user-agent").decode("latin-1").lower(), maxsplit=1)[0]
    return [product, bool(asked.header(b"origin"))]


def _read(asked: Asked) -> dict[str, object] | None:
    text = asked.body
    if len(text) > MOST_BODY_BYTES:
        return None
    if text[:1] != b"{":
        from functions.capture.wire.decoding import TooLargeError, UnreadableError, decode

        try:
            text = decode(
                asked.body,
                query=dict(asked.parameters),
                content_type=asked.header(b"content-type").decode("latin-1"),
                encoding=asked.header(b"content-encoding").decode("latin-1"),
                legacy=True,
                limit=MOST_BODY_BYTES,
            )
        except (UnreadableError, TooLargeError):
            return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
