"""The rules API: saved with what the sync must measure, known by name, edited, removed, and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.alerts.main import alerts
from hedgerow.models import Connection, SyncRun
from hedgerow.ports import Where
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOURLY = {
    "name": "Checkouts",
    "series": {"kind": "event", "event": "checkout.completed", "grain": "hour"},
    "condition": {"kind": "anomaly", "direction": "drop"},
}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def _stands(stage: Stage, id: str) -> Connection:
    found = await stage.store.get(Connection, id)
    assert found is not None
    return found


async def test_a_saved_rule_is_measured_from_then_on_and_its_past_is_fetched(stage: Stage) -> None:
    tenant = await stage.tenant("scale")
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        answer = await client.post(f"/v1/connections/{connection.id}/rules", json=HOURLY)
    assert answer.status_code == 201, answer.text
    saved = answer.json()
    stands = await _stands(stage, connection.id)
    assert [(each.event, each.hourly) for each in stands.measures] == [("checkout.completed", True)]
    assert stands.is_watched
    runs = await stage.store.find(SyncRun, Where("connection_id", "==", connection.id))
    assert [run.id for run in runs.items] == [saved["backfill_run_id"]]
    assert (runs.items[0].to_day - runs.items[0].from_day).days == 29
    assert "every 30 minutes" in saved["late"]
    assert "nobody" in saved["told"]
    assert saved["forecast"].startswith("No forecast yet")


async def test_a_rule_that_needs_nothing_new_fetches_nothing(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        saved = (await client.post(path, json={"template": "dau_drop"})).json()
        assert saved["backfill_run_id"] is None
        assert saved["template"] == "dau_drop"
        first = (await client.post(path, json=HOURLY)).json()
        again = (await client.post(path, json={**HOURLY, "name": "The same, otherwise"})).json()
    assert first["backfill_run_id"] is not None
    assert again["backfill_run_id"] is None
    assert len((await _stands(stage, connection.id)).measures) == 1


async def test_a_rule_over_the_day_so_far_says_when_it_judges_and_what_was_tried(stage: Stage) -> None:
    tenant = await stage.tenant("scale")
    connection = await stage.connection(tenant)
    today = NOW.date()
    await stage.points(
        connection, {("posthog_pageviews", today - timedelta(days=back)): 100.0 for back in range(1, 80)}
    )
    series = {"kind": "metric", "name": "posthog_pageviews", "grain": "so_far"}
    form = {"name": "Views", "series": series, "condition": {"kind": "change", "percent": 30}}
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        saved = (await client.post(path, json=form)).json()
        refused = await client.post(path, json={**form, "name": "Users", "series": {**series, "name": "posthog_dau"}})
    assert "It judges the day so far (UTC) up to an hour, once that is over: at most 30 minutes" in saved["late"]
    assert "Each day was tried at its end" in saved["forecast"]
    assert "No forecast" not in saved["forecast"]
    assert [(each.event, each.hourly) for each in (await _stands(stage, connection.id)).measures] == [
        ("$pageview", True)
    ]
    assert (refused.status_code, refused.json()["code"]) == (422, "not_summed")


async def test_a_name_is_taken_once_even_by_two_at_once(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        answers = await asyncio.gather(*(client.post(path, json={"template": "dau_drop"}) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        refused = next(answer.json() for answer in answers if answer.status_code == 409)
        listed = (await client.get(path)).json()["items"]
    assert refused["code"] == "rule_exists"
    assert [each["template"] for each in listed] == ["health", "dau_drop"]


async def test_a_rule_replaced_or_removed_lets_go_of_what_only_it_measured(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        saved = (await client.post(path, json=HOURLY)).json()
        changed = {**HOURLY, "series": {"kind": "metric", "name": "posthog_dau"}}
        answer = await client.put(f"{path}/{saved['id']}", json=changed)
        assert (answer.status_code, answer.json()["id"]) == (200, saved["id"])
        assert (await _stands(stage, connection.id)).measures == ()
        assert (await client.delete(f"{path}/{saved['id']}")).status_code == 204
        assert (await client.get(f"{path}/{saved['id']}")).status_code == 404
        assert not (await _stands(stage, connection.id)).is_watched


async def test_the_rule_of_the_start_is_there_unasked_and_is_switched_off_rather_than_removed(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        born = (await client.get(path)).json()["items"][0]
        assert (born["template"], born["enabled"]) == ("health", True)
        assert (await client.delete(f"{path}/{born['id']}")).status_code == 204
        assert not (await client.get(f"{path}/{born['id']}")).json()["enabled"]
        assert not (await _stands(stage, connection.id)).is_watched


async def test_a_snooze_ends_when_it_is_set_to_nothing(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        saved = (await client.post(path, json={"template": "dau_drop"})).json()
        snoozed = (await client.post(f"{path}/{saved['id']}/snooze", json={"minutes": 30})).json()
        assert snoozed["snoozed_until"].startswith("2026-11-20T16:00:00")
        assert (await client.post(f"{path}/{saved['id']}/snooze", json={"minutes": 0})).json()["snoozed_until"] is None
        assert (await client.post(f"{path}/{saved['id']}/snooze", json={"minutes": -1})).status_code == 422


async def test_another_tenants_connection_and_rule_are_as_if_there_were_none(stage: Stage) -> None:
    mine, theirs = await stage.tenant(), await stage.tenant(name="Other")
    connection, other = await stage.connection(mine), await stage.connection(theirs, project="2")
    async with stage.calling(alerts, await stage.key(theirs)) as client:
        rule = (await client.post(f"/v1/connections/{other.id}/rules", json={"template": "dau_drop"})).json()
    async with stage.calling(alerts, await stage.key(mine)) as client:
        strange: list[Any] = [
            (await client.get(f"/v1/connections/{id}/rules/{rule['id']}")).json()
            for id in (other.id, "con_000000000000000000000000")
        ]
        assert strange[0] == strange[1]
        absent = (await client.get(f"/v1/connections/{connection.id}/rules/rule_nobodys")).json()
        assert (await client.get(f"/v1/connections/{connection.id}/rules/{rule['id']}")).json() == absent
        wanted = {**HOURLY, "channels": ["nowhere"]}
        answer = await client.post(f"/v1/connections/{connection.id}/rules", json=wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "channel_not_found")


async def test_a_key_that_reads_saves_nothing_and_bad_forms_are_explained(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    path = f"/v1/connections/{connection.id}/rules"
    async with stage.calling(alerts, await stage.key(tenant, "read")) as client:
        assert (await client.post(path, json=HOURLY)).status_code == 403
        assert (await client.get("/v1/alerts/templates")).status_code == 200
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        bad: list[dict[str, Any]] = [
            {},
            {**HOURLY, "series": {"kind": "metric", "name": "posthog_dua"}},
            {**HOURLY, "series": {"kind": "metric", "name": "posthog_wau", "grain": "hour"}},
            {**HOURLY, "condition": {"kind": "threshold", "above": 1, "below": 2}},
            {**HOURLY, "policy": {"fire_after": 3, "out_of": 2}},
            {"template": "nothing"},
        ]
        for wanted in bad:
            answer = await client.post(path, json=wanted)
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"]
            assert answer.json()["hint"]


@pytest.mark.parametrize("name", ["a\x00", "a\x1b[2J", "a\nb", "a\u202eb"])
async def test_a_rules_name_that_cannot_be_shown_as_it_is_is_refused(stage: Stage, name: str) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        for body in (HOURLY | {"name": name}, {"template": "dau_drop", "name": name}):
            answer = await client.post(path, json=body)
            assert answer.status_code == 422, answer.text
            assert "not allowed" in answer.json()["detail"]


async def test_a_rule_is_judged_as_it_is_saved_and_its_incident_ends_as_it_goes(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    yesterday = date(2026, 11, 19)
    await stage.points(connection, {("posthog_dau", yesterday): 10})
    rule = {
        "name": "Few",
        "series": {"kind": "metric", "name": "posthog_dau"},
        "condition": {"kind": "threshold", "below": 100},
    }
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        path = f"/v1/connections/{connection.id}/rules"
        saved = (await client.post(path, json=rule)).json()
        (standing,) = (await client.get(f"{path}/{saved['id']}")).json()["standing"]
        assert standing["phase"] == "open"
        assert (await client.delete(f"{path}/{saved['id']}")).status_code == 204
        ended = (await client.get(f"/v1/incidents/{standing['incident_id']}")).json()
    assert ended["state"] == "resolved"


async def test_a_threshold_without_a_number_is_not_saved(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        wanted = {**HOURLY, "condition": {"kind": "threshold"}}
        answer = await client.post(f"/v1/connections/{connection.id}/rules", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_threshold")
