"""What keeps a value from being carried as JSON to PostHog: its size, its depth, a number or half a character JSON lacks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import orjson

from functions.capture.events import MOST_EVENT_BYTES, MOST_LEVELS

_UNBOUNDED = ("$snapshot", "$ai_")
"""Recordings and AI events have limits of their own, on their own paths."""


class Flaw(ValueError):  # noqa: N818 - it is an answer, and never leaves freezing
    """Why PostHog would refuse an event: a code, and PostHog's reason in words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def as_text(value: object) -> str:
    """A value as the JSON it stands for; raises `Flaw`."""
    if _holds_nan(value):
        raise _unwritable(value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise _unwritable(value) from None


def check(body: dict[str, Any], name: str) -> None:
    """Raise for what PostHog's reader refuses in JSON, and for what its queue cannot carry."""
    try:
        wire = orjson.dumps(body)
    except TypeError:
        raise _unwritable(body) from None
    if len(wire) > MOST_EVENT_BYTES and not name.startswith(_UNBOUNDED):
        raise Flaw("event_too_large", "maximum event size exceeded: the event is over 1,000,000 bytes")
    if wire.count(b"{") + wire.count(b"[") > MOST_LEVELS and _is_deep(body):
        raise _unwritable(body)
    # The fast writer says null where a number is not finite.
    if b"null" in wire and _holds_nan(body):
        raise _unwritable(body)


def _unwritable(value: object) -> Flaw:
    if _is_deep(value):
        return Flaw("malformed_event_properties", "failed to parse request: recursion limit exceeded")
    if _holds_nan(value):
        return Flaw("malformed_event_properties", "failed to parse request: a number is NaN or infinite")
    return Flaw("malformed_event_properties", "failed to parse request: half a surrogate pair, or a value JSON lacks")


def _is_deep(value: object) -> bool:
    layer = _inner([value])
    for _ in range(MOST_LEVELS):
        if not layer:
            return False
        layer = [each for holder in layer for each in _inner(holder.values() if type(holder) is dict else holder)]
    return bool(layer)


def _inner(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if type(value) in {dict, list}]


def _holds_nan(value: object) -> bool:
    """Whether a number in it, at any depth, is NaN or infinite."""
    left = [value]
    while left:
        item = left.pop()
        if type(item) is dict:
            left.extend(item.values())
        elif type(item) is list:
            left.extend(item)
        elif type(item) is float and not math.isfinite(item):
            return True
    return False
