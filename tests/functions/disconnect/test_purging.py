"""Purging through HTTP and its message: nothing is left but a receipt, whatever comes back meanwhile; tenants too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from functions.disconnect import purging
from functions.disconnect.main import disconnect, purge_connection
from hedgerow.messages import PurgeRequested
from hedgerow.models import ApiKey, Connection, PurgeReceipt, Tenant, TokenClaim
from hedgerow.ports import Add, Page, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.records import Record
from tests.crash import CrashingStore, Fuse
from tests.functions.disconnect.purges import purge
from tests.left import TOKEN, left_of, lived_in, run_of
from tests.stage import ADMIN_KEY, Stage

R = TypeVar("R", bound=Record)


class ComingBackStore(CrashingStore):
    """The purge is done by another message, and the project connected anew, while this one reads its first page."""

    def __init__(self, stage: Stage, connection: Connection) -> None:
        super().__init__(stage.store, Fuse())
        self.stage = stage
        self.connection: Connection | None = connection

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        page = await super().find(kind, *where, limit=limit, cursor=cursor)
        connection, self.connection = self.connection, None
        if connection is not None:
            await purging.purge(self.stage.app, connection.id)
            again = run_of(self.stage, connection).model_copy(update={"id": page.items[0].id})
            await self.stage.store.commit(Add(connection.model_copy(update={"version": 0})), Add(again))
        return page


async def test_a_purge_removes_everything_against_a_receipt(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection, other = await lived_in(stage, tenant, runs=450), await lived_in(stage, tenant, token="phc_other")
    before = await left_of(stage, other.id)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/disconnect"
        begun = (await client.post(path, json={"purge": True})).json()
        assert (begun["state"], begun["purge"], begun["receipt"]) == ("disconnecting", True, None)
        assert "sealed_secrets" not in await left_of(stage, connection.id), "the credential goes at once"
        await purge(stage, connection)
        done = (await client.get(path)).json()
        again = await client.post(path)
    assert await left_of(stage, connection.id) == {}
    assert await stage.store.get(TokenClaim, claim_id(TOKEN)) is None
    assert done["state"] == "disconnected"
    assert done["receipt"]["removed"] == {
        "sync_runs": 452,
        "metric_months": 2,
        "hour_months": 2,
        "query_texts": 1,
        "change_sets": 1,
        "deliveries": 1,
        "delivery_chunks": 1,
        "capture_counts": 1,
        "capture_rules": 1,
        "catalog_versions": 1,
        "last_answers": 1,
        "alert_rules": 1,
        "rule_states": 1,
        "incidents": 1,
        "notifications": 1,
        "chat_threads": 1,
        "activity": 1,
        "token_claims": 1,
        "connections": 1,
    }
    assert set(done["receipt"]["remaining"]) == set(done["receipt"]["removed"])
    assert set(done["receipt"]["remaining"].values()) == {0}
    assert done["receipt"]["complete"]
    assert done["receipt"]["secret_destroyed"]
    assert (again.status_code, again.json()) == (202, done)
    assert await left_of(stage, other.id) == before


async def test_a_disconnected_connection_may_still_be_purged(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/disconnect"
        await client.post(path)
        await client.post(path, json={"purge": True})
        await purge(stage, connection)
        receipt = (await client.get(path)).json()["receipt"]
    assert receipt["removed"]["metric_months"] == 2
    assert await left_of(stage, connection.id) == {}


async def test_a_project_that_came_back_is_not_purged_by_an_old_message(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/disconnect"
        await client.post(path, json={"purge": True})
        await purge(stage, connection)
        await stage.store.commit(
            Add(connection.model_copy(update={"version": 0})),
            Add(TokenClaim(id=claim_id(TOKEN), connection_id=connection.id, proved=True)),
        )
        await stage.points(connection, {("posthog_dau", stage.clock().date()): 1})
        assert await stage.deliver(purge_connection, PurgeRequested(connection_id=connection.id)) == 204
        assert (await client.get(path)).json()["receipt"] is None, "the receipt is of the former connection"
        assert (await left_of(stage, connection.id)) == {"metric_months": 1, "connections": 1}
        stage.clock.forward(timedelta(days=1))
        await client.post(path, json={"purge": True})
        await purge(stage, connection)
        second = (await client.get(path)).json()["receipt"]
    assert second["removed"] == {"metric_months": 1, "token_claims": 1, "connections": 1}


async def test_a_purge_that_wakes_up_late_removes_nothing_of_what_came_back(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        await client.post(f"/v1/connections/{connection.id}/disconnect", json={"purge": True})
    late = replace(stage.app, store=ComingBackStore(stage, connection))
    await purging.purge(late, connection.id)
    assert await left_of(stage, connection.id) == {"connections": 1, "sync_runs": 1}


async def test_deleting_a_tenant_purges_all_it_has_against_one_receipt(stage: Stage) -> None:
    tenant, rival = await stage.tenant(), await stage.tenant(name="Rival")
    connections = [await lived_in(stage, tenant, token=f"phc_{number}") for number in range(3)]
    kept = await lived_in(stage, rival)
    keys = [await stage.key(tenant) for _ in range(2)]
    before = await left_of(stage, kept.id)
    async with stage.calling(disconnect, ADMIN_KEY) as client:
        answer = await client.delete(f"/v1/tenants/{tenant.id}")
        again = await client.delete(f"/v1/tenants/{tenant.id}")
        nobody = await client.delete("/v1/tenants/ten_nobody")
    assert answer.status_code == 200
    assert answer.json()["state"] == "deleted"
    assert answer.json()["receipt"]["removed"] == {
        "api_keys": 2,
        "sync_runs": 15,
        "metric_months": 6,
        "hour_months": 6,
        "query_texts": 3,
        "change_sets": 3,
        "deliveries": 3,
        "delivery_chunks": 3,
        "capture_counts": 3,
        "capture_rules": 3,
        "catalog_versions": 3,
        "last_answers": 3,
        "alert_rules": 3,
        "rule_states": 3,
        "incidents": 3,
        "notifications": 3,
        "chat_threads": 3,
        "activity": 3,
        "token_claims": 3,
        "connections": 3,
        "tenants": 1,
    }
    assert set(answer.json()["receipt"]["remaining"].values()) == {0}
    assert (again.status_code, again.json()) == (200, answer.json())
    assert nobody.status_code == 404
    assert [await left_of(stage, connection.id) for connection in connections] == [{}, {}, {}]
    assert await stage.store.get(Tenant, tenant.id) is None
    assert await stage.store.count(PurgeReceipt) == 1
    assert await left_of(stage, kept.id) == before
    async with stage.calling(disconnect, keys[0]) as client:
        assert (await client.get(f"/v1/connections/{connections[0].id}/disconnect")).status_code == 401
    assert await stage.store.count(ApiKey, Where("tenant_id", "==", tenant.id)) == 0
