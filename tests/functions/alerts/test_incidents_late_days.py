"""Days that arrive late: a drop is told all the same, and a day of which a part is missing is not taken for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from functions.alerts.conditions.kinds import Anomaly, Change, Condition, Threshold
from functions.alerts.incidents import ticking
from tests.functions.alerts.incident_stage import TODAY, AlertStage, alert_stage
from tests.stage import staged

HOURS = 3_600.0
SLOW = {"25 h": 25 * HOURS, "55 h": 55 * HOURS, "20 h": 20 * HOURS}


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage, {TODAY - timedelta(days=back): 1000.0 for back in range(1, 60)})


async def arrives_within(alerts: AlertStage, late: float) -> None:
    """So many seconds until 99 % of a day is there."""
    progress = (await alerts.connection()).progress.model_copy(update={"arrivals": (60.0, 3600.0, late, 2 * late)})
    await alerts.change_connection(progress=progress)


async def synced_days(alerts: AlertStage, days: int, every: int, value: float) -> None:
    """So many days pass, with a sync every so many hours; each day from today on comes to this value."""
    for hour in range(1, 24 * days + 1):
        alerts.stage.clock.forward(timedelta(hours=1))
        if hour % every == 0:
            today = alerts.stage.clock().date()
            recent = (today - timedelta(days=back) for back in range(4))
            await alerts.points({day: value for day in recent if day >= TODAY})
            await alerts.evaluate()
        elif hour % 3 == 0:
            await ticking.tick(alerts.app)


@pytest.mark.parametrize("condition", [Threshold(below=50), Change(percent=30), Anomaly()], ids=lambda each: each.kind)
@pytest.mark.parametrize(("late", "every"), [("25 h", 6), ("55 h", 6), ("20 h", 24)])
async def test_a_drop_is_told_though_no_newest_day_is_ever_whole(
    alerts: AlertStage, condition: Condition, late: str, every: int
) -> None:
    await arrives_within(alerts, SLOW[late])
    await alerts.rule(condition=condition)
    await alerts.evaluate()
    await synced_days(alerts, 3, every, 10.0)
    incident = await alerts.incident()
    assert (incident.since.date(), incident.observed) == (TODAY, 10.0)
    assert "waiting" not in incident.sentence


async def test_a_rule_edited_while_days_are_late_is_judged_anew(alerts: AlertStage) -> None:
    rule = await alerts.rule()
    await alerts.evaluate()
    await arrives_within(alerts, SLOW["55 h"])
    await alerts.change_rule(rule, condition=Threshold(below=60), revision=2)
    await synced_days(alerts, 3, 6, 10.0)
    assert (await alerts.incident()).since.date() == TODAY


async def test_a_new_rule_says_nothing_of_a_drop_that_is_over(alerts: AlertStage) -> None:
    await arrives_within(alerts, SLOW["55 h"])
    await alerts.points({TODAY - timedelta(days=back): 10.0 for back in (3, 4)})
    await alerts.rule()
    await alerts.evaluate()
    assert await alerts.incidents() == []
    (state,) = await alerts.states()
    assert state.last is not None
    assert (state.last.state, len(state.marks)) == ("waiting", 1)


async def test_yesterday_is_waited_for(alerts: AlertStage) -> None:
    await arrives_within(alerts, SLOW["20 h"])
    await alerts.rule()
    await alerts.points({TODAY - timedelta(days=1): 10.0})
    await alerts.evaluate()
    assert await alerts.incidents() == []


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "judged before"])
async def test_a_part_of_a_day_stays_a_part_until_a_sync_asks_again(alerts: AlertStage, is_new: bool) -> None:
    """Synced once a day at ten past two, each day is a part at first, and whole a sync later."""
    alerts.stage.clock.at = alerts.stage.clock.at.replace(hour=2, minute=10)
    await alerts.points({TODAY - timedelta(days=1): 1000.0})
    await alerts.rule(condition=Threshold(below=500))
    if not is_new:
        await alerts.evaluate()
    await arrives_within(alerts, SLOW["20 h"])
    for _ in range(3):
        today = alerts.stage.clock().date()
        whole = {today - timedelta(days=back): 1000.0 for back in (2, 3)}
        await alerts.points({**whole, today - timedelta(days=1): 400.0, today: 20.0})
        await alerts.evaluate()
        for _ in range(24):
            alerts.stage.clock.forward(timedelta(hours=1))
            await ticking.tick(alerts.app)
    assert await alerts.incidents() == []


@pytest.mark.parametrize("minute", [10, 70])
async def test_a_drop_is_told_when_each_day_is_asked_for_just_after_midnight(alerts: AlertStage, minute: int) -> None:
    alerts.stage.clock.at = alerts.stage.clock.at.replace(hour=0, minute=0) + timedelta(minutes=minute)
    await alerts.rule()
    await alerts.evaluate()
    await synced_days(alerts, 3, 24, 10.0)
    assert (await alerts.incident()).since.date() == TODAY
