"""What ends or holds back incidents beside their numbers: rules switched off, removed or edited, connections that leave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import evaluating
from functions.alerts.spec import BacklogSeries, EventSeries, MetricSeries
from hedgerow import months
from hedgerow.measures import Measure
from hedgerow.models import MetricMonth
from hedgerow.ports import Delete
from tests.functions.alerts.incident_stage import YESTERDAY, AlertStage, alert_stage
from tests.stage import staged


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


async def test_switching_a_rule_off_ends_its_incident(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    off = await alerts.change_rule(rule, enabled=False)
    done = await evaluating.judge_rule(alerts.app, await alerts.connection(), off)
    assert done["resolved"] == 1
    incident = await alerts.incident()
    assert incident.state == "resolved"
    assert "switched off" in incident.timeline[-1].sentence
    before = await alerts.everything()
    assert "resolved" not in await evaluating.judge_rule(alerts.app, await alerts.connection(), off)
    await alerts.evaluate()
    assert await alerts.everything() == before


async def test_a_deleted_rules_incident_ends_and_its_state_goes(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.stage.store.commit(Delete(type(rule), rule.id))
    await alerts.evaluate()
    assert (await alerts.incident()).state == "resolved"
    assert await alerts.told() == ["opened", "resolved"]
    assert await alerts.states() == []


async def test_a_disconnected_connection_ends_everything_in_silence(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.change_connection(state="disconnected", secret_ref=None, due_at=None)
    await alerts.evaluate()
    incident = await alerts.incident()
    assert (incident.state, "disconnected" in incident.timeline[-1].sentence) == ("resolved", True)
    assert await alerts.told() == ["opened"]
    assert await alerts.activities() == ["incident.opened", "incident.resolved"]


async def test_a_paused_connection_lets_its_rules_wait(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.change_connection(state="paused", due_at=None)
    await alerts.evaluate()
    assert await alerts.incidents() == []
    (state,) = await alerts.states()
    assert state.last is not None
    assert (state.last.state, state.last.reason, state.due_at) == ("waiting", "connection_paused", None)
    await alerts.change_connection(state="connected")
    await alerts.evaluate()
    assert (await alerts.incident()).state == "open"


async def test_a_purge_in_the_middle_leaves_nothing_behind(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    connection = await alerts.connection()
    await alerts.change_connection(state="disconnecting", due_at=None)
    await evaluating.evaluate_connection(alerts.app, connection, {rule.id})
    assert await alerts.incidents() == []
    assert await alerts.states() == []


async def test_an_edited_rule_keeps_its_incident_and_judges_it_anew(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.change_rule(rule, condition=Threshold(below=30), revision=2)
    await alerts.evaluate()
    assert [step.kind for step in (await alerts.incident()).timeline] == ["opened", "edited"]
    await alerts.change_rule(rule, condition=Threshold(below=10), revision=3)
    await alerts.evaluate()
    incident = await alerts.incident()
    assert [step.kind for step in incident.timeline] == ["opened", "edited", "edited", "resolved"]
    assert not incident.was_corrected


async def test_an_incident_that_retention_took_is_no_longer_open(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    first = await alerts.incident()
    await alerts.stage.store.commit(Delete(type(first), first.id))
    await alerts.evaluate()
    second = await alerts.incident()
    assert second.id != first.id
    assert second.state == "open"


async def test_a_rule_switched_on_again_begins_anew(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.evaluate()
    await alerts.change_rule(rule, enabled=False)
    await alerts.day_passes(10)
    await alerts.evaluate()
    await alerts.day_passes(100)
    await alerts.change_rule(rule, enabled=True)
    await alerts.evaluate()
    assert await alerts.incidents() == [], "what happened while it was off is nobody's news"
    (state,) = await alerts.states()
    assert state.last is not None
    assert state.last.state == "not_firing"


async def test_after_a_long_pause_old_days_are_no_news(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.evaluate()
    await alerts.day_passes(10)
    for _ in range(9):
        await alerts.day_passes(100)
    await alerts.evaluate()
    assert await alerts.incidents() == []


async def test_a_value_that_is_gone_ends_its_incident(alerts: AlertStage) -> None:
    series = EventSeries(event="paid", by="currency")
    name = Measure(event="paid", by="currency").series("EUR")
    rule = await alerts.rule("volume", Threshold(below=50), series)
    await alerts.points({YESTERDAY - timedelta(days=1): 100, YESTERDAY: 10}, name)
    await alerts.evaluate()
    assert (await alerts.incident()).value == "EUR"
    await alerts.stage.store.commit(Delete(MetricMonth, months.record_id(alerts.connection_id, "2026-11")))
    await alerts.evaluate()
    incident = await alerts.incident()
    assert (incident.rule_id, incident.state) == (rule.id, "resolved")
    assert "not among the values" in incident.timeline[-1].sentence


async def test_a_backlog_is_judged_while_nothing_is_synced(alerts: AlertStage) -> None:
    rule = await alerts.rule("backlog", Threshold(above=900), BacklogSeries())
    await alerts.change_connection(state="paused", due_at=None)
    await alerts.evaluate()
    (state,) = await alerts.states()
    assert state.last is not None
    assert (state.rule_id, state.last.state) == (rule.id, "not_firing")


async def test_an_unreadable_series_is_shown_and_keeps_what_is_open(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.change_rule(rule, series=MetricSeries(name="posthog_wau", grain="hour"))
    await alerts.evaluate()
    assert (await alerts.incident()).state == "open"
    (state,) = await alerts.states()
    assert state.last is not None
    assert (state.last.state, state.last.reason) == ("errored", "no_series")
