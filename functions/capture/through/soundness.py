"""Is this PostHog's answer, and one to remember? A gateway's page, a redirect or half a body is neither. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import orjson

from functions.capture.through.last_good import unpacked
from functions.capture.through.passed_headers import first

if TYPE_CHECKING:
    from functions.capture.through.asking import Headers, Kind

Soundness = Literal["good", "passing", "failed", "busy"]
"""`good`: to remember. `passing`: PostHog's word, for this client now. `busy`: as failed, but only for this client."""


def judge(kind: Kind, path: str, status: int, headers: Headers, body: bytes) -> Soundness:
    """What an answer to one of the kept kinds is worth."""
    if status == 304:
        return "passing"
    if status == 429:
        return "busy"
    if status >= 500 or status == 408 or status < 200 or 300 <= status < 400:
        return "failed"
    text = unpacked(body, _encoding(headers))
    is_page = _content_type(headers) == b"text/html" or (kind != "static" and (text or b"").lstrip()[:1] == b"<")
    if is_page:
        return "passing" if kind == "static" and status >= 400 else "failed"
    if status != 200:
        return "passing"
    if kind == "static":
        return "good" if body else "passing"
    if text is None:
        # An encoding nobody asked for: the client may know it, we cannot look inside.
        return "passing" if _encoding(headers) not in {b"gzip", b"x-gzip"} else "failed"
    if kind == "config" and path.rstrip("/").endswith(".js"):
        return "good" if text.strip() else "failed"
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "failed"
    if kind == "payload":
        return "good"
    if not isinstance(found, dict):
        return "failed"
    return "good" if kind != "flags" or _is_whole(found) else "passing"


def _is_whole(flags: dict[str, object]) -> bool:
    """Did PostHog compute every flag, within the quota? What it says then is true for longer than a moment."""
    has_flags = isinstance(flags.get("flags"), dict | list) or isinstance(flags.get("featureFlags"), dict | list)
    return has_flags and not any(
        flags.get(name) for name in ("errorsWhileComputingFlags", "quotaLimited", "quota_limited")
    )


def _encoding(headers: Headers) -> bytes:
    found = first(headers, b"content-encoding").strip().lower()
    return b"" if found == b"identity" else found


def _content_type(headers: Headers) -> bytes:
    return first(headers, b"content-type").partition(b";")[0].strip().lower()
