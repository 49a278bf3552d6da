"""Long judging and drawing happen beside everything else: the event loop goes on answering meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.pages import charting
from functions.alerts.series.sources import measure_of
from functions.alerts.spec import EventSeries, Policy
from hedgerow import hours
from hedgerow.hours import HourMonth, HourPoint, Hours
from hedgerow.ports import Add, Swap
from tests.functions.alerts.incident_stage import AlertStage, alert_stage
from tests.stage import staged

HOURLY = EventSeries(event="order_paid", grain="hour")
HOUR, DAYS = 3_600, 110


@pytest.fixture
async def alerts() -> AsyncIterator[AlertStage]:
    async with staged() as stage:
        made = await alert_stage(stage)
        await hours_of_order_paid(made)
        yield made


async def hours_of_order_paid(alerts: AlertStage) -> None:
    """Each day like any other, but the last thirty-six hours of them: far too few."""
    measure, now = measure_of(HOURLY), alerts.stage.clock()
    assert measure is not None
    end = int(now.timestamp()) // HOUR * HOUR
    held: dict[str, Hours] = {}
    for back in range(1, DAYS * 24):
        begin = end - back * HOUR
        month = hours.month_of(begin)
        value = 10.0 if back <= 36 else 1000.0 + 90 * (back * 7 % 11)
        asked = datetime.fromtimestamp(begin, UTC) + timedelta(hours=3)
        into = held.setdefault(month, Hours(month)).series.setdefault(measure.series(), {})
        into[begin] = HourPoint(value, max(asked, now) if back < 4 else asked)
    id = alerts.connection_id
    for month, made in held.items():
        record = HourMonth(
            id=hours.record_id(id, month), connection_id=id, month=month, packed=hours.pack(made), updated_at=now
        )
        await alerts.stage.store.commit(Add(record))
    connection = await alerts.connection()
    progress = connection.progress.model_copy(update={"newest_event_at": now, "asked_at": now})
    await alerts.stage.store.commit(Swap(connection.model_copy(update={"progress": progress})))


async def share_held(work: Awaitable[object]) -> float:
    """Of the time the work took, the longest stretch in which nothing else could run."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    began = time.perf_counter()
    await work
    await asyncio.sleep(0)
    took = time.perf_counter() - began
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    return longest / took


async def test_judging_many_buckets_holds_nobody_up(alerts: AlertStage) -> None:
    policy = Policy(fire_after=30, out_of=30, recover_after=30, cooldown_minutes=0)
    await alerts.rule(series=HOURLY, condition=Anomaly(), policy=policy)
    await alerts.evaluate()  # It marks what was before, and imports what it needs.
    assert len((await alerts.states())[0].marks) == 30
    assert await share_held(alerts.evaluate()) < 0.5
    assert (await alerts.incident()).state == "open"


async def test_drawing_a_chart_holds_nobody_up(alerts: AlertStage) -> None:
    await alerts.rule(series=HOURLY, condition=Anomaly())
    await alerts.evaluate()
    incident = await alerts.incident()
    drawn = await charting.chart_of(alerts.app, incident, "light")
    assert drawn.startswith(b"\x89PNG")
    assert await share_held(charting.chart_of(alerts.app, incident, "light")) < 0.5
    assert await charting.chart_of(alerts.app, incident, "light") == drawn
