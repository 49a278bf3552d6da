"""What PostHog lets be kept, how long, and for whom: Cache-Control, Age, Vary, ETag. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.through.passed_headers import first

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.capture.through.asking import Asked, Headers

LONGEST_SECONDS = 86_400.0
_FOR_NOBODY_ELSE = frozenset({"private", "no-store"})
_SETTLED = frozenset({b"accept-encoding", b"origin", b"cookie", b"authorization"})
"""Encodings are matched by themselves, an origin is in the question where it matters, a cookie is never sent."""


def seconds_fresh(headers: Headers) -> float:
    """How long the answer may be given again without asking: s-maxage before max-age, less the age it came with."""
    said = _directives(headers)
    if not may_be_shared(headers) or "no-cache" in said:
        return 0.0
    longest = said.get("s-maxage", said.get("max-age", ""))
    left = number(longest.encode()) - number(first(headers, b"age"))
    return max(0.0, min(left, LONGEST_SECONDS))


def may_be_shared(headers: Headers) -> bool:
    """May another client get this answer while it is fresh, or together with the one who asked?"""
    return (
        not (_FOR_NOBODY_ELSE & _directives(headers).keys())
        and b"*" not in _listed(headers, b"vary")
        and not first(headers, b"set-cookie")
    )


def varying(headers: Headers, asked: Asked) -> dict[str, str]:
    """The request headers the answer depends on, as this request had them."""
    names = set(_listed(headers, b"vary")) - _SETTLED
    return {name.decode("latin-1"): asked.header(name).decode("latin-1") for name in sorted(names)}


def fits(vary: dict[str, str], asked: Asked) -> bool:
    """Is this request alike in everything the answer depends on?"""
    return all(asked.header(name.encode("latin-1")).decode("latin-1") == value for name, value in vary.items())


def is_same(etag: bytes, if_none_match: bytes) -> bool:
    """Does the client hold this very answer? Weak, strong and bare tags are alike, as in PostHog."""
    if not etag or not if_none_match:
        return False
    held = {_bare(each) for each in if_none_match.split(b",")}
    return _bare(etag) in held or b"*" in held


def _bare(tag: bytes) -> bytes:
    return tag.strip().removeprefix(b"W/").strip(b'"')


def _directives(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in _listed(headers, b"cache-control"):
        name, _, value = entry.decode("latin-1").partition("=")
        found[name.strip()] = value.strip().strip('"')
    return found


def _listed(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    values = b",".join(value for key, value in headers if key.lower() == name)
    return [entry.strip().lower() for entry in values.split(b",") if entry.strip()]


def number(value: bytes) -> float:
    """A header of seconds; 0 when it is none."""
    text = value.strip().decode("latin-1")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0.0
