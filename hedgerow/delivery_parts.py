"""A delivery's payload, opened and cut: which events go where, and everything that is kept beside them. Pure.

A cut keeps every event, its uuid, its place in the tally and its parcel, once.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from hedgerow.deliveries import (
    MOST_PAYLOAD_BYTES,
    SHARDS,
    Delivery,
    DeliveryChunk,
    Parcel,
    TallyRow,
    chunk_id,
    compressed,
)
from hedgerow.records import derived_id
from hedgerow.tallies import OTHER_NAMES


@dataclass(frozen=True, slots=True)
class Whole:
    """A delivery with what its payload needs beyond the first document."""

    delivery: Delivery
    chunks: tuple[DeliveryChunk, ...] = ()


def unpacked(payload: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A payload's envelope and the events in it; `ValueError` when it is no batch of objects."""
    try:
        envelope = orjson.loads(gzip.decompress(payload))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("not gzip") from error
    events = envelope.get("batch") if isinstance(envelope, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("not a batch")
    return envelope, events


def cut(delivery: Delivery, payload: bytes, chosen: Mapping[str, Sequence[int]]) -> dict[str, Whole] | None:
    """The delivery cut into parts by the places of its events, every event in one; None when it cannot be read.

    A part's id comes from the delivery's and its key, so that a repeated cut makes the same parts.
    """
    try:
        envelope, events = unpacked(payload)
    except ValueError:
        return None
    if len(events) != delivery.count:
        return None
    tallies = _tallies(delivery, events, list(chosen.values()))
    parts: dict[str, Whole] = {}
    for (key, places), tally in zip(chosen.items(), tallies, strict=True):
        batch = orjson.dumps({**envelope, "batch": [events[at] for at in places]})
        id = derived_id("dlv", delivery.id, key)
        update = {
            "id": id,
            "version": 0,
            "shard": int(id[-2:], 16) % SHARDS,
            "count": len(places),
            "size": len(batch),
            "uuids": b"".join(delivery.uuids[16 * at : 16 * at + 16] for at in places),
            "tally": tally,
            "parcels": _parcels(delivery.parcels, places),
            "split_from": delivery.id,
        }
        parts[key] = _whole(delivery.model_copy(update=update), compressed(batch))
    return parts


def _whole(delivery: Delivery, payload: bytes) -> Whole:
    """The delivery with this payload, in as many documents as that takes."""
    pieces = [payload[at : at + MOST_PAYLOAD_BYTES] for at in range(0, len(payload), MOST_PAYLOAD_BYTES)]
    chunks = tuple(
        DeliveryChunk(
            id=chunk_id(delivery.id, number),
            connection_id=delivery.connection_id,
            delivery_id=delivery.id,
            payload=piece,
        )
        for number, piece in enumerate(pieces[1:], start=1)
    )
    return Whole(delivery.model_copy(update={"payload": pieces[0], "chunks": len(chunks)}), chunks)


def _tallies(
    delivery: Delivery, events: Sequence[Mapping[str, Any]], parts: Sequence[Sequence[int]]
) -> list[tuple[TallyRow, ...]]:
    """The delivery's tally dealt out to the parts: by each event's own name and hour, and in sum always the same.

    An event the tally does not name (beyond its bound, or changed since) takes a place of "…", or of any other name.
    """
    left: Counter[tuple[str, int]] = Counter()
    for row in delivery.tally:
        left[row.name, row.shift] += row.count
    dealt: list[Counter[tuple[str, int]]] = [Counter() for _ in parts]
    unnamed: list[Counter[tuple[str, int]]] = []
    for part, places in zip(dealt, parts, strict=True):
        for at in places:
            key = _key(delivery.hour, events[at])
            if left[key] > 0:
                left[key] -= 1
                part[key] += 1
            else:
                unnamed.append(part)
    spare = sorted((+left).elements(), key=lambda key: key[0] != OTHER_NAMES)
    for part, key in zip(unnamed, spare, strict=False):
        part[key] += 1
    return [
        tuple(TallyRow(name=name, shift=shift, count=number) for (name, shift), number in part.items())
        for part in dealt
    ]


def _key(hour: datetime, event: Mapping[str, Any]) -> tuple[str, int]:
    """Name and shift, as they were counted at acceptance."""
    try:
        at = datetime.fromisoformat(str(event.get("timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return str(event.get("event")), 0
    return str(event.get("event")), int(at) // 3600 - int(hour.timestamp()) // 3600


def _parcels(parcels: Sequence[Parcel], places: Sequence[int]) -> tuple[Parcel, ...]:
    """The parcels of the events at these places."""
    kept: list[Parcel] = []
    begin = 0
    for parcel in parcels:
        end = begin + parcel.count
        number = sum(begin <= at < end for at in places)
        if number:
            kept.append(parcel.model_copy(update={"count": number}))
        begin = end
    return tuple(kept)
