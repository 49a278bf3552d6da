"""Acknowledge, snooze, rate, and the incidents API, which shows each tenant its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.types import ASGIApp

from functions.alerts.incidents import acting, incident_routes, ticking
from functions.alerts.records import AlertRule, Incident, Notification
from hedgerow.errors import InvalidError, StateConflictError
from hedgerow.ports import Store
from hedgerow.problems import Guard, application
from tests.functions.alerts.incident_stage import TODAY, YESTERDAY, AlertStage, alert_stage, at
from tests.stage import staged


async def incidents_api(request: Request) -> ASGIApp:
    """The incidents' routes as a family of their own."""
    router = APIRouter()
    router.include_router(incident_routes.router)
    return Guard(application("incidents", router))


async def opened(alerts: AlertStage) -> Incident:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    return await alerts.incident()


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


async def test_acknowledging_twice_is_acknowledging_once(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    first = await acting.acknowledge(alerts.app, incident, "key_1")
    again = await acting.acknowledge(alerts.app, incident, "key_2")
    assert first == again == await alerts.incident()
    assert (first.acknowledged_by, first.acknowledged_at) == ("key_1", alerts.stage.clock())
    assert [(step.kind, step.by) for step in first.timeline] == [("opened", ""), ("acknowledged", "key_1")]
    assert await alerts.told() == ["opened", "acknowledged"]
    rule = await alerts.stage.store.get(AlertRule, incident.rule_id)
    assert rule is not None
    assert (rule.useful, rule.useless) == (1, 0)


async def test_a_resolved_incident_takes_no_acknowledgement(alerts: AlertStage) -> None:
    await opened(alerts)
    await alerts.day_passes(100)
    await alerts.evaluate()
    before = await alerts.everything()
    incident = await alerts.incident()
    with pytest.raises(StateConflictError) as refused:
        await acting.acknowledge(alerts.app, incident, "key_1")
    assert refused.value.code == "incident_resolved"
    with pytest.raises(StateConflictError):
        await acting.snooze(alerts.app, incident, at(alerts.stage, hours=1), "key_1")
    assert await alerts.everything() == before


async def test_a_snooze_quiets_and_at_its_end_it_is_told_again(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    until = at(alerts.stage, hours=1)
    snoozed = await acting.snooze(alerts.app, incident, until, "key_1")
    assert await acting.snooze(alerts.app, snoozed, until, "key_1") == snoozed
    (state,) = await alerts.states()
    assert (state.snoozed_until, state.due_at) == (until, incident.opened_at + timedelta(minutes=30))
    alerts.stage.clock.forward(timedelta(minutes=59))
    await ticking.tick(alerts.app)
    assert await alerts.told() == ["opened", "snoozed"]
    alerts.stage.clock.forward(timedelta(minutes=1))
    await ticking.tick(alerts.app)
    assert await alerts.told() == ["opened", "snoozed", "worse"]
    assert (await alerts.incident()).snoozed_until is None
    alerts.stage.clock.forward(timedelta(hours=1))
    await ticking.tick(alerts.app)
    assert await alerts.told() == ["opened", "snoozed", "worse"]


@pytest.mark.parametrize("ahead", [timedelta(0), -timedelta(hours=1), timedelta(days=30, seconds=1)])
async def test_a_snooze_ends_within_thirty_days(alerts: AlertStage, ahead: timedelta) -> None:
    incident = await opened(alerts)
    with pytest.raises(InvalidError, match="30 days"):
        await acting.snooze(alerts.app, incident, alerts.stage.clock() + ahead, "key_1")


async def test_the_last_rating_counts_once(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    for useful in (True, True, False, False):
        await acting.rate(alerts.app, await alerts.incident(), useful, "key_1")
    rule = await alerts.stage.store.get(AlertRule, incident.rule_id)
    assert rule is not None
    assert (rule.useful, rule.useless) == (0, 1)
    await acting.acknowledge(alerts.app, await alerts.incident(), "key_1")
    assert await alerts.stage.store.get(AlertRule, incident.rule_id) == rule, "what was said outweighs"


async def test_acting_at_once_with_an_evaluation_loses_nothing(store: Store) -> None:
    async with staged(store=store) as stage:
        alerts = await alert_stage(stage)
        incident = await opened(alerts)
        await alerts.day_passes(10)
        until = at(stage, hours=2)
        await asyncio.gather(
            acting.acknowledge(alerts.app, incident, "key_1"),
            acting.rate(alerts.app, incident, True, "key_1"),
            acting.snooze(alerts.app, incident, until, "key_1"),
            alerts.evaluate(),
            acting.acknowledge(alerts.app, incident, "key_2"),
        )
        after = await alerts.incident()
        assert after.acknowledged_at is not None
        assert (after.rated_useful, after.snoozed_until, after.observed) == (True, until, 10)
        rule = await stage.store.get(AlertRule, incident.rule_id)
        assert rule is not None
        assert (rule.useful, rule.useless) == (1, 0)


async def test_the_api_lists_newest_first_with_filters_and_pages(alerts: AlertStage) -> None:
    await opened(alerts)
    await alerts.day_passes(100)
    await alerts.evaluate()
    await alerts.day_passes(10)
    await alerts.evaluate()
    old, new = await alerts.incidents()
    async with alerts.stage.calling(incidents_api, await alerts.stage.key(alerts.tenant, "read")) as client:
        everything = (await client.get("/v1/incidents")).json()
        assert [each["id"] for each in everything["items"]] == [new.id, old.id]
        assert everything["next_cursor"] is None
        assert "timeline" not in everything["items"][0]
        for query, expected in (
            ({"state": "open"}, [new.id]),
            ({"state": "resolved", "connection": alerts.connection_id}, [old.id]),
            ({"rule": new.rule_id, "state": "open"}, [new.id]),
            ({"connection": "con_nobodys"}, []),
        ):
            page = (await client.get("/v1/incidents", params=query)).json()
            assert [each["id"] for each in page["items"]] == expected, query
        first = (await client.get("/v1/incidents", params={"limit": 1})).json()
        rest = (await client.get("/v1/incidents", params={"limit": 1, "cursor": first["next_cursor"]})).json()
        assert [first["items"][0]["id"], rest["items"][0]["id"]] == [new.id, old.id]
        shown = (await client.get(f"/v1/incidents/{old.id}")).json()
        assert [step["kind"] for step in shown["timeline"]] == ["opened", "resolved"]
        assert (shown["rule"], shown["connection"], shown["since"][:10]) == ("DAU drop", "Shop", str(YESTERDAY))
        assert (await client.get("/v1/incidents", params={"cursor": "broken"})).status_code == 422


async def test_the_api_acts(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    path = f"/v1/incidents/{incident.id}"
    async with alerts.stage.calling(incidents_api, await alerts.stage.key(alerts.tenant)) as client:
        taken = (await client.post(f"{path}/acknowledge")).json()
        assert taken["acknowledged_by"] == "test", "the key's label, not its id"
        quiet = (await client.post(f"{path}/snooze", json={"minutes": 90})).json()
        assert quiet["snoozed_until"][:16] == at(alerts.stage, minutes=90).isoformat()[:16]
        assert (await client.post(f"{path}/rate", json={"useful": False})).json()["rated_useful"] is False
        told = [(step["kind"], step["sentence"], step["by"]) for step in (await client.get(path)).json()["timeline"]]
        assert told[1:] == [
            ("acknowledged", "Somebody looks after it.", "test"),
            ("snoozed", "Snoozed until Fri 20 Nov, 17:00 (UTC).", "test"),
            ("rated", "Called noise.", "test"),
        ]
        for body in (
            {},
            {"minutes": 0},
            {"minutes": 5, "until": "2026-11-21T00:00:00Z"},
            {"until": "2026-11-21T00:00:00"},
        ):
            assert (await client.post(f"{path}/snooze", json=body)).status_code == 422, body
        await alerts.day_passes(100)
        await alerts.evaluate()
        refused = await client.post(f"{path}/snooze", json={"minutes": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "incident_resolved")
    assert TODAY > YESTERDAY


async def test_another_tenants_incident_is_none(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    stranger = await alerts.stage.tenant(name="Other")
    async with alerts.stage.calling(incidents_api, await alerts.stage.key(stranger)) as client:
        for query in ({}, {"rule": incident.rule_id}, {"connection": alerts.connection_id}):
            assert (await client.get("/v1/incidents", params=query)).json() == {"items": [], "next_cursor": None}
        for call in ("", "/acknowledge", "/snooze", "/rate"):
            bodies = {"/snooze": {"minutes": 5}, "/rate": {"useful": True}}
            method = "POST" if call else "GET"
            theirs, none = [
                await client.request(method, f"/v1/incidents/{id}{call}", json=bodies.get(call))
                for id in (incident.id, "inc_none")
            ]
            assert theirs.status_code == none.status_code == 404
            assert {**theirs.json(), "instance": ""} == {**none.json(), "instance": ""}
    assert await alerts.incident() == incident


async def test_a_reader_may_not_act(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    async with alerts.stage.calling(incidents_api, await alerts.stage.key(alerts.tenant, "read")) as client:
        assert (await client.post(f"/v1/incidents/{incident.id}/acknowledge")).status_code == 403


async def test_every_notification_of_a_step_has_its_own_number(alerts: AlertStage) -> None:
    incident = await opened(alerts)
    await acting.acknowledge(alerts.app, incident, "key_1")
    planned: list[Notification] = await alerts.notifications()
    timeline = (await alerts.incident()).timeline
    assert [timeline[each.step].kind for each in planned] == ["opened", "acknowledged"]
