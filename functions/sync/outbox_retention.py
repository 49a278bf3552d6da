"""Retention of the outbox: deliveries whose time is over go with the chunks of their payloads.

One that was released by hand meanwhile waits again and stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hedgerow.app import App
from hedgerow.deliveries import Delivery, DeliveryChunk, chunk_id
from hedgerow.errors import ConflictError
from hedgerow.ports import Change, Delete, Where
from hedgerow.records import Index, Instant, Record

# A dead delivery may weigh as much as a document can.
MOST_PAGE = 25


class ExpiringDelivery(Record):
    """What retention reads of a delivery."""

    collection = Delivery.collection
    indexes = (Index("expires_at"),)
    partial = True

    chunks: int = 0
    expires_at: Instant | None = None


class ExpiringChunk(Record):
    """What retention reads of a chunk."""

    collection = DeliveryChunk.collection
    indexes = (Index("expires_at"),)
    partial = True

    delivery_id: str
    expires_at: Instant | None = None


async def forget(app: App, spend: Callable[[], bool], page: int) -> Counter[str]:
    """Remove what has expired, a page for each `spend()` that says yes; how many of each collection went."""
    return await _deliveries(app, spend, min(page, MOST_PAGE)) + await _chunks(app, spend, min(page, MOST_PAGE))


async def _deliveries(app: App, spend: Callable[[], bool], page: int) -> Counter[str]:
    gone: Counter[str] = Counter()
    cursor: str | None = None
    while spend():
        found = await app.store.find(ExpiringDelivery, Where("expires_at", "<=", app.now()), limit=page, cursor=cursor)
        for delivery in found.items:
            chunks: list[Change] = [
                Delete(DeliveryChunk, chunk_id(delivery.id, number)) for number in range(1, delivery.chunks + 1)
            ]
            try:
                await app.store.commit(Delete(Delivery, delivery.id, delivery.version), *chunks)
            except ConflictError:
                continue
            gone += Counter({Delivery.collection: 1, DeliveryChunk.collection: len(chunks)})
        cursor = found.next_cursor
        if cursor is None:
            break
    return gone


async def _chunks(app: App, spend: Callable[[], bool], page: int) -> Counter[str]:
    """Chunks that nobody took along; those of a delivery that was released still have it."""
    gone = 0
    cursor: str | None = None
    while spend():
        found = await app.store.find(ExpiringChunk, Where("expires_at", "<=", app.now()), limit=page, cursor=cursor)
        owners = {chunk.delivery_id for chunk in found.items}
        kept = {owner.id for owner in await app.store.get_many(ExpiringDelivery, sorted(owners)) if owner is not None}
        alone = [Delete(DeliveryChunk, chunk.id) for chunk in found.items if chunk.delivery_id not in kept]
        await app.store.commit(*alone)
        gone += len(alone)
        cursor = found.next_cursor
        if cursor is None:
            break
    return Counter({DeliveryChunk.collection: gone})
