"""The rule every connection has from the start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from functions.alerts.incidents import evaluating, health, ticking
from functions.alerts.records import AlertRule
from hedgerow.models import Connection, Tier, Trouble
from hedgerow.ports import Add, Swap
from tests.functions.alerts.incident_stage import AlertStage, alert_stage
from tests.stage import staged

TROUBLE = Trouble(code="key_refused", detail="PostHog refuses the key.", hint="Give another one.")


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        made = await alert_stage(stage)
        tenant = made.tenant.model_copy(update={"default_channel_id": made.channel.id})
        await stage.store.commit(Swap(tenant))
        yield made


async def needs_attention(alerts: AlertStage) -> None:
    await alerts.change_connection(
        state="needs_attention", state_since=alerts.stage.clock(), trouble=TROUBLE, due_at=None
    )


async def test_a_healthy_connection_leaves_no_record(alerts: AlertStage) -> None:
    await alerts.evaluate()
    assert await alerts.states() == []
    assert await alerts.incidents() == []


async def test_needs_attention_is_told_at_once_with_the_remedy(alerts: AlertStage) -> None:
    await needs_attention(alerts)
    await alerts.evaluate()
    incident = await alerts.incident()
    assert incident.sentence == "Shop needs attention. PostHog refuses the key. Give another one."
    assert (incident.severity, incident.channels) == ("warning", (alerts.channel.id,))
    assert incident.rule_id == health.health_rule(await alerts.connection()).id


async def test_it_resolves_when_the_key_works_again(alerts: AlertStage) -> None:
    await needs_attention(alerts)
    await alerts.evaluate()
    alerts.stage.clock.forward(timedelta(minutes=9))
    await alerts.change_connection(state="connected", state_since=alerts.stage.clock(), trouble=None)
    await alerts.evaluate()
    assert (await alerts.incident()).state == "resolved"
    assert await alerts.told() == ["opened", "resolved"]


async def test_three_intervals_without_success_are_told_and_two_are_not(alerts: AlertStage) -> None:
    alerts.stage.clock.forward(timedelta(minutes=85))
    await alerts.evaluate()
    assert await alerts.incidents() == []
    alerts.stage.clock.forward(timedelta(minutes=10))
    await alerts.evaluate()
    assert (await alerts.incident()).sentence == "Shop has not synced for 95 min; a sync is due every 30 min."


@pytest.mark.parametrize("tier", ["starter", "basic"])
async def test_by_hand_tiers_are_only_told_of_needs_attention(alerts: AlertStage, tier: Tier) -> None:
    await alerts.change_connection(tier=tier)
    alerts.stage.clock.forward(timedelta(days=3))
    await alerts.evaluate()
    assert await alerts.incidents() == []
    await needs_attention(alerts)
    await alerts.evaluate()
    assert len(await alerts.incidents()) == 1


async def test_a_pause_by_hand_is_no_trouble(alerts: AlertStage) -> None:
    await alerts.change_connection(state="paused", due_at=None)
    alerts.stage.clock.forward(timedelta(days=3))
    await alerts.evaluate()
    assert await alerts.incidents() == []


async def test_it_may_be_switched_off(alerts: AlertStage) -> None:
    rule = health.health_rule(await alerts.connection())
    await alerts.stage.store.commit(Add(rule.model_copy(update={"enabled": False})))
    await needs_attention(alerts)
    await alerts.evaluate()
    await ticking.tick(alerts.app)
    assert await alerts.incidents() == []


async def test_a_kept_one_is_judged_as_it_was_edited(alerts: AlertStage) -> None:
    rule = health.health_rule(await alerts.connection())
    edited = rule.condition.model_copy(update={"above": 6.0})
    await alerts.stage.store.commit(Add(rule.model_copy(update={"condition": edited, "revision": 2})))
    alerts.stage.clock.forward(timedelta(minutes=150))
    await alerts.evaluate()
    assert await alerts.incidents() == []
    alerts.stage.clock.forward(timedelta(minutes=40))
    await alerts.evaluate()
    assert (await alerts.incident()).rule_id == rule.id


async def test_the_tick_finds_connections_that_need_attention_by_themselves(alerts: AlertStage) -> None:
    await needs_attention(alerts)
    done = await ticking.tick(alerts.app)
    assert (done["unwell"], done["opened"]) == (1, 1)
    assert len(await alerts.incidents()) == 1
    again = await ticking.tick(alerts.app)
    assert again.get("opened", 0) == 0
    assert again.get("unwell", 0) == 0


async def test_the_tick_finds_connections_that_nothing_syncs(alerts: AlertStage) -> None:
    await alerts.change_connection(due_at=alerts.stage.clock() + timedelta(minutes=30))
    alerts.stage.clock.forward(timedelta(minutes=80))
    assert (await ticking.tick(alerts.app)).get("opened", 0) == 0
    alerts.stage.clock.forward(timedelta(minutes=15))
    assert (await ticking.tick(alerts.app))["opened"] == 1


async def test_the_tick_goes_on_where_it_stopped(alerts: AlertStage) -> None:
    await needs_attention(alerts)
    template = await alerts.connection()
    others = [
        template.model_copy(update={"id": f"con_other{number:03}", "version": 0, "secret_ref": None})
        for number in range(ticking.PAGE + 20)
    ]
    await alerts.stage.store.commit(*(Add(each) for each in others))
    opened = [(await ticking.tick(alerts.app))["opened"] for _ in range(2)]
    assert sum(opened) == len(others) + 1
    assert max(opened) <= ticking.PAGE
    left = await ticking.tick(alerts.app)
    assert left.get("opened", 0) == 0


async def test_it_ends_when_its_connection_is_disconnected(alerts: AlertStage) -> None:
    await needs_attention(alerts)
    await alerts.evaluate()
    await alerts.change_connection(state="disconnected", secret_ref=None)
    alerts.stage.clock.forward(timedelta(minutes=31))
    await ticking.tick(alerts.app)
    assert (await alerts.incident()).state == "resolved"
    assert await alerts.told() == ["opened"]
    assert (await ticking.tick(alerts.app)).get("judged", 0) == 0


async def test_judging_one_rule_leaves_the_others_alone(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await needs_attention(alerts)
    connection: Connection = await alerts.connection()
    await evaluating.judge_rule(alerts.app, connection, rule)
    assert await alerts.incidents() == []
    assert {each.rule_id for each in await alerts.states()} == {rule.id}
    assert await alerts.stage.store.get(AlertRule, rule.id) == rule
