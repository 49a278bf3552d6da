"""What a capture body holds: its token, its events as they came, and what was said about all of them.

Reads PostHog's three shapes in both protocols. Judges no event and refuses no body: what cannot
be read is handed on beside what can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from functions.capture.events import MOST_EVENT_BYTES, Envelope, Protocol
from functions.capture.wire import timestamps
from functions.capture.wire.salvage import Salvaged, salvaged

MIXED_TOKENS = "batch submitted with inconsistent api_key values"
"""PostHog's words, in `broken`, for an array whose events name different tokens: the envelope has neither."""
_TOKEN_FIELDS = ("token", "$token", "api_key")
_TOKEN_IN_SIGHT = re.compile(rb'"(?:api_key|\$?token)"\s{0,9}:\s{0,9}"(phc_[0-9A-Za-z_-]{1,60})"')
_SMALL_BYTES = MOST_EVENT_BYTES - 10_000
"""What freezing adds to an event is far less than the difference."""
_RECORDINGS = frozenset(["$snapshot", "$snapshot_items"])
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_SHALLOW = 40
"""Layers of brackets no ordinary event has; deeper ones are looked at one by one."""


def read(
    text: bytes,
    *,
    query: dict[str, str],
    bearer: str | None,
    protocol: Protocol,
    sent_at_header: str = "",
) -> Envelope:
    """A body's token, events and times. Never raises for what a client may send.

    In v1 the token is the bearer's and `sent_at` the header's. Elements of a batch that cannot
    be read stand among the events as `Fragment`s, which `freezing.freeze` turns into poison.
    """
    is_sound = True
    try:
        found = Salvaged(orjson.loads(text))
    except orjson.JSONDecodeError:
        found, is_sound = salvaged(text), False
    body, is_batch = found.body, False
    if isinstance(body, dict):
        batch = body.get("batch")
        is_batch = isinstance(batch, list)
        events = _flat(batch) if isinstance(batch, list) else [] if found.broken else [body]
    elif isinstance(body, list):
        events = _flat(body)
    else:
        reason = found.broken or "invalid type, expected an event, an array of events or a batch"
        found, events = Salvaged(None, reason, text), []
    envelope = Envelope(None, events, broken=found.broken, rest=found.rest)
    envelope.is_plain = is_sound and _is_small(text)
    if protocol == "v1":
        envelope.token = bearer
        envelope.sent_at = timestamps.parse(sent_at_header)
    elif not _find_token(envelope, body, text, query, is_batch=is_batch):
        return Envelope(None, [], broken=MIXED_TOKENS, rest=text)
    else:
        envelope.token = envelope.token or bearer
        envelope.sent_at = _sent_at(body, events, query, is_batch=is_batch)
    envelope.historical = is_batch and isinstance(body, dict) and body.get("historical_migration") is True
    return envelope


def _flat(elements: list[Any]) -> list[Any]:
    """Events of an array; an array among them is a batch someone wrapped once too often."""
    if list not in map(type, elements):
        return elements
    return [event for each in elements for event in (each if isinstance(each, list) else (each,))]


def _is_small(text: bytes) -> bool:
    """Whether no event in a text can be over PostHog's limits of size and depth.

    Of the text only the brackets are kept, and layer after layer of empty pairs taken away.
    Brackets inside strings may leave something over, and then the events are looked at one by one;
    or, written on purpose, hide a layer, and then PostHog's refusal isolates the event.
    """
    if len(text) > _SMALL_BYTES:
        return False
    brackets = text.translate(None, _ALL_BUT_BRACKETS)
    for _ in range(_SHALLOW):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return False


def _find_token(envelope: Envelope, body: object, text: bytes, query: dict[str, str], *, is_batch: bool) -> bool:
    """Write the token into the envelope. False when an array's events name several.

    A batch speaks for its events, whatever they name. In an array PostHog refuses as a whole what
    names two projects, and so do we: to send either's events with the other's token, or to keep
    them in the other's outbox, would hand one customer's events to another.
    """
    if is_batch or isinstance(body, dict):
        envelope.token = _token_of(body) or (None if is_batch else _token_inside(body))
    if envelope.token is None:
        named = _tokens_of(envelope.events)
        if len(named) > 1:
            return False
        envelope.token = next(iter(named), None)
    if envelope.token is None and envelope.broken:
        in_sight = set(_TOKEN_IN_SIGHT.findall(text))
        envelope.token = in_sight.pop().decode() if len(in_sight) == 1 else None
    envelope.token = envelope.token or query.get("token") or query.get("api_key")
    return True


def _tokens_of(events: Iterable[object]) -> set[str]:
    found = {_token_of(event) or _token_inside(event) for event in events}
    return {token for token in found if token is not None}


def _token_of(holder: object) -> str | None:
    if isinstance(holder, dict):
        for name in _TOKEN_FIELDS:
            token = holder.get(name)
            if isinstance(token, str):
                return token.strip()
    return None


def _token_inside(event: object) -> str | None:
    properties = event.get("properties") if isinstance(event, dict) else None
    token = properties.get("token") if isinstance(properties, dict) else None
    return token.strip() if isinstance(token, str) else None


def _sent_at(body: object, events: list[Any], query: dict[str, str], *, is_batch: bool) -> datetime | None:
    """When the client sent it: a batch says so itself, a recording in its element, old browsers in the query's `_`.

    PostHog ignores `sent_at` in any other event, so it is not looked for there.
    """
    said: object = None
    if is_batch and isinstance(body, dict):
        said = body.get("sent_at")
    elif events and isinstance(events[0], dict) and events[0].get("event") in _RECORDINGS:
        said = events[0].get("sent_at")
    at = timestamps.parse(said) if isinstance(said, str) else None
    return at or timestamps.from_milliseconds(query.get("_", ""))
