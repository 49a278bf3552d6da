"""Runs inside a former release: fills a store as that release does. `make_releases` starts it; nothing imports it.

Speaks only to what every release since the first has had: real syncs of a local PostHog,
then a tenant with a record of everything a connection could leave behind.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.ports import Swap
from tests.left import lived_in
from tests.stage import staged
from tests.sync_stage import NOW, sync_stage

if TYPE_CHECKING:
    from hedgerow.ports import Store


def events() -> list[dict[str, object]]:
    """Three people a day for nine days."""
    return [
        {
            "uuid": str(UUID(int=3 * day + person)),
            "event": "$pageview" if person else "paid",
            "distinct_id": f"person_{person}",
            "timestamp": (NOW - timedelta(days=day, hours=person)).isoformat(),
            "properties": {},
        }
        for day in range(9)
        for person in range(3)
    ]


async def fill(store: Store) -> None:
    async with sync_stage(events(), store=store) as synced:
        await synced.first_sync()
        synced.forward(timedelta(hours=7))
        await synced.tick()
    async with staged(store=store) as stage:
        tenant = await stage.tenant(name="Of this release")
        await stage.key(tenant)
        await lived_in(stage, tenant)
        ending = await stage.connection(tenant, project="2", token="phc_ending")
        await store.commit(
            Swap(ending.model_copy(update={"state": "disconnecting", "disconnect_purge": True, "due_at": None}))
        )
    await store.close()


def main() -> None:
    place, *of_firestore = sys.argv[1:]
    if of_firestore:
        project, host = of_firestore
        asyncio.run(fill(FirestoreStore(project, emulator_host=host)))
    else:
        asyncio.run(fill(SqliteStore(place)))


if __name__ == "__main__":
    main()
