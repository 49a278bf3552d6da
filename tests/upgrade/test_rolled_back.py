"""A release that was rolled back meets what the newer one wrote: it refuses, loses nothing, and goes on once that is back."""

from __future__ import annotations

from typing import ClassVar

from functions.api import routes
from functions.sync.main import sync_connection
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, Tenant
from hedgerow.ports import Store, Swap
from hedgerow.records import Lift
from tests.stage import Stage, staged
from tests.upgrade.test_running_on_releases import DISCARD, answer_of


class NewerConnection(Connection):
    """A connection as a release to come may write it."""

    schema_version = 2
    lifts: ClassVar[dict[int, Lift]] = {1: Lift(lambda fields: fields)}


async def newer(stage: Stage) -> NewerConnection:
    made = await stage.connection(await stage.tenant(), host=DISCARD)
    due = made.model_copy(update={"due_at": stage.clock()})
    swapped = (await stage.store.commit(Swap(due))).of(due)
    written = NewerConnection.model_validate(dict(swapped))
    return (await stage.store.commit(Swap(written))).of(written)


async def test_messages_ticks_and_calls_come_back_by_503_and_nothing_is_lost(store: Store) -> None:
    async with staged(store=store) as stage:
        held = await newer(stage)
        message = SyncRequested(connection_id=held.id, due_at=held.due_at)
        await stage.app.queue.publish(message)
        assert await stage.deliver(sync_connection, message) == 503
        assert await stage.published("sync-requested") == [message.key]
        ticked = await answer_of(stage, routes.targets()["sync_tick"], "POST", "/", body={"tier": "pro"})
        assert (ticked.status_code, ticked.json()["code"]) == (503, "newer_record")
        tenant = await stage.store.get(Tenant, held.tenant_id)
        assert tenant is not None
        path = f"/v1/connections/{held.id}"
        shown = await answer_of(stage, routes.targets()["connect"], "GET", path, await stage.key(tenant))
        assert (shown.status_code, shown.json()["code"]) == (503, "newer_record")
        assert "Deploy the newer release again" in shown.json()["hint"]
        assert await stage.store.get(NewerConnection, held.id) == held
        # The newer release is back: here it writes what today's reads.
        await stage.store.commit(Swap(Connection.model_validate(dict(held))))
        assert await stage.deliver(sync_connection, message) == 204
