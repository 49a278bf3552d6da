"""The answers of the five operations: PostHog's own, in the envelope workflow tools read, with what to do. Pure.

StatusCode: 200 success, -1 a parameter, 429 wait, 500 anything else; a time-out of `page` is
504, and `page` and `identity` pass other HTTP codes of PostHog on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hedgerow.posthog.ingestion import Outcome

MOST_RAW = 16_000
"""Characters of an answer that is not JSON."""
PASSING_ON = frozenset(["identity", "page"])
EVENT_ID = "Hedgerow-Event-Id"
WARNING = "Hedgerow-Warning"
LATER = "Send it again later, or with ?mode=durable: then Hedgerow keeps it and delivers it by itself."
REMEDIES = {
    "posthog_slow": f"It may have taken the event all the same. {LATER}",
    "posthog_broke_off": f"It may have taken the event all the same. {LATER}",
    "address_refused": "Give the connection the public https:// address of its PostHog; for one in a private network "
    "the operator adds its host:port to HEDGEROW_ALLOWED_PRIVATE_HOSTS.",
    "posthog_unreachable": f"Check the host of the connection (the URL of the PostHog instance). {LATER}",
    "posthog_too_large": "PostHog takes about 1 MB an event: send fewer or shorter properties.",
    "posthog_refused": "Nothing was stored: mend the event and send it again.",
    "posthog_busy": LATER,
    "posthog_failed": LATER,
}
CHECK = "Check the host and the project token of the connection: another site, or a gateway, seems to answer there."


class Envelope(TypedDict):
    """The body of every answer of an operation."""

    Data: dict[str, object]
    OriginalStatusCode: int
    StatusCode: int
    ErrorMessage: str


@dataclass(frozen=True, slots=True)
class OperationAnswer:
    """An answer in the envelope's form; its HTTP status is 200 whatever the StatusCode."""

    envelope: Envelope
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    @property
    def body(self) -> bytes:
        """The envelope as JSON."""
        return orjson.dumps(self.envelope)


def of_parameters(message: str) -> OperationAnswer:
    """Nothing was sent: a parameter, or a rule of the connection, forbids it."""
    return OperationAnswer(_envelope(-1, message))


def of_keeping(event_id: str, warnings: list[str]) -> OperationAnswer:
    """The outbox has it, and PostHog has not been asked."""
    return OperationAnswer(_envelope(200, "", {"status": 1}), _headers(event_id, warnings))


def of_failing(event_id: str, message: str) -> OperationAnswer:
    """Our own store did not take it."""
    return OperationAnswer(_envelope(500, message), _headers(event_id, []))


def of_outcome(operation: str, outcome: Outcome, event_id: str, warnings: list[str]) -> OperationAnswer:
    """What PostHog made of it, in its own words."""
    code = status_code(operation, outcome)
    said = _said(outcome.body)
    return OperationAnswer(
        _envelope(code, "" if code == 200 else _message(outcome), said, outcome.status or 0),
        _headers(event_id, warnings),
    )


def status_code(operation: str, outcome: Outcome) -> int:
    """The StatusCode of an outcome."""
    status = outcome.status
    if outcome.kind == "delivered":
        return 200
    if outcome.code == "posthog_slow":
        return 504 if operation == "page" else 500
    if status == 429:
        return 429
    # A success that is none, such as another site's page, must not read as one.
    if status is None or status < 300 or operation not in PASSING_ON:
        return 500
    return status


def _message(outcome: Outcome) -> str:
    detail = outcome.detail
    if outcome.kind != "failed":
        detail = f"PostHog refused the event ({outcome.status}): {detail}"
    detail = detail if detail.endswith((".", "!", "?")) else f"{detail}."
    wait = f" It asks to wait {outcome.retry_after:g} s." if outcome.retry_after else ""
    return f"{detail}{wait} {REMEDIES.get(outcome.code, CHECK)}"


def _said(body: bytes) -> dict[str, object]:
    """PostHog's answer as an object: its JSON, its text under `raw_content`, or nothing."""
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"raw_content": body.decode("utf-8", "replace")[:MOST_RAW]}


def _envelope(code: int, message: str, said: dict[str, object] | None = None, original: int = 0) -> Envelope:
    return {"Data": said or {}, "OriginalStatusCode": original, "StatusCode": code, "ErrorMessage": message}


def _headers(event_id: str, warnings: list[str]) -> dict[str, str]:
    headers = {EVENT_ID: event_id}
    if warnings:
        # Our own words only: what callers send has no place in a header.
        headers[WARNING] = " ".join(warnings)
    return headers
