"""The three shapes of a capture v0 body, and the rules for token, name, id, uuid and time.

Refuses the whole batch for one bad event, in PostHog's own plain text.
"""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.posthog import timestamps
from local.posthog.arrivals import Arrival

MOST_EVENT_BYTES = 1_000_000
LONGEST_ID = 200
_NEVER_STORED = frozenset(["$$client_ingestion_warning", "$$heatmap", "$snapshot", "$snapshot_items"])
_OFFSET_LIMIT = 10**15


class CaptureError(Exception):
    """A refusal: status and plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Batch:
    """A body read: its token, its events as they came, and what holds for all of them."""

    token: str
    events: list[dict[str, Any]]
    sent_at: datetime | None
    is_historical: bool = False


def read_batch(text: str, sent_at: datetime | None, *, fills_name: bool) -> Batch:
    """Parse a body; `fills_name` gives events without a name `$identify`, as /engage does."""
    try:
        body = json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as fault:
        raise CaptureError(400, f"failed to parse request: {fault}") from None
    is_historical = False
    if isinstance(body, dict) and isinstance(body.get("batch"), list):
        events = body["batch"]
        token = _token_of(body)
        is_historical = body.get("historical_migration") is True
        if isinstance(body.get("sent_at"), str):
            sent_at = timestamps.parse(body["sent_at"]) or sent_at
    elif isinstance(body, (dict, list)):
        events = [body] if isinstance(body, dict) else body
        tokens = {_event_token(event) for event in events if isinstance(event, dict)}
        if len(tokens) > 1:
            raise CaptureError(401, "batch submitted with inconsistent api_key values")
        token = tokens.pop() if tokens else None
    else:
        raise CaptureError(400, "failed to parse request: invalid type, expected an event")
    if not events:
        raise CaptureError(400, "request holds no event")
    for event in events:
        if not isinstance(event, dict) or not isinstance(event.get("event", "" if fills_name else None), str):
            raise CaptureError(400, "failed to parse request: missing field `event`")
    if token is None:
        raise CaptureError(401, "event submitted without an api_key")
    check_token(token)
    return Batch(token.strip(), events, sent_at, is_historical)


def check_token(token: str) -> None:
    """Refuse a token whose shape cannot be one; whether it exists is not asked."""
    token = token.strip()
    reason = None
    if not token:
        reason = "empty"
    elif len(token.encode()) > 64:
        reason = "too_long"
    elif not token.isascii():
        reason = "not_ascii"
    elif token.startswith("phx_"):
        reason = "personal_api_key"
    elif "\0" in token:
        reason = "null_byte"
    if reason:
        raise CaptureError(401, f"API key is not valid: {reason}")


def read_event(
    event: dict[str, Any], batch: Batch, now: datetime, *, fills_name: bool, address: str | None
) -> Arrival | None:
    """One event ready to be stored; None for the internal lanes that never reach `events`."""
    name = event.get("event") or ("$identify" if fills_name else "")
    if not name:
        raise CaptureError(400, "event submitted with an empty event name")
    properties = event.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise CaptureError(400, "failed to parse request: invalid type for `properties`")
    properties = dict(properties or {})
    for field in ("$set", "$set_once", "$unset"):
        if event.get(field) is not None:
            properties.setdefault(field, event[field])
    distinct_id = distinct_id_of(event)
    if address and "$ip" not in properties:
        properties["$ip"] = address
    offset = event.get("offset")
    timestamp = event.get("timestamp")
    instant = timestamps.decide(
        now,
        timestamp=timestamp if isinstance(timestamp, str) else None,
        sent_at=batch.sent_at,
        offset=offset if _is_offset(offset) else None,
        ignore_sent_at=properties.get("$ignore_sent_at") is True,
    )
    check_event(event)
    if name in _NEVER_STORED:
        return None
    return Arrival(_uuid(event, now), clean(name)[:LONGEST_ID], distinct_id, instant, properties)


def check_event(event: dict[str, Any]) -> None:
    """Refuse what PostHog's parser refuses inside JSON, and what its queue cannot carry."""
    try:
        size = len(json.dumps(event, ensure_ascii=False, allow_nan=False).encode("utf-8"))
    except UnicodeEncodeError:
        raise CaptureError(400, "failed to parse request: lone leading surrogate in hex escape") from None
    except (ValueError, RecursionError):
        raise CaptureError(400, "failed to parse request: number out of range") from None
    if size > MOST_EVENT_BYTES:
        raise CaptureError(413, "maximum event size exceeded: event is over 1000000 bytes")


def refuse_constant(name: str) -> None:
    """NaN and the infinities are not JSON, although Python reads them."""
    raise ValueError(f"{name} is not JSON")


def _is_offset(offset: object) -> bool:
    return isinstance(offset, int) and not isinstance(offset, bool) and abs(offset) < _OFFSET_LIMIT


def _token_of(holder: dict[str, Any]) -> str | None:
    for field in ("token", "$token", "api_key"):
        if isinstance(holder.get(field), str):
            return str(holder[field])
    return None


def _event_token(event: dict[str, Any]) -> str | None:
    properties = event.get("properties")
    inside = properties.get("token") if isinstance(properties, dict) else None
    return _token_of(event) or (inside if isinstance(inside, str) else None)


def distinct_id_of(event: dict[str, Any]) -> str:
    """Whose event it is, as PostHog writes it down."""
    said = event.get("properties")
    properties = said if isinstance(said, dict) else {}
    for holder, field in (
        (event, "distinct_id"),
        (event, "$distinct_id"),
        (properties, "distinct_id"),
    ):
        value = holder.get(field)
        if value is None:
            continue
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        if text.strip():
            return clean(text)[:LONGEST_ID]
    raise CaptureError(400, "event submitted without a distinct_id")


_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def _uuid(event: dict[str, Any], now: datetime) -> uuid.UUID:
    given = event.get("uuid")
    if given is None or given == "":
        return uuid_v7(now)
    if not isinstance(given, str) or not _UUID.fullmatch(given):
        raise CaptureError(400, "failed to parse request: invalid uuid")
    return uuid.UUID(given)


def uuid_v7(at: datetime) -> uuid.UUID:
    """A UUID whose first 48 bits are the milliseconds of `at`."""
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    noise = uuid.uuid4().int
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | (noise >> 64 & 0xFFF) << 64 | 2 << 62 | noise & (1 << 62) - 1)


def clean(text: str) -> str:
    """Without NUL bytes, as PostHog stores names and ids."""
    return text.replace("\0", "\ufffd")
