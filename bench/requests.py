"""How often a first and a scheduled sync ask PostHog, by the local PostHog's own counters."""

from __future__ import annotations

import asyncio

from bench.day import a_day
from bench.figures import Row, counted
from bench.installation import NOW
from bench.sizes import Sizes
from hedgerow.adapters.sqlite import SqliteStore

NAME = "requests"


def measure(sizes: Sizes) -> list[Row]:
    """Two rows: the first sync of 30 days; the most any scheduled sync of a day needed."""
    return asyncio.run(_measure())


async def _measure() -> list[Row]:
    store = SqliteStore(":memory:")
    try:
        day = await a_day(store, NOW)
    finally:
        await store.close()
    requests = [cost.requests for cost in day.scheduled]
    note = f"the most of {len(requests)} scheduled syncs of a day; {requests.count(2)} of them also list the flags"
    return [
        counted(NAME, "PostHog requests, first sync of 30 days", [day.first.requests], limit=2),
        counted(NAME, "PostHog requests, scheduled sync", requests, limit=2, note=note),
    ]
