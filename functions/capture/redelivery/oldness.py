"""How old the outbox is, said once a tick, for the alert on it. Looks at so many connections, and no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.capture.redelivery.backlog import DueDelivery
from hedgerow import telemetry
from hedgerow.deliveries import DeliveryStory
from hedgerow.logs import log
from hedgerow.ports import Where

if TYPE_CHECKING:
    from hedgerow.app import App

MOST_CONNECTIONS = 50


async def tell(app: App) -> None:
    """Say since when the oldest event waits, of the first connections that have any: a line of two reads for each."""
    waiting, oldest, last = 0, 0.0, ""
    for _ in range(MOST_CONNECTIONS):
        page = await app.store.find(DueDelivery, Where("connection_id", ">", last), limit=1)
        if not page.items:
            break
        last = page.items[0].connection_id
        mine, pending = Where("connection_id", "==", last), Where("state", "==", "pending")
        first = await app.store.find(DeliveryStory, mine, pending, limit=1)
        for found in first.items:
            waiting += 1
            oldest = max(oldest, (app.now() - found.accepted_at).total_seconds())
    log().info("outbox.state", oldest_seconds=round(oldest), waiting=waiting)
    telemetry.record(app, telemetry.OUTBOX_OLDEST, oldest)
