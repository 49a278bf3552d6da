"""Endings are told to the product around Hedgerow, once each, with the commit that makes them so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.disconnect.main import disconnect, purge_connection
from hedgerow import disconnection
from hedgerow.activity import Activity
from hedgerow.messages import PurgeRequested, RunEnded
from hedgerow.models import Connection
from hedgerow.ports import Where
from tests.crash import Crash, CrashingQueue, Fuse
from tests.left import lived_in
from tests.stage import ADMIN_KEY, Stage


async def told(stage: Stage, tenant_id: str) -> list[Activity]:
    found = (await stage.store.find(Activity, Where("tenant_id", "==", tenant_id))).items
    return [one for one in found if one.kind != "incident.opened"]


@pytest.mark.parametrize("purge", [True, False])
async def test_a_disconnection_is_told_once(stage: Stage, *, purge: bool) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        for _ in range(2):
            await client.post(f"/v1/connections/{connection.id}/disconnect", json={"purge": purge})
    if purge:
        await stage.deliver(purge_connection, PurgeRequested(connection_id=connection.id))
    (ended,) = await told(stage, tenant.id)
    # A purge takes what is the connection's; this entry must still be told afterwards.
    whose = None if purge else connection.id
    assert (ended.kind, ended.connection_id, ended.due_at) == ("connection.disconnected", whose, stage.clock())
    assert ended.fields["connection_id"] == connection.id
    # Its alert rules are looked at once more, which ends what they have open; a purge takes them.
    assert len(await stage.published(RunEnded.topic)) == (0 if purge else 1)
    assert (ended.fields["name"], ended.fields["purge"]) == ("Shop", purge)


async def test_a_purge_that_died_before_it_was_announced_is_not_told_again(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    begun = await disconnection.begin(stage.app, connection, purge=True)
    dying = replace(stage.app, queue=CrashingQueue(stage.app.queue, Fuse(1)))
    with pytest.raises(Crash):
        await disconnection.finish(dying, begun.connection)
    assert len(await told(stage, tenant.id)) == 1
    stage.clock.forward(disconnection.LEASE)
    assert await disconnection.sweep(stage.app) == 1
    assert connection.id in await stage.published(PurgeRequested.topic)
    await stage.carry_out()
    assert len(await told(stage, tenant.id)) == 1
    assert await stage.store.get(Connection, connection.id) is None


async def test_a_tenant_that_is_deleted_is_told_with_its_receipt(stage: Stage) -> None:
    tenant = await stage.tenant()
    await lived_in(stage, tenant)
    async with stage.calling(disconnect, ADMIN_KEY) as client:
        receipt = (await client.delete(f"/v1/tenants/{tenant.id}")).json()["receipt"]
        await client.delete(f"/v1/tenants/{tenant.id}")
    purged = [one for one in await told(stage, tenant.id) if one.kind == "tenant.purged"]
    assert [one.connection_id for one in purged] == [None]
    assert purged[0].fields["removed"] == sum(receipt["removed"].values())
