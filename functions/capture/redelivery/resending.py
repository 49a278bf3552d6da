"""One attempt to hand a delivery to PostHog: its payload put together, the merge guard asked where it must be, sent.

The payload goes out as it was kept, alone or joined with others; only a recording is
opened, because PostHog takes recordings as an array and nothing else.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson

from functions.capture.redelivery.backlog import origin_of
from functions.capture.redelivery.settling import Settled, patched, settled, vanished
from hedgerow.deliveries import Delivery, DeliveryChunk, WaitingDelivery, chunk_id, compressed
from hedgerow.delivery import after_refusal, after_whole, attempt_of, dead, looked_at
from hedgerow.delivery_parts import unpacked
from hedgerow.errors import OutboundError, SecretGoneError
from hedgerow.models import Trouble
from hedgerow.payloads import joined
from hedgerow.posthog.ingestion import PATHS, USER_AGENT, Outcome, send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

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
_INCOMPLETE = Trouble(
    code="payload_incomplete",
    detail="A part of what was kept of these events is missing.",
    hint="Send the events again.",
)


Tried = tuple[Outcome | None, Settled | None]
"""What PostHog said, None where it was not asked; what is to be written, None where somebody else was at it meanwhile."""


async def attempt(app: App, connection: Connection | None, waiting: WaitingDelivery) -> Tried:
    """Hand one delivery to PostHog."""
    if connection is None:
        # Purged, and an instance that did not know yet kept more of it: nothing of a purge may stay.
        return None, vanished(waiting)
    payload = await _payload(app, waiting)
    if payload is None:
        return await _dead(app, waiting, _INCOMPLETE)
    if waiting.lane == "merges":
        looked = await _looked_at(app, connection, waiting, payload)
        if looked is not None:
            return looked
    body = await asyncio.to_thread(_as_array, payload) if waiting.lane == "recordings" else payload
    url = origin_of(connection) + PATHS[waiting.lane]
    outcome = await send(app.outbound.session, url, body, _HEADERS, seconds=SEND_SECONDS)
    if outcome.kind in {"delivered", "failed"}:
        return outcome, _patched([waiting], outcome, app.now())[0]
    whole = await _whole(app, waiting)
    if whole is None:
        return outcome, None
    return outcome, settled(whole, await asyncio.to_thread(after_refusal, whole, outcome, app.now(), payload))


async def attempt_together(
    app: App, connection: Connection, load: Sequence[WaitingDelivery]
) -> tuple[Outcome | None, list[Settled]]:
    """Hand several to PostHog as one batch (`loads`); nothing is to be written where each must go alone.

    That is where they cannot be joined, and where PostHog refused the batch: its word says
    nothing about any one of them.
    """
    payloads = [waiting.payload for waiting in load]
    body = joined(connection.project_token or "", payloads, historical=load[0].historical)
    if body is None:
        return None, []
    url = origin_of(connection) + PATHS["events"]
    outcome = await send(app.outbound.session, url, body, _HEADERS, seconds=SEND_SECONDS)
    return outcome, _patched(load, outcome, app.now()) if outcome.kind in {"delivered", "failed"} else []


def _patched(load: Sequence[WaitingDelivery], outcome: Outcome, now: datetime) -> list[Settled]:
    tried = attempt_of(outcome, now)
    if outcome.kind == "delivered":
        # Of those with the same story so far the same is written, which costs the store far less.
        stories = {(waiting.tries, waiting.attempts): waiting for waiting in load}
        alike = {story: after_whole(waiting, outcome, tried, 0.0) for story, waiting in stories.items()}
        return [patched(waiting, alike[waiting.tries, waiting.attempts]) for waiting in load]
    return [patched(waiting, after_whole(waiting, outcome, tried, random.random())) for waiting in load]  # noqa: S311


async def _whole(app: App, waiting: WaitingDelivery) -> Delivery | None:
    """All that is kept of it; None when somebody else was at it meanwhile."""
    whole = await app.store.get(Delivery, waiting.id)
    return whole if whole is not None and whole.version == waiting.version else None


async def _dead(app: App, waiting: WaitingDelivery, trouble: Trouble) -> Tried:
    whole = await _whole(app, waiting)
    return None, None if whole is None else settled(whole, dead(whole, trouble, app.now()))


async def _payload(app: App, waiting: WaitingDelivery) -> bytes | None:
    """All of it, from its chunks too; None when one is missing."""
    if not waiting.chunks:
        return waiting.payload
    ids = [chunk_id(waiting.id, number) for number in range(1, waiting.chunks + 1)]
    chunks = await app.store.get_many(DeliveryChunk, ids)
    found = [chunk.payload for chunk in chunks if chunk is not None]
    return b"".join([waiting.payload, *found]) if len(found) == waiting.chunks else None


async def _looked_at(app: App, connection: Connection, waiting: WaitingDelivery, payload: bytes) -> Tried | None:
    """What the merge guard makes of it; None when every event may pass."""
    from functions.capture.guards.merge_checks import check

    try:
        _, events = unpacked(payload)
    except ValueError:
        return None  # PostHog says what it is.
    try:
        async with asyncio.timeout(SEND_SECONDS):
            troubles = await check(app, connection, events)
    except (TimeoutError, OutboundError, SecretGoneError) as error:
        return None, _patched([waiting], _unasked(error), app.now())[0]
    if not any(troubles):
        return None
    whole = await _whole(app, waiting)
    return None, None if whole is None else settled(whole, looked_at(whole, troubles, app.now(), payload))


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
