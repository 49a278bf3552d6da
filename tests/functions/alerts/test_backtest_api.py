"""POST /v1/alerts/backtest: points of anybody, series and rules of a connection, breakdowns, refusals, other tenants."""

from __future__ import annotations

import asyncio
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from functions.alerts.backtest.answering import MOST_BUCKETS, MOST_INCIDENTS
from functions.alerts.backtest.turns import Turns
from functions.alerts.main import alerts
from hedgerow.errors import TooManyError
from hedgerow.measures import Measure
from hedgerow.models import Connection, Tenant
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/v1/alerts/backtest"
TODAY = NOW.date()
LOW = TODAY - timedelta(days=20)
HOURS = [[1_767_225_600 + hour * 3_600, 9 if hour in (50, 51) else 5] for hour in range(100)]
ABOVE = {"kind": "threshold", "above": 8}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def asked(stage: Stage, connection: Connection | None, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    tenant = await stage.tenant() if connection is None else None
    key = await stage.key(tenant, "read") if tenant else await _key(stage, connection)
    async with stage.calling(alerts, key) as client:
        answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def _key(stage: Stage, connection: Connection | None) -> str:
    assert connection is not None
    tenant = await stage.store.get(Tenant, connection.tenant_id)
    assert tenant is not None
    return await stage.key(tenant, "read")


async def shop(stage: Stage, zone: str = "UTC") -> Connection:
    """A connection with 150 days of daily actives, one of them far too low."""
    connection = await stage.connection(await stage.tenant("scale"), zone=zone)
    points: dict[tuple[str, date], float] = {
        ("posthog_dau", TODAY - timedelta(days=back)): 1000 + back % 7 * 20 for back in range(1, 151)
    }
    points["posthog_dau", LOW] = 200
    await stage.points(connection, points)
    return connection


async def test_points_are_tried_without_any_connection(stage: Stage) -> None:
    told = await asked(
        stage,
        None,
        {"points": HOURS, "condition": ABOVE, "labels": [["2026-01-03 01:00:00", "2026-01-03 05:00:00"]]},
    )
    assert told["grain"] == 3_600
    (only,) = told["incidents"]
    assert (only["from"], only["to"]) == ("2026-01-03T02:00:00Z", "2026-01-03T03:00:00Z")
    assert (only["peak"], only["reason"], only["told_at"]) == (9, "above_threshold", "2026-01-03T03:00:00Z")
    assert "9" in only["sentence"]
    assert told["labels"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "median_delay": 3_600.0}
    assert told["forecast"]["words"].startswith("1 firing in 4 days; 4 days judged are too few to say")
    assert told["nearby"] is None


async def test_nearby_settings_come_with_the_one_to_take(stage: Stage) -> None:
    labels = [["2026-01-03 02:00:00", "2026-01-03 03:00:00"]]
    body = {"points": HOURS, "condition": {"kind": "threshold", "above": 4}, "labels": labels, "nearby": True}
    nearby = (await asked(stage, None, body))["nearby"]
    settings, chosen = nearby["settings"], nearby["settings"][nearby["chosen"]]
    assert settings[0]["condition"]["above"] == 4
    assert settings[0]["labels"]["f1"] == 1.0, "always firing finds the label, too"
    assert len(settings) <= 50
    assert chosen["labels"]["f1"] == 1.0
    assert nearby["why"]


async def test_a_metric_of_a_connection_is_tried_over_its_last_days(stage: Stage) -> None:
    connection = await shop(stage, zone="Europe/Berlin")
    body = {
        "connection": connection.id,
        "series": {"kind": "metric", "name": "posthog_dau"},
        "condition": {"kind": "change", "direction": "drop", "percent": 40},
        "from": str(TODAY - timedelta(days=60)),
        "to": str(TODAY - timedelta(days=5)),
        "labels": [[f"{LOW} 10:00:00", f"{LOW} 12:00:00"]],
    }
    told = await asked(stage, connection, body)
    (only,) = told["incidents"]
    assert only["from"] == f"{LOW - timedelta(days=1)}T23:00:00Z", "the local day begins at 23:00 UTC"
    assert only["reason"] == "drop"
    assert told["labels"]["recall"] == 1.0, "a label within the day meets the day"
    assert told["buckets"] == 56
    assert "would have seen that of" in told["forecast"]["words"]


async def test_a_day_so_far_is_tried_at_the_end_of_each_day_and_that_is_said(stage: Stage) -> None:
    connection = await stage.connection(await stage.tenant("scale"))
    days = {TODAY - timedelta(days=back): 100.0 for back in range(1, 60)}
    await stage.points(connection, {("posthog_pageviews", day): value for day, value in (days | {LOW: 900.0}).items()})
    series = {"kind": "metric", "name": "posthog_pageviews", "grain": "so_far"}
    condition = {"kind": "threshold", "above": 500}
    told = await asked(
        stage, connection, {"connection": connection.id, "series": series, "condition": condition, "from": str(LOW)}
    )
    (incident,) = told["incidents"]
    assert incident["from"][:10] == str(LOW)
    assert any("at its end" in remark for remark in told["remarks"])
    by_day = {**series, "grain": "day"}
    told = await asked(stage, connection, {"connection": connection.id, "series": by_day, "condition": condition})
    assert not any("at its end" in remark for remark in told["remarks"])


async def test_a_saved_rule_is_tried_by_its_id_and_with_another_condition(stage: Stage) -> None:
    connection = await shop(stage)
    tenant_key = await _key(stage, connection)
    tenant = await stage.store.get(Tenant, connection.tenant_id)
    assert tenant is not None
    async with stage.calling(alerts, await stage.key(tenant)) as client:
        wanted = {
            "name": "low",
            "series": {"kind": "metric", "name": "posthog_dau"},
            "condition": {"kind": "threshold", "below": 500},
        }
        saved = (await client.post(f"/v1/connections/{connection.id}/rules", json=wanted)).json()
    body = {"connection": connection.id, "rule": saved["id"]}
    async with stage.calling(alerts, tenant_key) as client:
        own = (await client.post(PATH, json=body)).json()
        other = (await client.post(PATH, json={**body, "condition": {"kind": "threshold", "below": 100}})).json()
        none = await client.post(PATH, json={**body, "rule": "rule_0000"})
    assert [each["from"] for each in own["incidents"]] == [f"{LOW}T00:00:00Z"]
    assert own["name"]
    assert other["incidents"] == []
    assert none.status_code == 404


async def test_another_tenants_connection_is_none(stage: Stage) -> None:
    connection = await shop(stage)
    stranger = await stage.connection(await stage.tenant())
    body = {
        "connection": connection.id,
        "series": {"kind": "metric", "name": "posthog_dau"},
        "condition": {"kind": "anomaly"},
    }
    theirs = await asked(stage, stranger, body, 404)
    nobodys = await asked(stage, stranger, {**body, "connection": "con_nothing"}, 404)
    assert theirs == nobodys


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"points": None}, "series"),
        ({"points": HOURS, "rule": "rule_1"}, "series"),
        ({"condition": None}, "condition"),
        ({"condition": {"kind": "new_value"}}, "condition"),
        ({"condition": {"kind": "threshold", "above": 1, "below": 2}}, "condition.threshold"),
        ({"points": [[-5, 1], [0, 2]]}, "points.0"),
        ({"points": [[0, 1], [3_600, 1e200]]}, "points.1"),
        ({"labels": [["2026-01-02", "2026-01-01"]]}, None),
        ({"from": "yesterday"}, None),
        ({"points": [["2026-01-01", 1]]}, None),
        ({"nearly": True}, "nearly"),
        ({"to": "1999-01-01"}, None),
    ],
)
async def test_what_cannot_be_tried_is_refused(stage: Stage, change: dict[str, Any], field: str | None) -> None:
    told = await asked(stage, None, {"points": HOURS, "condition": ABOVE, **change}, 422)
    assert told["detail"]
    assert told["hint"]
    if field is not None:
        assert told["field"] == field


async def test_what_has_no_past_is_said(stage: Stage) -> None:
    connection = await shop(stage)
    for series, condition in (
        ({"kind": "sync"}, {"kind": "threshold", "above": 3}),
        ({"kind": "flag", "key": "new-checkout"}, {"kind": "stale_flag"}),
        ({"kind": "metric", "name": "posthog_dau"}, {"kind": "new_value"}),
    ):
        told = await asked(
            stage, connection, {"connection": connection.id, "series": series, "condition": condition}, 422
        )
        assert told["hint"]


async def test_a_breakdown_is_tried_value_by_value_and_its_new_value_is_found(stage: Stage) -> None:
    connection = await stage.connection(await stage.tenant("scale"))
    measure = Measure(event="payment.failed", by="method")
    points: dict[tuple[str, date], float] = {
        (measure.series("card"), TODAY - timedelta(days=back)): 20 for back in range(1, 121)
    }
    points |= {(measure.series("wire"), TODAY - timedelta(days=back)): 3 for back in range(1, 31)}
    points[measure.series("card"), LOW] = 90
    await stage.points(connection, points)
    body = {
        "connection": connection.id,
        "series": {"kind": "event", "event": "payment.failed", "by": "method"},
        "condition": {"kind": "threshold", "above": 50},
        "nearby": True,
    }
    told = await asked(stage, connection, body)
    by_value = {each["value"]: each for each in told["values"]}
    assert {value: len(each["incidents"]) for value, each in by_value.items()} == {"card": 1, "wire": 0}
    assert len(by_value["card"]["nearby"]["settings"]) == 25, "two values share what one may cost"
    new = await asked(stage, connection, {**body, "condition": {"kind": "new_value", "days": 14}})
    (only,) = new["incidents"]
    assert only["from"] == f"{TODAY - timedelta(days=30)}T00:00:00Z"
    assert "'wire'" in only["sentence"]


async def test_more_buckets_than_two_years_of_hours_are_refused(stage: Stage) -> None:
    points = [[3_600 * hour, 1] for hour in range(MOST_BUCKETS + 1)]
    told = await asked(stage, None, {"points": points, "condition": ABOVE}, 422)
    assert "points" in told["detail"]
    for kind in ({"kind": "no_data"}, ABOVE):
        told = await asked(
            stage, None, {"points": [[0, 1], [1, 1], [2, 1], [7_000_000_000, 1]], "condition": kind}, 422
        )
        assert (told["code"], "20,000" in told["detail"]) == ("too_long", True)


async def test_of_very_many_incidents_the_first_are_listed_and_all_counted(stage: Stage) -> None:
    points = [[3_600 * hour, 9 if hour % 4 == 0 else 5] for hour in range(2_000)]
    told = await asked(stage, None, {"points": points, "condition": ABOVE, "policy": {"cooldown_minutes": 0}})
    assert (len(told["incidents"]), told["firings"]) == (MOST_INCIDENTS, 500)
    assert "The first 200 of 500 incidents are listed." in told["remarks"]


async def test_long_histories_are_tried_with_fewer_settings(stage: Stage) -> None:
    async def settings(hours: int) -> int:
        points = [[3_600 * hour, 9 if hour % 97 == 0 else 5] for hour in range(hours)]
        told = await asked(stage, None, {"points": points, "condition": ABOVE, "nearby": True})
        return len(told["nearby"]["settings"])

    assert await settings(500) > 40
    assert 5 <= await settings(18_000) <= 22


async def test_one_back_test_of_a_tenant_and_two_of_the_process_at_a_time(stage: Stage) -> None:
    body = {"points": [[3_600 * hour, hour % 50] for hour in range(5_000)], "condition": ABOVE, "nearby": True}
    one, two, three = [await stage.key(await stage.tenant(), "read") for _ in range(3)]

    async def call(key: str) -> httpx.Response:
        async with stage.calling(alerts, key) as client:
            return await client.post(PATH, json=body)

    answers = await asyncio.gather(call(one), call(one), call(two), call(three))
    assert [answer.status_code for answer in answers] == [200, 429, 200, 429]
    refused = answers[1]
    assert (refused.json()["code"], int(refused.headers["Retry-After"]) > 0) == ("too_many_requests", True)
    assert refused.json()["hint"]
    assert (await call(one)).status_code == (await call(three)).status_code == 200, "turns are given back"
    async with stage.calling(alerts, one) as client:
        for _ in range(2):
            assert (await client.post(PATH, json={"points": []})).status_code == 422


async def test_a_caller_that_goes_away_keeps_its_turn_until_the_arithmetic_is_over() -> None:
    turns, may_end = Turns(), threading.Event()
    turns.take("ten_1")
    call = asyncio.create_task(turns.calculate("ten_1", lambda: may_end.wait(10)))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(TooManyError):
        turns.take("ten_1")
    may_end.set()
    for _ in range(200):
        if not turns.running:
            break
        await asyncio.sleep(0.01)
    turns.take("ten_1")
