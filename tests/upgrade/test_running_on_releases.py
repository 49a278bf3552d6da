"""Every target of the manifest runs on what each former release wrote, on both stores: none fails."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr
from starlette.requests import Request

from functions.api import routes
from functions.api.manifest import Target
from hedgerow import wiring
from hedgerow.adapters.embedded import Wanted
from hedgerow.disconnection import receipt_id
from hedgerow.models import Connection, PurgeReceipt, Tenant
from hedgerow.ports import Swap
from tests.left import left_of
from tests.stage import ADMIN_KEY, NOW, Stage
from tests.sync_stage import sync_stage
from tests.upgrade.writing import events

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hedgerow.ports import Store
    from tests.upgrade.conftest import Written

DISCARD = "http://127.0.0.1:9"
"""Where the guard lets nobody: nothing of these tests leaves the machine."""
TOPICS = {target.topic: target for target in routes.targets().values() if target.topic}


async def a_connection(store: Store, tenant_name: str) -> Connection:
    """The connected one of this tenant."""
    tenants = {tenant.id: tenant.name for tenant in (await store.find(Tenant)).items}
    found = (await store.find(Connection)).items
    return next(one for one in found if tenants[one.tenant_id] == tenant_name and one.state == "connected")


async def cut_off(stage: Stage) -> None:
    for connection in (await stage.store.find(Connection)).items:
        await stage.store.commit(Swap(connection.model_copy(update={"host": DISCARD, "ingestion_host": DISCARD})))


async def answer_of(
    stage: Stage, target: Target, method: str, path: str, key: str = "", body: object = None
) -> httpx.Response:
    """The target's answer, as its caller would get it."""

    async def entered(scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = await routes.function(target)(Request(scope, receive))
        await answer(scope, receive, send)

    content = body if isinstance(body, bytes) else None
    with wiring.override(stage.app):
        transport = httpx.ASGITransport(app=entered)
        async with httpx.AsyncClient(transport=transport, base_url="http://hedgerow.test") as client:
            headers = {"Authorization": f"Bearer {key}"}
            return await client.request(
                method, path, headers=headers, content=content, json=None if content is not None else body
            )


async def carried_out(stage: Stage) -> set[str]:
    """Deliver messages until none is left; the topics there were."""
    done: list[int] = []
    delivered: set[str] = set()
    while waiting := await stage.queue.exchange(done, [Wanted(topic, 0, 100) for topic in TOPICS]):
        for message in waiting:
            target = TOPICS[message.topic]
            answer = await answer_of(stage, target, "POST", "/", body=message.envelope("test"))
            assert answer.status_code == 204, (target.name, answer.text)
            delivered.add(message.topic)
        done = [message.id for message in waiting]
    return delivered


async def test_every_schedule_and_every_message_it_leads_to_is_done(written: Written, stage: Stage) -> None:
    await cut_off(stage)
    stage.clock.forward(timedelta(hours=9))
    delivered: set[str] = set()
    for _ in range(2):
        for target in routes.targets().values():
            for schedule in target.schedules:
                answer = await answer_of(stage, target, "POST", "/", body=schedule.body)
                assert answer.status_code == 200, (target.name, answer.text)
        delivered |= await carried_out(stage)
    assert {"sync-requested", "run-ended", "purge-requested"} <= delivered
    assert not [one for one in (await stage.store.find(Connection)).items if one.state == "disconnecting"]


async def test_every_reading_call_answers(written: Written, stage: Stage) -> None:
    await cut_off(stage)
    connection = await a_connection(stage.store, "Of this release")
    tenant = await stage.store.get(Tenant, connection.tenant_id)
    assert tenant is not None
    key = await stage.key(tenant)
    known = {"connection": connection.id, "tenant": tenant.id, "tier": "pro"}
    answered = 0
    for target in routes.targets().values():
        for path in (path for path in target.paths if path.startswith("/")):
            asked = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "nothing_1"), path)
            for bearer in (key, ADMIN_KEY):
                answer = await answer_of(stage, target, "GET", asked, bearer)
                # Some ask PostHog itself, where nobody gets to from here.
                assert answer.status_code < 500 or "address_refused" in answer.text, (asked, answer.text)
                answered += answer.status_code == 200
    assert answered >= 12
    shown = await answer_of(stage, routes.targets()["metrics"], "GET", f"/v1/connections/{connection.id}/metrics", key)
    assert '"posthog_dau"' in shown.text


async def test_a_connection_is_disconnected_and_purged_whole(written: Written, stage: Stage) -> None:
    await cut_off(stage)
    connection = await a_connection(stage.store, "Of this release")
    tenant = await stage.store.get(Tenant, connection.tenant_id)
    assert tenant is not None
    key = await stage.key(tenant)
    left_before = await left_of(stage, connection.id)
    assert left_before["metric_months"]
    path = f"/v1/connections/{connection.id}/disconnect"
    answer = await answer_of(stage, routes.targets()["disconnect"], "POST", path, key, {"purge": True})
    assert answer.status_code < 300, answer.text
    await carried_out(stage)
    assert await left_of(stage, connection.id) == {}
    receipt = await stage.store.get(PurgeReceipt, receipt_id(connection.id))
    assert receipt is not None
    assert receipt.complete
    assert not any(receipt.remaining.values())


async def test_a_connection_goes_on_syncing(written: Written) -> None:
    before = await a_connection(written.store, "Acme")
    async with sync_stage(events(), store=written.store, now=NOW + timedelta(days=1)) as synced:
        reference = await synced.app.vault.write(before.id, SecretStr(synced.posthog.personal_api_key))
        known = {"secret_ref": reference, "project_id": synced.posthog.project_id}
        await written.store.commit(Swap(before.model_copy(update=known)))
        synced.connection_id = before.id
        assert await synced.tick() >= 1
        after = await synced.connection()
        assert after.trouble is None
        assert after.progress.last_success_at is not None
        assert before.progress.last_success_at is not None
        assert after.progress.last_success_at > before.progress.last_success_at
        assert (await synced.points())["posthog_dau", NOW.date()].value == 3
