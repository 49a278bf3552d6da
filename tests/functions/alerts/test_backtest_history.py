"""What a back-test of a connection takes for history: zeros before the first event are none, and what is silent is said."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.alerts.main import alerts
from hedgerow.models import Connection, Tenant
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

PATH = "/v1/alerts/backtest"
TODAY = NOW.date()
PAYMENTS = {
    "kind": "ratio",
    "of": {"kind": "metric", "name": "event:payment.failed"},
    "to": [{"kind": "metric", "name": "event:payment.failed"}, {"kind": "metric", "name": "event:payment.completed"}],
}
CHECKOUTS = {"kind": "metric", "name": "event:checkout"}
ABOVE = {"kind": "threshold", "above": 500}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def shop(stage: Stage, points: Mapping[tuple[str, date], float]) -> Connection:
    connection = await stage.connection(await stage.tenant("scale"))
    await stage.points(connection, points)
    return connection


async def asked(stage: Stage, connection: Connection, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    tenant = await stage.store.get(Tenant, connection.tenant_id)
    assert tenant is not None
    async with stage.calling(alerts, await stage.key(tenant, "read")) as client:
        answer = await client.post(PATH, json={"connection": connection.id, **body})
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def back(name: str, number: int, value: float) -> tuple[tuple[str, date], float]:
    return (name, TODAY - timedelta(days=number)), value


async def test_zeros_before_the_first_event_are_no_history(stage: Stage) -> None:
    points = dict(back("event:checkout", day, 100.0 if day <= 28 else 0.0) for day in range(1, 121))
    told = await asked(stage, await shop(stage, points), {"series": CHECKOUTS, "condition": ABOVE})
    assert told["from"] == f"{TODAY - timedelta(days=28)}T00:00:00Z"
    assert told["buckets"] == 28
    assert told["forecast"]["words"].startswith("no firings in 28 days; expect no false alarms, at most 3.3 a month")
    assert "There is data for 28 of the 90 days asked for: those were tried." in told["remarks"]


async def test_zeros_after_the_first_event_are_history(stage: Stage) -> None:
    points = dict(back("event:checkout", day, 0.0 if 20 < day < 60 else 100.0) for day in range(1, 121))
    told = await asked(stage, await shop(stage, points), {"series": CHECKOUTS, "condition": ABOVE})
    assert told["buckets"] == 89
    assert told["remarks"] == []


async def test_a_rate_of_nothing_is_history(stage: Stage) -> None:
    points = dict(back("event:payment.completed", day, 100.0) for day in range(1, 121))
    points |= dict(back("event:payment.failed", day, 5.0 if day < 20 else 0.0) for day in range(1, 121))
    told = await asked(stage, await shop(stage, points), {"series": PAYMENTS, "condition": ABOVE})
    assert told["buckets"] == 89, "no payment failed, and that was known"


async def test_what_its_minimum_silences_is_said_to_be_silent(stage: Stage) -> None:
    points = dict(back("event:payment.completed", day, 10.0) for day in range(1, 121))
    points |= dict(back("event:payment.failed", day, 2.0) for day in range(1, 121))
    connection = await shop(stage, points)
    refused = await asked(stage, connection, {"series": PAYMENTS, "condition": ABOVE}, 422)
    assert "every bucket asked for holds less than its `minimum` of 20, and is silent" in refused["detail"]
    assert refused["hint"].startswith("Lower `minimum`")
    told = await asked(stage, connection, {"series": {**PAYMENTS, "minimum": 5}, "condition": ABOVE})
    assert told["buckets"] == 89


async def test_some_silent_buckets_are_counted(stage: Stage) -> None:
    points = dict(back("event:payment.completed", day, 10.0 if day < 10 else 100.0) for day in range(1, 121))
    points |= dict(back("event:payment.failed", day, 2.0) for day in range(1, 121))
    told = await asked(stage, await shop(stage, points), {"series": PAYMENTS, "condition": ABOVE})
    assert "9 buckets held less than the `minimum` of 20: silent." in told["remarks"]


async def test_what_never_happened_has_no_past(stage: Stage) -> None:
    points = dict(back("event:checkout", day, 0.0) for day in range(1, 121))
    refused = await asked(stage, await shop(stage, points), {"series": CHECKOUTS, "condition": ABOVE}, 422)
    assert "nothing but zeros" in refused["detail"]
    unknown = {"kind": "metric", "name": "posthog_dau"}
    refused = await asked(stage, await shop(stage, {}), {"series": unknown, "condition": ABOVE}, 422)
    assert refused["code"] == "no_points"
    assert "Check the name" in refused["hint"]
