"""Disconnecting through HTTP: the state, the credential, what is kept, who may and who is answered as a stranger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from functions.disconnect.main import disconnect, purge_connection
from hedgerow import disconnection
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection, SyncRun, Tier, TokenClaim
from hedgerow.ports import Add, Where
from hedgerow.posthog.keys import claim_id
from tests.functions.disconnect.purges import purge
from tests.left import TOKEN, left_of, lived_in
from tests.stage import ADMIN_KEY, Stage


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
