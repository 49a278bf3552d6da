"""What is written of an event that cannot be one: everything that came, as close to its own text as can be.

Decides nothing about events; only spells them.
"""

from __future__ import annotations

import json
from datetime import datetime

import orjson

from functions.capture.events import Poison
from functions.capture.wire import uuids
from functions.capture.wire.salvage import Fragment

_LONGEST_NAME = 200


def poison(event: object, code: str, detail: str, now: datetime) -> Poison:
    """An event as poison, with its own uuid where it has one. Never raises."""
    if isinstance(event, Fragment):
        return Poison(uuids.given(now), event.text, code, detail)
    own = event if isinstance(event, dict) else {}
    name = own.get("event")
    return Poison(
        uuid=uuids.canonical(own.get("uuid")) or uuids.given(now),
        body=spelled(event),
        code=code,
        detail=detail,
        name=_printable(name)[:_LONGEST_NAME] if isinstance(name, str) else "",
    )


def spelled(value: object) -> bytes:
    """A value as JSON; as what looks like JSON where JSON has no words for it."""
    try:
        wire = orjson.dumps(value)
    except TypeError:
        return _spelled_deep(value)
    # The fast writer says null where a number is not finite.
    return _spelled_deep(value) if b"null" in wire else wire


def _spelled_deep(value: object) -> bytes:
    """Without recursion, since depth may be what is wrong; a part that holds itself is cut by the bound."""
    parts: list[str] = []
    left: list[object] = [value]
    while left and len(parts) < 10_000_000:
        item = left.pop()
        if type(item) is _Mark:
            parts.append(item)
        elif isinstance(item, dict):
            left.append(_Mark("}"))
            for position, (key, each) in reversed(list(enumerate(item.items()))):
                left.extend((each, _Mark(("," if position else "") + _scalar(str(key)) + ":")))
            left.append(_Mark("{"))
        elif isinstance(item, (list, tuple)):
            left.append(_Mark("]"))
            for position, each in reversed(list(enumerate(item))):
                left.extend((each, _Mark("," if position else "")))
            left.append(_Mark("["))
        else:
            parts.append(_scalar(item))
    return "".join(parts).encode()


class _Mark(str):
    """Punctuation and keys, ready to be written."""

    __slots__ = ()


def _scalar(value: object) -> str:
    """Halves of characters as escapes, numbers that are none by the names JavaScript gives them."""
    if value is None or isinstance(value, (str, int, float)):
        return json.dumps(value)
    return json.dumps(repr(value))


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
