"""What is due, read so that nobody starves: connection by connection, each in turn, oldest first.

Connections with something due are found by stepping through an index, one question for
each, however much each of them has waiting; so a tenant's million costs the others nothing.
Reads are bounded: at most `MOST_PAGE` deliveries of one connection at a turn, fewer where
they are large.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from hedgerow.deliveries import Delivery, WaitingDelivery
from hedgerow.models import Connection
from hedgerow.ports import Where
from hedgerow.posthog.hosts import ingestion_of
from hedgerow.records import Index, Instant, Record

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from hedgerow.app import App

FIRST_PAGE = 4
MOST_PAGE = 200
PAGE_BYTES = 2 * 1024 * 1024
"""About what one read may bring; the size of the next is guessed from the heaviest of the last."""
GONE = ""
"""The origin of deliveries whose connection is no more: they go nowhere."""
FEW = 8
"""Connections found by one walk alone; when there are more, sixteen go on side by side."""
_CONNECTIONS = 200
# Ids are random hex behind their prefix: sixteen walks side by side share them evenly.
_BOUNDS = ("", *(f"con_{digit:x}" for digit in range(1, 16)), "\uffff")


class DueDelivery(Record):
    """What finding needs of a delivery that waits."""

    collection = Delivery.collection
    indexes = (Index("connection_id", "due_at"),)
    partial = True

    connection_id: str
    due_at: Instant | None = None


@dataclass(slots=True)
class Queue:
    """One connection's deliveries, as far as they were read."""

    connection_id: str
    connection: Connection | None
    limit: int = FIRST_PAGE
    cursor: str | None = None


@dataclass(slots=True)
class Upstream:
    """One ingestion origin and the connections whose deliveries wait for it, whose has waited longest first."""

    origin: str
    turns: deque[Queue] = field(default_factory=deque)


async def is_anything_waiting(app: App) -> bool:
    """One question: most ticks end here."""
    return bool((await app.store.find(DueDelivery, Where("connection_id", ">", ""), limit=1)).items)


async def upstreams(app: App, without: Container[str] = ()) -> list[Upstream]:
    """Everybody who has something due now, by the origin it goes to; `without` these connections."""
    firsts, stopped = await _walk(app, "", _BOUNDS[-1], FEW)
    if stopped is not None:
        ranges = [(max(begin, stopped), end) for begin, end in pairwise(_BOUNDS) if end > stopped]
        walks = await asyncio.gather(*(_walk(app, begin, end) for begin, end in ranges))
        firsts += [first for walk, _ in walks for first in walk]
    firsts = [first for first in firsts if first.connection_id not in without]
    due = sorted(firsts, key=lambda first: (first.due_at, first.connection_id))
    found: dict[str, Upstream] = {}
    for begin in range(0, len(due), _CONNECTIONS):
        some = [first.connection_id for first in due[begin : begin + _CONNECTIONS]]
        for id, connection in zip(some, await app.store.get_many(Connection, some), strict=True):
            if connection is not None and connection.state == "disconnecting" and connection.disconnect_purge:
                continue  # All of it is about to vanish.
            origin = origin_of(connection)
            found.setdefault(origin, Upstream(origin)).turns.append(Queue(id, connection))
    return list(found.values())


def origin_of(connection: Connection | None) -> str:
    """Where a connection's events go."""
    return GONE if connection is None else connection.ingestion_host or ingestion_of(connection.host)


async def page(app: App, queue: Queue, limit: int | None = None) -> Sequence[WaitingDelivery]:
    """The next deliveries of a connection that are due; none when that was all. `queue` remembers where it is."""
    read = await app.store.find(
        WaitingDelivery,
        Where("connection_id", "==", queue.connection_id),
        Where("due_at", "<=", app.now()),
        limit=limit or queue.limit,
        cursor=queue.cursor,
    )
    if read.items:
        weight = max(len(delivery.payload) for delivery in read.items) + 1
        queue.limit = max(1, min(MOST_PAGE, queue.limit * 4, PAGE_BYTES // weight))
    queue.cursor = read.next_cursor
    return read.items


async def _walk(app: App, after: str, before: str, most: int | None = None) -> tuple[list[DueDelivery], str | None]:
    """The longest due delivery of each connection whose id lies behind one and not behind another, and where the walk stopped early."""
    firsts: list[DueDelivery] = []
    now, steps = app.now(), 0
    while most is None or steps < most:
        above, below = Where("connection_id", ">", after), Where("connection_id", "<=", before)
        found = await app.store.find(DueDelivery, above, below, limit=1)
        if not found.items:
            return firsts, None
        first = found.items[0]
        if first.due_at is not None and first.due_at <= now:
            firsts.append(first)
        after, steps = first.connection_id, steps + 1
    return firsts, after
