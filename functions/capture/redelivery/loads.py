"""Which deliveries of a connection go to PostHog in one request. Pure.

Only plain events share one: a recording, an AI event or a merge goes as it was kept, and
so does what takes several documents.
"""

from __future__ import annotations

from collections.abc import Iterable

from hedgerow.deliveries import WaitingDelivery

Load = list[WaitingDelivery]

MOST_EVENTS = 2_000
MOST_BYTES = 1024 * 1024
"""Of a request, before gzip, unless one delivery is larger."""


def loads_of(deliveries: Iterable[WaitingDelivery]) -> list[Load]:
    """Deliveries of one connection in their order, those that may go together in one load."""
    loads: list[Load] = []
    count = size = 0
    for delivery in deliveries:
        count += delivery.count
        size += delivery.size
        if loads and count <= MOST_EVENTS and size <= MOST_BYTES and _may_join(loads[-1][0], delivery):
            loads[-1].append(delivery)
        else:
            loads.append([delivery])
            count, size = delivery.count, delivery.size
    return loads


def _may_join(one: WaitingDelivery, other: WaitingDelivery) -> bool:
    return (
        one.historical == other.historical
        and one.lane == other.lane == "events"
        and not one.chunks
        and not other.chunks
    )
