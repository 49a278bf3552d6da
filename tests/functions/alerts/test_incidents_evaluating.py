"""A run ends: rules are judged, and what opens, worsens or ends is written once, with whom to tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import health
from functions.alerts.spec import EventSeries, MetricSeries, Policy
from hedgerow import months
from hedgerow.measures import Measure
from hedgerow.models import MetricMonth, Tenant
from hedgerow.ports import Delete, Store, Swap
from tests.functions.alerts.incident_stage import TODAY, YESTERDAY, AlertStage, alert_stage
from tests.stage import staged


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


async def test_a_drop_opens_one_incident_and_tells_its_channel(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    incident = await alerts.incident()
    assert (incident.rule_id, incident.state, incident.severity) == (rule.id, "open", "warning")
    assert incident.since.date() == YESTERDAY
    assert (incident.observed, incident.peak, incident.connection_name) == (20, 20, "Shop")
    assert incident.channels == (alerts.channel.id,)
    assert [step.kind for step in incident.timeline] == ["opened"]
    (notification,) = await alerts.notifications()
    assert (notification.kind, notification.subject_id, notification.state) == ("opened", incident.id, "pending")
    assert await alerts.announced() == [f"{notification.id}#0"]
    assert await alerts.activities() == ["incident.opened"]


async def test_the_same_again_writes_nothing(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    before = await alerts.everything()
    alerts.stage.clock.forward(timedelta(minutes=3))
    await alerts.evaluate()
    assert await alerts.everything() == before


async def test_all_is_well_writes_one_state_and_then_nothing(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.evaluate()
    assert await alerts.incidents() == []
    (state,) = await alerts.states()
    assert state.last is not None
    assert (state.last.state, state.phase, state.due_at) == ("not_firing", "quiet", None)
    before = await alerts.everything()
    await alerts.evaluate()
    assert await alerts.everything() == before


async def test_recovery_resolves_and_says_so_where_it_was_told(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.day_passes(100)
    await alerts.evaluate()
    incident = await alerts.incident()
    assert (incident.state, incident.was_corrected) == ("resolved", False)
    assert incident.resolved_at == alerts.stage.clock()
    assert await alerts.told() == ["opened", "resolved"]
    assert await alerts.activities() == ["incident.opened", "incident.resolved"]


async def test_late_data_corrects_an_opening(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    alerts.stage.clock.forward(timedelta(hours=3))
    await alerts.points({YESTERDAY: 97})
    await alerts.evaluate()
    incident = await alerts.incident()
    assert (incident.state, incident.was_corrected) == ("resolved", True)
    assert [step.kind for step in incident.timeline] == ["opened", "corrected", "resolved"]


async def test_an_older_day_corrected_later_is_judged_again(alerts: AlertStage) -> None:
    await alerts.rule(policy=Policy(recover_after=5, cooldown_minutes=0))
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.day_passes(100)
    await alerts.evaluate()
    assert (await alerts.incident()).state == "open"
    await alerts.points({YESTERDAY: 90})
    await alerts.evaluate()
    assert (await alerts.incident()).was_corrected


async def test_days_nobody_looked_at_are_judged_one_by_one(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.evaluate()
    await alerts.day_passes(10)
    await alerts.day_passes(100)
    await alerts.evaluate()
    incident = await alerts.incident()
    assert (incident.state, incident.since.date(), incident.was_corrected) == ("resolved", TODAY, False)
    assert await alerts.told() == ["opened", "resolved"]


async def test_a_new_rule_counts_the_days_before_but_tells_nothing_of_them(alerts: AlertStage) -> None:
    await alerts.points({YESTERDAY - timedelta(days=1): 10, YESTERDAY - timedelta(days=2): 10})
    await alerts.rule(policy=Policy(fire_after=2, out_of=3, cooldown_minutes=0))
    await alerts.evaluate()
    assert await alerts.incidents() == []
    await alerts.day_passes(10)
    await alerts.evaluate()
    assert (await alerts.incident()).since.date() == YESTERDAY - timedelta(days=2)


@pytest.mark.parametrize("rules", [1, 3])
async def test_evaluations_at_once_open_one_incident(store: Store, rules: int) -> None:
    async with staged(store=store) as stage:
        alerts = await alert_stage(stage)
        for number in range(rules):
            await alerts.rule(f"rule {number}")
        await alerts.points({YESTERDAY: 20})
        await asyncio.gather(*(alerts.evaluate() for _ in range(4)))
        assert len(await alerts.incidents()) == rules
        assert await alerts.told() == ["opened"] * rules
        await alerts.day_passes(100)
        await asyncio.gather(*(alerts.evaluate() for _ in range(4)))
        assert [each.state for each in await alerts.incidents()] == ["resolved"] * rules
        assert sorted(await alerts.told()) == ["opened"] * rules + ["resolved"] * rules
        assert (await alerts.activities()).count("incident.opened") == rules


async def test_rules_that_fire_together_are_announced_together(alerts: AlertStage) -> None:
    await alerts.rule("one")
    await alerts.rule("other", Threshold(below=60))
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    planned = await alerts.notifications()
    assert {each.due_at for each in planned} == {alerts.stage.clock()}
    assert sorted(await alerts.announced()) == sorted(f"{each.id}#0" for each in planned)


async def test_a_rule_over_a_missing_metric_stops_no_other(alerts: AlertStage) -> None:
    await alerts.rule("a missing one", series=MetricSeries(name="posthog_dau", grain="hour"))
    await alerts.rule("another", series=MetricSeries(name="flag:no:such"))
    good = await alerts.rule("good")
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    assert (await alerts.incident()).rule_id == good.id


async def test_a_breakdown_has_an_incident_for_each_value(alerts: AlertStage) -> None:
    series = EventSeries(event="paid", math="sum", of="amount_minor", by="currency")
    measure = Measure(event="paid", math="sum", of="amount_minor", by="currency")
    rule = await alerts.rule("volume", Threshold(below=50), series)
    days = [TODAY - timedelta(days=back) for back in range(1, 6)]
    for currency, last in (("EUR", 10), ("USD", 90), ("JPY", 5)):
        name = measure.series(currency)
        await alerts.points({**dict.fromkeys(days[1:], 100.0), YESTERDAY: float(last)}, name)
    await alerts.evaluate()
    incidents = await alerts.incidents()
    assert sorted((each.rule_id, each.value) for each in incidents) == [(rule.id, "EUR"), (rule.id, "JPY")]
    assert len({each.value for each in await alerts.states()}) == 3


async def test_a_missing_newest_day_means_what_the_policy_says(alerts: AlertStage) -> None:
    await alerts.rule("keeps")
    loud = await alerts.rule("fires", policy=Policy(no_data="firing", cooldown_minutes=0))
    await alerts.evaluate()
    alerts.stage.clock.forward(timedelta(days=2))
    await alerts.evaluate()
    stale = await alerts.incident()
    assert stale.rule_name == health.NAME, "no sync has asked: the points are late, not missing"
    await alerts.points({TODAY: 100}, "posthog_events")
    await alerts.evaluate()
    (missing,) = (each for each in await alerts.incidents() if each.id != stale.id)
    assert (missing.rule_id, "no point" in missing.sentence) == (loud.id, True)
    assert (await alerts.stage.store.get(type(stale), stale.id)) != stale, "the sync is well again"


async def test_without_any_channel_the_incident_is_there_all_the_same(alerts: AlertStage) -> None:
    await alerts.rule(channels=())
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    assert (await alerts.incident()).channels == ()
    assert await alerts.told() == []


async def test_the_default_channel_is_told_when_the_rule_names_none(alerts: AlertStage) -> None:
    tenant = await alerts.stage.store.get(Tenant, alerts.tenant.id)
    assert tenant is not None
    await alerts.stage.store.commit(Swap(tenant.model_copy(update={"default_channel_id": alerts.channel.id})))
    await alerts.rule(channels=())
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    assert (await alerts.incident()).channels == (alerts.channel.id,)


async def test_history_purged_by_the_tier_ends_in_waiting_not_in_an_error(alerts: AlertStage) -> None:
    await alerts.rule()
    await alerts.points({YESTERDAY: 20})
    await alerts.evaluate()
    await alerts.stage.store.commit(Delete(MetricMonth, months.record_id(alerts.connection_id, "2026-11")))
    await alerts.evaluate()
    assert (await alerts.incident()).state == "open"
