"""Capture v1: /i/v1/analytics/events — strict headers, JSON errors, one verdict for each event."""

import json
import uuid
import zlib
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.posthog import timestamps
from local.posthog.arrivals import Arrival
from local.posthog.capture_shapes import LONGEST_ID, CaptureError, check_event, check_token, clean, refuse_constant
from local.posthog.capture_v0 import MEGABYTE, client_address
from local.posthog.encodings import DecodeError, TooLargeError, inflate
from local.posthog.installation import Installation

PATHS = ("/i/v1/analytics/events", "/i/v1/ai/events")
_REQUIRED = (
    "user-agent",
    "posthog-sdk-info",
    "posthog-attempt",
    "posthog-request-id",
    "posthog-request-timestamp",
)
_PLACEHOLDERS = frozenset(
    [
        "0",
        "00000000-0000-0000-0000-000000000000",
        "anonymous",
        "anonymous-user",
        "backend",
        "distinct_id",
        "distinctid",
        "email",
        "false",
        "guest",
        "id",
        "nan",
        "none",
        "not_authenticated",
        "null",
        "system",
        "true",
        "undefined",
        "user",
    ]
) | {"[object object]"}
_MOVED = {
    "process_person_profile": "$process_person_profile",
    "cookieless_mode": "$cookieless_mode",
    "product_tour_id": "$product_tour_id",
    "disable_skew_correction": "$ignore_sent_at",
}


class RefusedError(Exception):
    """A refusal of the whole request: status, tag and text."""

    def __init__(self, status: int, tag: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.tag = tag


class DroppedError(Exception):
    """A refusal of one event; the message is the verdict's `details`."""


async def capture(request: Request, installation: Installation) -> Response:
    """Take a v1 request in; stored before the answer, one verdict for each uuid."""
    try:
        return JSONResponse({"results": await _take(request, installation)})
    except RefusedError as fault:
        body = {
            "error": fault.tag,
            "error_description": str(fault),
            "error_uri": "https://posthog.com/docs/api",
        }
        return JSONResponse(body, fault.status)


async def _take(request: Request, installation: Installation) -> dict[str, dict[str, str]]:
    token, sent_at = _check_headers(request)
    body = await _body(request)
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise RefusedError(400, "invalid_batch", "batch must be a list of events")
    if not batch:
        raise RefusedError(400, "empty_batch", "batch holds no event")
    _check_uuids(batch)
    now, results, arrivals = installation.clock.now(), {}, []
    library, _, version = request.headers["posthog-sdk-info"].partition("/")
    shared = {"$lib": library, "$lib_version": version, "$ip": client_address(request)}
    for event in batch:
        key = str(uuid.UUID(event["uuid"]))
        try:
            arrivals.append(_read(event, sent_at, now, shared))
            results[key] = {"result": "ok"}
        except DroppedError as drop:
            results[key] = {"result": "drop", "details": str(drop)}
    await installation.take_in(token, arrivals)
    return results


def _check_headers(request: Request) -> tuple[str, datetime]:
    """Token and sending time; the checks come in PostHog's order."""
    headers = request.headers
    authorization = headers.get("authorization")
    if authorization is None:
        raise RefusedError(401, "missing_authorization", "Authorization header is required")
    missing = [name for name in _REQUIRED if not headers.get(name)]
    if missing:
        raise RefusedError(400, "missing_required_headers", f"missing headers: {', '.join(missing)}")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise RefusedError(400, "invalid_header_value", "Authorization must be Bearer")
    try:
        check_token(token)
    except CaptureError as fault:
        raise RefusedError(401, "invalid_api_token", fault.text) from None
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "unsupported_content_type", "Content-Type must be application/json")
    if headers.get("content-encoding", "identity").lower() not in ("identity", "gzip", "deflate"):
        raise RefusedError(415, "unsupported_encoding", "Content-Encoding is not supported")
    if _as_uuid(headers["posthog-request-id"]) is None:
        raise RefusedError(400, "invalid_header_value", "PostHog-Request-Id must be a UUID")
    attempt = headers["posthog-attempt"]
    if not attempt.isdigit() or int(attempt) < 1:
        raise RefusedError(400, "invalid_header_value", "PostHog-Attempt must be at least 1")
    sent_at = timestamps.parse_strict(headers["posthog-request-timestamp"])
    if sent_at is None:
        raise RefusedError(400, "invalid_header_value", "PostHog-Request-Timestamp must be RFC 3339")
    return token.strip(), sent_at


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        raise RefusedError(400, "empty_body", "the body is empty")
    if len(raw) > 20 * MEGABYTE:
        raise RefusedError(413, "payload_too_large", "the body is over 20 MB")
    encoding = request.headers.get("content-encoding", "identity").lower()
    try:
        if encoding == "gzip":
            raw = inflate(raw, 16 + zlib.MAX_WBITS)
        elif encoding == "deflate":
            raw = inflate(raw, zlib.MAX_WBITS)
        text = raw.decode("utf-8")
    except TooLargeError as fault:
        raise RefusedError(413, "payload_too_large", str(fault)) from None
    except (DecodeError, UnicodeDecodeError) as fault:
        raise RefusedError(400, "request_decoding_error", str(fault)) from None
    try:
        body = json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as fault:
        raise RefusedError(400, "request_parsing_error", str(fault)) from None
    if not isinstance(body, dict):
        raise RefusedError(400, "request_parsing_error", "expected an object")
    return body


def _check_uuids(batch: list[Any]) -> None:
    seen = set()
    for event in batch:
        if not isinstance(event, dict):
            raise RefusedError(400, "invalid_batch", "every event must be an object")
        identity = _as_uuid(event.get("uuid"))
        if identity is None:
            raise RefusedError(400, "missing_event_uuid", "every event needs a uuid")
        if identity in seen:
            raise RefusedError(400, "duplicate_event_uuid", f"uuid {identity} appears twice")
        seen.add(identity)


def _read(event: dict[str, Any], sent_at: datetime, now: datetime, shared: dict[str, Any]) -> Arrival:
    name, distinct_id = event.get("event"), event.get("distinct_id")
    if not isinstance(name, str) or not name:
        raise DroppedError("missing_event_name")
    if len(name) > LONGEST_ID:
        raise DroppedError("event_name_too_long")
    if not isinstance(distinct_id, str) or not distinct_id.strip():
        raise DroppedError("missing_distinct_id")
    if len(distinct_id) > LONGEST_ID:
        raise DroppedError("distinct_id_too_large")
    if distinct_id.strip().lower() in _PLACEHOLDERS:
        raise DroppedError("malformed_distinct_id")
    written = event.get("timestamp")
    if not isinstance(written, str) or timestamps.parse_strict(written) is None:
        raise DroppedError("invalid_event_timestamp")
    properties, options = event.get("properties") or {}, event.get("options") or {}
    if not isinstance(properties, dict):
        raise DroppedError("malformed_event_properties")
    if not isinstance(options, dict):
        raise DroppedError("invalid_options")
    try:
        check_event(event)
    except CaptureError as fault:
        raise DroppedError("malformed_event_properties" if fault.status == 400 else "event_too_big") from None
    moved = {_MOVED[key]: value for key, value in options.items() if key in _MOVED}
    ids = {f"${key}": event[key] for key in ("session_id", "window_id") if event.get(key)}
    named = {key: value for key, value in shared.items() if value}
    instant = timestamps.decide(
        now,
        timestamp=written,
        sent_at=sent_at,
        ignore_sent_at=options.get("disable_skew_correction") is True,
    )
    return Arrival(
        uuid.UUID(event["uuid"]),
        clean(name),
        clean(distinct_id),
        instant,
        {**named, **properties, **ids, **moved},
    )


def _as_uuid(text: object) -> uuid.UUID | None:
    if not isinstance(text, str):
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
