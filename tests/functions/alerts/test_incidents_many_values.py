"""A breakdown by a property of very many values: the most frequent are judged, and what is gone is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.spec import EventSeries, Policy
from hedgerow.measures import MOST_VALUES, Measure
from tests.functions.alerts.incident_stage import AlertStage, alert_stage
from tests.stage import staged

PAID = EventSeries(event="paid", by="method")
MEASURE = Measure(event="paid", by="method")


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


async def paid(alerts: AlertStage, method: str, *values: float) -> None:
    """So many a day, yesterday's last."""
    newest = alerts.stage.clock().date() - timedelta(days=1)
    days = {newest - timedelta(days=back): value for back, value in enumerate(reversed(values))}
    await alerts.points(days, MEASURE.series(method))


async def test_the_values_with_most_of_late_are_judged_and_no_others(alerts: AlertStage) -> None:
    for number in range(60):
        days_ago = number % 4
        await paid(alerts, f"rare{number:02}", *[5.0] * 3, *[0.0] * days_ago)
    await paid(alerts, "main", *[1000.0] * 12, 0.0)
    await alerts.rule(series=PAID, condition=Threshold(below=10))
    await alerts.evaluate()
    assert len(await alerts.states()) == MOST_VALUES
    told = {incident.value for incident in await alerts.incidents()}
    assert "main" in told
    assert len(told) <= MOST_VALUES


async def test_one_with_an_open_incident_is_kept_though_others_are_larger(alerts: AlertStage) -> None:
    await paid(alerts, "small", 30.0, 30.0, 1.0)
    for number in range(5):
        await paid(alerts, f"large{number}", 100.0, 100.0, 100.0)
    await alerts.rule(series=PAID, condition=Threshold(below=10))
    await alerts.evaluate()
    assert (await alerts.incident()).value == "small"
    for number in range(30):
        await paid(alerts, f"larger{number:02}", 900.0, 900.0, 900.0)
    await alerts.evaluate()
    assert (await alerts.incident()).state == "open"
    judged = {state.value for state in await alerts.states() if state.marks}
    assert (len(judged), "small" in judged) == (MOST_VALUES, True)


async def test_a_value_long_gone_is_forgotten_and_one_with_an_incident_is_kept_with_it(alerts: AlertStage) -> None:
    await paid(alerts, "gone", 50.0, 50.0)
    await paid(alerts, "fell", 50.0, 1.0)
    await alerts.rule(series=PAID, condition=Threshold(below=10))
    await alerts.evaluate()
    for days, remembered in (
        (34, {"gone", "fell", "new"}),
        (2, {"fell", "new"}),
        (400, {"fell", "new"}),
        (40, {"new"}),
    ):
        alerts.stage.clock.forward(timedelta(days=days))
        await paid(alerts, "new", 50.0, 50.0)
        await alerts.evaluate()
        assert {state.value for state in await alerts.states()} == remembered
    assert [(each.value, each.state) for each in await alerts.incidents()] == [("fell", "resolved")]


async def test_a_value_that_comes_back_after_an_incident_has_a_new_one(alerts: AlertStage) -> None:
    await paid(alerts, "fell", 50.0, 1.0)
    await alerts.rule(series=PAID, condition=Threshold(below=10), policy=Policy(cooldown_minutes=0))
    await alerts.evaluate()
    for value in (50.0, 1.0):
        alerts.stage.clock.forward(timedelta(days=60))
        await paid(alerts, "new", 50.0, 50.0)
        await alerts.evaluate()
        await paid(alerts, "fell", 50.0, value)
        await alerts.evaluate()
    assert [each.state for each in await alerts.incidents()] == ["resolved", "open"]
