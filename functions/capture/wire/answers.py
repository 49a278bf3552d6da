"""Capture's answers in PostHog's own form: what the SDKs take as success, and the few refusals that are honest.

Never a redirect, never a 429, never 204 but for a beacon: each of them loses events in some SDK
(sdk-wire.md, section 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

Headers = tuple[tuple[bytes, bytes], ...]
JSON, TEXT = b"application/json", b"text/plain; charset=utf-8"
RETRY_AFTER = (b"retry-after", b"5")
DAY = b"86400"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers, before CORS."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Headers = ()


ACCEPTED = Answer(200, b'{"status":1}')
BEACON = Answer(204, b"", TEXT)
HEALTH = Answer(200, b"capture", TEXT)


def refused(status: int, text: str) -> Answer:
    """A refusal of protocol v0: plain text, the message only."""
    return Answer(status, text.encode("utf-8", "replace"), TEXT, (RETRY_AFTER,) if status == 503 else ())


def refused_v1(status: int, tag: str, text: str) -> Answer:
    """A refusal of protocol v1: a JSON object."""
    body = {"error": tag, "error_description": text, "error_uri": "https://posthog.com/docs/api"}
    return Answer(status, orjson.dumps(body), JSON, (RETRY_AFTER,) if status == 503 else ())


def refusal(kind: str, status: int, tag: str, text: str) -> Answer:
    """A refusal in the form of the place it is for: `tag` is v1's word for it."""
    return refused_v1(status, tag, text) if kind == "v1" else refused(status, text)


def results(verdicts: Mapping[str, dict[str, str]]) -> Answer:
    """One verdict for each event of a v1 batch, by its uuid as the SDK wrote it."""
    return Answer(200, orjson.dumps({"results": verdicts}))


def cross_origin(origin: bytes | None) -> Headers:
    """What every answer carries so that a page of another origin may read it, errors and scripts included."""
    if origin is None:
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    )


def preflight(origin: bytes | None, wanted: bytes | None) -> Answer:
    """The answer to OPTIONS: whatever headers the page wants to send it may, for a day."""
    allowed: Headers = (
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-max-age", DAY),
        *(((b"access-control-allow-headers", wanted),) if wanted else ()),
        *cross_origin(origin),
    )
    return Answer(200, b'{"status":1}', JSON, allowed)
