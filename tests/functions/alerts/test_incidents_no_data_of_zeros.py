"""A rule on silence fires live on zeros, as it does in its back-test, though the newest bucket still runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts.conditions.kinds import NoData
from functions.alerts.series.sources import measure_of
from functions.alerts.spec import EventSeries, MetricSeries
from hedgerow import hours
from hedgerow.hours import HourMonth, HourPoint, Hours
from hedgerow.ports import Add, Swap
from tests.functions.alerts.incident_stage import METRIC, TODAY, AlertStage, alert_stage
from tests.stage import staged

MIDNIGHT = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
HOURLY = EventSeries(event="wishlist_add", grain="hour")
SILENCE = NoData(buckets=2)


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        yield await alert_stage(stage)


async def hourly_points(alerts: AlertStage, values: list[float], newest: float) -> None:
    """Values of today's hours from midnight on, as a sync at this instant brings them."""
    measure = measure_of(HOURLY)
    assert measure is not None
    now = alerts.stage.clock()
    points = {int(MIDNIGHT.timestamp()) + 3_600 * at: HourPoint(value, now) for at, value in enumerate(values)}
    month = f"{MIDNIGHT:%Y-%m}"
    id = hours.record_id(alerts.connection_id, month)
    packed = hours.pack(Hours(month, {measure.series(): points}))
    await alerts.stage.store.commit(
        Add(HourMonth(id=id, connection_id=alerts.connection_id, month=month, packed=packed, updated_at=now))
    )
    connection = await alerts.connection()
    progress = connection.progress.model_copy(
        update={
            "last_success_at": now,
            "newest_event_at": MIDNIGHT + timedelta(hours=newest),
            "asked_at": now,
            "last_success_day": TODAY,
            "arrivals": (60.0, 300.0, 600.0, 1_200.0),
        }
    )
    await alerts.stage.store.commit(Swap(connection.model_copy(update={"progress": progress})))


async def test_days_of_zeros_fire_while_today_runs(alerts: AlertStage) -> None:
    await alerts.rule(condition=SILENCE)
    zeros = {TODAY - timedelta(days=back): 0.0 for back in range(4)}
    await alerts.points(zeros)
    await alerts.evaluate()
    incident = await alerts.incident()
    assert "nothing for 3 days" in incident.sentence
    await alerts.points({TODAY: 1})
    await alerts.evaluate()
    assert (await alerts.incident()).state == "resolved"


async def test_one_day_of_zeros_and_a_running_one_are_not_two(alerts: AlertStage) -> None:
    await alerts.rule(condition=SILENCE, series=MetricSeries(name=METRIC))
    await alerts.points({TODAY - timedelta(days=1): 0.0, TODAY: 0.0})
    await alerts.evaluate()
    assert await alerts.incidents() == []


@pytest.mark.parametrize(("newest", "fires"), [(12.6, True), (7.1, False)])
async def test_hours_of_zeros_fire_once_they_have_arrived(alerts: AlertStage, newest: float, fires: bool) -> None:
    await alerts.rule(condition=SILENCE, series=HOURLY)
    alerts.stage.clock.forward(MIDNIGHT + timedelta(hours=12, minutes=40) - alerts.stage.clock())
    await hourly_points(alerts, [*[5.0] * 8, *[0.0] * 5], newest)
    await alerts.evaluate()
    assert [incident.state for incident in await alerts.incidents()] == (["open"] if fires else [])
