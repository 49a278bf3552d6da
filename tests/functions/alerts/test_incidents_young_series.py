"""An event that is new has no past: the zeros counted for the time before it are no history to judge by."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.incidents import looking, machine
from functions.alerts.records import AlertRule
from functions.alerts.spec import MetricSeries
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TODAY = date(2026, 11, 20)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def test_zeros_before_the_first_event_do_not_widen_what_is_usual(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant)
    progress = connection.progress.model_copy(update={"last_success_at": stage.clock(), "last_success_day": TODAY})
    connection = connection.model_copy(update={"progress": progress})
    points: dict[tuple[str, date], float] = {}
    for back in range(80):
        day = TODAY - timedelta(days=back)
        points["event:old", day] = 500 + back % 5
        points["event:young", day] = 0 if back > 45 else 500 + back % 5
    for name in ("event:old", "event:young"):
        points[name, TODAY - timedelta(days=1)] = 10
    await stage.points(connection, points)
    bands = {}
    for name in ("event:old", "event:young"):
        rule = AlertRule(
            id=f"rule_{name}",
            tenant_id=tenant.id,
            connection_id=connection.id,
            name=name,
            series=MetricSeries(name=name),
            condition=Anomaly(),
            created_at=stage.clock(),
            updated_at=stage.clock(),
        )
        (look,) = await looking.look(stage.app, connection, rule, stage.clock())
        verdict = look.verdicts(machine.fresh(rule))[-1]
        assert verdict.state == "firing", verdict.sentence
        bands[name] = verdict
    assert bands["event:young"].low is not None
    assert bands["event:young"].low > 300
