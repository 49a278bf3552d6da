"""Disconnecting through HTTP: the state, the credential, what is kept, purges and their receipts, tenants."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from functions.disconnect import purging
from functions.disconnect.main import disconnect, purge_connection
from hedgerow import disconnection
from hedgerow.messages import PurgeRequested
from hedgerow.models import ApiKey, Connection, PurgeReceipt, SyncRun, Tenant, Tier, TokenClaim
from hedgerow.ports import Add, Page, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.records import Record
from tests.crash import CrashingStore, Fuse
from tests.left import TOKEN, left_of, lived_in, run_of
from tests.stage import ADMIN_KEY, Stage

R = TypeVar("R", bound=Record)


async def purge(stage: Stage, connection: Connection) -> None:
    """Deliver the purge that was asked for."""
    assert connection.id in await stage.published(PurgeRequested.topic)
    status = await stage.deliver(purge_connection, PurgeRequested(connection_id=connection.id))
    assert status == 204


async def test_the_credential_goes_and_history_stays(stage: Stage) -> None:
    tenant = await stage.tenant("basic")
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        answer = await client.post(f"/v1/connections/{connection.id}/disconnect")
        looked = await client.get(f"/v1/connections/{connection.id}/disconnect")
    assert answer.status_code == 202
    assert answer.json() == looked.json()
    assert answer.json() == {
        "id": connection.id,
        "state": "disconnected",
        "purge": False,
        "refuse_traffic": False,
        "history_kept_until": "2026-12-20",
        "traffic_last_hour": 7,
        "receipt": None,
    }
    after = await stage.store.get(Connection, connection.id)
    assert after is not None
    assert (after.state, after.secret_ref, after.due_at) == ("disconnected", None, None)
    left = await left_of(stage, connection.id)
    capture = ("deliveries", "delivery_chunks", "capture_counts", "capture_rules", "catalog_versions", "last_answers")
    synced = {
        "sync_runs": 5,
        "metric_months": 2,
        "hour_months": 2,
        "query_texts": 1,
        "change_sets": 1,
        "connections": 1,
    }
    alerts = ("alert_rules", "rule_states", "incidents", "notifications", "chat_threads", "activity")
    # The second entry says that it was disconnected.
    assert left == {**synced, **dict.fromkeys((*capture, *alerts), 1), "activity": 2, "sealed_secrets": 1}
    assert await stage.store.get(TokenClaim, claim_id(TOKEN)) is not None, "traffic passes straight through"
    runs = (await stage.store.find(SyncRun, Where("connection_id", "==", connection.id))).items
    assert {run.error.code for run in runs if run.state == "failed" and run.error} == {"disconnected"}
    assert not [run for run in runs if run.state == "pending"]


@pytest.mark.parametrize(("tier", "until"), [("starter", "2026-11-23"), ("basic", "2026-12-20"), ("pro", None)])
async def test_how_long_history_is_kept_is_said(stage: Stage, tier: Tier, until: str | None) -> None:
    tenant = await stage.tenant(tier)
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        answer = (await client.post(f"/v1/connections/{connection.id}/disconnect", json={})).json()
    assert answer["history_kept_until"] == until


async def test_doing_it_again_changes_nothing(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/disconnect"
        first = await client.post(path)
        before = await stage.store.get(Connection, connection.id)
        stage.clock.forward(timedelta(hours=5))
        second = await client.post(path)
    assert (second.status_code, second.json()) == (202, {**first.json(), "traffic_last_hour": 0})
    assert await stage.store.get(Connection, connection.id) == before


async def test_refused_traffic_frees_the_token_also_later(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/disconnect"
        await client.post(path)
        answer = await client.post(path, json={"refuse_traffic": True})
    assert (answer.json()["state"], answer.json()["refuse_traffic"]) == ("disconnected", True)
    assert await stage.store.get(TokenClaim, claim_id(TOKEN)) is None


async def test_a_token_that_is_anothers_by_now_stays_the_others(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant, token=TOKEN)
    await stage.store.commit(Add(TokenClaim(id=claim_id(TOKEN), connection_id="con_other", proved=True)))
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        await client.post(f"/v1/connections/{connection.id}/disconnect", json={"refuse_traffic": True})
    assert await stage.store.get(TokenClaim, claim_id(TOKEN)) is not None


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


async def test_an_unfinished_disconnection_is_finished_by_the_sweep(stage: Stage) -> None:
    tenant = await stage.tenant()
    plain, purged = await lived_in(stage, tenant), await lived_in(stage, tenant, token="phc_other")
    await disconnection.begin(stage.app, plain)
    await disconnection.begin(stage.app, purged, purge=True)
    assert await disconnection.sweep(stage.app) == 0, "somebody may be at it"
    stage.clock.forward(disconnection.LEASE)
    assert await disconnection.sweep(stage.app) == 2
    held = await stage.store.get(Connection, plain.id)
    assert held is not None
    assert held.secret_ref is not None, "a tick destroys nothing"
    assert await stage.deliver(purge_connection, PurgeRequested(connection_id=plain.id)) == 204
    after = await stage.store.get(Connection, plain.id)
    assert after is not None
    assert (after.state, after.secret_ref) == ("disconnected", None)
    await purge(stage, purged)
    assert await left_of(stage, purged.id) == {}


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


async def test_anothers_connection_and_none_are_answered_alike(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection, gone = await lived_in(stage, tenant), await lived_in(stage, tenant, token="phc_other")
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        await client.post(f"/v1/connections/{gone.id}/disconnect", json={"purge": True})
    await purge(stage, gone)
    answers = set()
    async with stage.calling(disconnect, await stage.key(await stage.tenant(name="Rival"))) as client:
        for id in (connection.id, gone.id, "con_nobody"):
            for answer in (
                await client.post(f"/v1/connections/{id}/disconnect", json={"purge": True}),
                await client.get(f"/v1/connections/{id}/disconnect"),
            ):
                answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    after = await stage.store.get(Connection, connection.id)
    assert after is not None
    assert after.state == "connected"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"purge": "yes"}', 422),
        (b'{"purge": 1}', 422),
        (b'{"purge": true, "force": true}', 422),
        (b"[]", 422),
        (b"", 202),
        (b"null", 202),
    ],
)
async def test_bodies(stage: Stage, body: bytes, status: int) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        answer = await client.post(
            f"/v1/connections/{connection.id}/disconnect", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == status
    after = await stage.store.get(Connection, connection.id)
    assert after is not None
    assert after.state == ("disconnected" if status == 202 else "connected")


async def test_roles(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    path = f"/v1/connections/{connection.id}/disconnect"
    seen = {}
    for role, key in (
        ("read", await stage.key(tenant, "read")),
        ("capture", await stage.key(tenant, "capture")),
        ("admin", ADMIN_KEY),
    ):
        async with stage.calling(disconnect, key) as client:
            calls = await client.post(path), await client.get(path), await client.delete(f"/v1/tenants/{tenant.id}x")
            seen[role] = tuple(call.status_code for call in calls)
    assert seen == {"read": (403, 200, 403), "capture": (403, 403, 403), "admin": (403, 403, 404)}


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


async def test_a_purge_that_wakes_up_late_removes_nothing_of_what_came_back(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await lived_in(stage, tenant)
    async with stage.calling(disconnect, await stage.key(tenant)) as client:
        await client.post(f"/v1/connections/{connection.id}/disconnect", json={"purge": True})
    late = replace(stage.app, store=ComingBackStore(stage, connection))
    await purging.purge(late, connection.id)
    assert await left_of(stage, connection.id) == {"connections": 1, "sync_runs": 1}
