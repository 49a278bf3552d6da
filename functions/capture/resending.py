"""One attempt to hand a delivery to PostHog: its payload put together, the merge guard asked where it must be, sent.

The payload goes out as it was kept; only a recording is opened, because PostHog takes
recordings as an array and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from functions.capture.backlog import origin_of
from hedgerow.deliveries import Delivery, DeliveryChunk, chunk_id, compressed
from hedgerow.delivery import Step, after, dead, looked_at
from hedgerow.delivery_parts import unpacked
from hedgerow.errors import OutboundError, SecretGoneError
from hedgerow.models import Trouble
from hedgerow.posthog.ingestion import PATHS, USER_AGENT, Outcome, send

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.models import Connection

SEND_SECONDS = 12.0
"""With the longest backoff of our own it fits between two ticks."""
_HEADERS = {
    "Content-Type": "application/json",
    "Content-Encoding": "gzip",
    "User-Agent": USER_AGENT,
    # A few bytes come back; unpacking them would cost more than they weigh.
    "Accept-Encoding": "identity",
}
_NO_CONNECTION = Trouble(
    code="connection_gone",
    detail="The connection these events were accepted for is no more.",
    hint="Connect the project again and send the events again.",
)
_INCOMPLETE = Trouble(
    code="payload_incomplete",
    detail="A part of what was kept of these events is missing.",
    hint="Send the events again.",
)


async def attempt(
    app: App, connection: Connection | None, delivery: Delivery, jitter: float
) -> tuple[Outcome | None, Step]:
    """What PostHog said, None where it was not asked, and what becomes of the delivery."""
    if connection is None:
        return None, dead(delivery, _NO_CONNECTION, app.now())
    payload = await _payload(app, delivery)
    if payload is None:
        return None, dead(delivery, _INCOMPLETE, app.now())
    if delivery.lane == "merges":
        looked = await _looked_at(app, connection, delivery, jitter, payload)
        if looked is not None:
            return None, looked
    body = await asyncio.to_thread(_as_array, payload) if delivery.lane == "recordings" else payload
    url = origin_of(connection) + PATHS[delivery.lane]
    outcome = await send(app.outbound.session, url, body, _HEADERS, seconds=SEND_SECONDS)
    if outcome.kind in {"delivered", "failed"}:
        return outcome, after(delivery, outcome, app.now(), jitter, payload)
    return outcome, await asyncio.to_thread(after, delivery, outcome, app.now(), jitter, payload)


async def _payload(app: App, delivery: Delivery) -> bytes | None:
    """All of it, from its chunks too; None when one is missing."""
    if not delivery.chunks:
        return delivery.payload
    ids = [chunk_id(delivery.id, number) for number in range(1, delivery.chunks + 1)]
    chunks = await app.store.get_many(DeliveryChunk, ids)
    found = [chunk.payload for chunk in chunks if chunk is not None]
    return b"".join([delivery.payload, *found]) if len(found) == delivery.chunks else None


async def _looked_at(
    app: App, connection: Connection, delivery: Delivery, jitter: float, payload: bytes
) -> Step | None:
    """What the merge guard makes of it; None when every event may pass."""
    from functions.capture.merge_checks import check

    try:
        _, events = unpacked(payload)
    except ValueError:
        return None  # PostHog says what it is.
    try:
        async with asyncio.timeout(SEND_SECONDS):
            troubles = await check(app, connection, events)
    except (TimeoutError, OutboundError, SecretGoneError) as error:
        unasked = _unasked(error)
        return after(delivery, unasked, app.now(), jitter, payload)
    return looked_at(delivery, troubles, app.now(), payload) if any(troubles) else None


def _unasked(error: TimeoutError | OutboundError | SecretGoneError) -> Outcome:
    """The merges wait: nobody could say whether they may pass."""
    match error:
        case OutboundError():
            return Outcome("failed", error.code, error.detail, retry_after=error.retry_after)
        case SecretGoneError():
            return Outcome("failed", error.code, error.detail)
    return Outcome("failed", "posthog_slow", f"PostHog did not say within {SEND_SECONDS:g} s whom a merge would join.")


def _as_array(payload: bytes) -> bytes:
    """A batch of recordings as PostHog takes them: an array, each with the token; what is no batch stays as it is."""
    try:
        envelope, events = unpacked(payload)
    except ValueError:
        return payload
    token = envelope.get("api_key")
    named = [event if _names_token(event) else {"api_key": token, **event} for event in events]
    return compressed(orjson.dumps(named))


def _names_token(event: dict[str, Any]) -> bool:
    # Twice the same token under two names is an error to PostHog.
    return any(name in event for name in ("token", "$token", "api_key"))
