"""What is inside a delivery: its payload put together from its chunks and unpacked within a bound, event by event."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import orjson

from hedgerow.deliveries import Delivery, DeliveryChunk, chunk_id
from hedgerow.errors import StateConflictError
from hedgerow.foreign import printable
from hedgerow.ports import Store

MOST_BYTES = 64 * 1024 * 1024
# Unpacking more than this holds up everybody else's requests.
AT_ONCE = 512 * 1024
_GZIP = 31


@dataclass(frozen=True, slots=True)
class Inside:
    """An event of a payload: its name and its own time, as far as they can be read."""

    name: str
    at: datetime | None


async def unpacked(store: Store, delivery: Delivery) -> bytes:
    """The payload before gzip, empty where none is kept. `StateConflictError` when a part of it is gone."""
    if not delivery.payload:
        return b""
    ids = [chunk_id(delivery.id, number) for number in range(1, delivery.chunks + 1)]
    chunks = await store.get_many(DeliveryChunk, ids) if ids else []
    whole = b"".join([delivery.payload, *(chunk.payload for chunk in chunks if chunk is not None)])
    if None in chunks:
        raise broken(delivery.id)
    return (
        await asyncio.to_thread(_gunzip, delivery.id, whole) if delivery.size > AT_ONCE else _gunzip(delivery.id, whole)
    )


def _gunzip(id: str, packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(_GZIP).decompress(packed, MOST_BYTES)
    except zlib.error:
        raise broken(id) from None


def broken(id: str) -> StateConflictError:
    """The refusal of a payload that is not whole."""
    return StateConflictError(
        f"The payload of {id} is not whole.",
        code="payload_broken",
        hint="Was the store restored from a backup? What it holds of this delivery cannot be read.",
    )


def batch_of(payload: bytes) -> list[dict[str, object]] | None:
    """The events of a payload; None when it is not a batch, as of a body that was no JSON."""
    try:
        decoded = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    batch = decoded.get("batch") if isinstance(decoded, dict) else None
    if not isinstance(batch, list) or not all(isinstance(event, dict) for event in batch):
        return None
    return cast("list[dict[str, object]]", batch)


def inside(event: dict[str, object]) -> Inside:
    """Name and time of an event."""
    name, at = event.get("event"), event.get("timestamp")
    return Inside(printable(name)[:200] if isinstance(name, str) else "", _instant(at) if isinstance(at, str) else None)


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
