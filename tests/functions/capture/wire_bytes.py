"""Requests as SDKs write them: events, batches, headers, and the bytes on the wire."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import orjson

Event = dict[str, Any]
OK = b'{"status":1}'
V1 = "/i/v1/analytics/events"


def v1_headers(token: str) -> dict[str, str]:
    """What v1 asks for."""
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "PostHog-Sdk-Info": "posthog-python/7.91.1",
        "PostHog-Attempt": "1",
        "PostHog-Request-Id": str(uuid4()),
        "PostHog-Request-Timestamp": "2026-11-20T15:30:00Z",
    }


def event(name: str = "paid", at: str = "2026-11-20T15:29:58.000Z", **fields: Any) -> Event:
    """A new event as an SDK writes it."""
    made: Event = {
        "uuid": str(uuid4()),
        "event": name,
        "distinct_id": "u1",
        "timestamp": at,
        "properties": {"plan": "pro"},
    }
    return {**made, **fields}


def request(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """The bytes of a POST; `length` may lie."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: h.test", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(path: str, *parts: bytes, end: bool = True) -> bytes:
    """The bytes of a POST in chunks."""
    head = f"POST {path} HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return head + body + (b"0\r\n\r\n" if end else b"")


def envelope(token: str, events: Sequence[object]) -> bytes:
    """A v0 batch as bytes."""
    return orjson.dumps({"api_key": token, "batch": list(events)})


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, 1)
