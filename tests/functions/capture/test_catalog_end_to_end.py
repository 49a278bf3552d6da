"""The catalogue over real traffic: what PostHog receives, what is parked, what the operations answer and the report says."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from functions.capture.main import outbox
from functions.capture.redelivery import redelivering
from tests.functions.capture.operation_stage import Shop, shop
from tests.stage import NOW

TOTAL = {"total": {"type": "integer", "required": True}}
STRICT: dict[str, Any] = {
    "version": 1,
    "events": [
        {"name": "cart.paid", "policy": "refuse", "properties": TOTAL},
        {"name": "cart.seen", "policy": "tag", "properties": TOTAL},
    ],
}


async def send(here: Shop, *events: tuple[str, dict[str, Any]]) -> None:
    batch = [
        {"event": name, "distinct_id": "u1", "uuid": str(uuid4()), "timestamp": NOW.isoformat(), "properties": given}
        for name, given in events
    ]
    body = json.dumps({"api_key": here.posthog.project_token, "batch": batch}).encode()
    assert (await here.client.post("/batch/", content=body)).status_code == 200


async def test_policies_hold_from_the_change_on_and_what_was_parked_arrives_once_it_was_mended() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        con = f"/v1/connections/{here.connection.id}"
        await send(here, ("cart.paid", {"total": "unknown yet"}))
        assert (await client.put(f"{con}/catalog", json=STRICT)).status_code == 200
        await send(
            here,
            ("cart.paid", {"total": 5}),
            ("cart.paid", {"total": "5"}),
            ("cart.seen", {}),
            ("cart_seen", {}),
            ("$pageview", {}),
        )
        await here.host.counts.flush()
        before = {(each.name, each.properties.get("total")): each.properties for each in await here.arrived()}
        (dead,) = (await client.get(f"{con}/outbox?state=dead")).json()["items"]
        report = (await client.get(f"{con}/catalog/report")).json()
        mended = {**STRICT, "version": 2, "events": [{"name": "cart.paid"}]}
        assert (await client.put(f"{con}/catalog", json=mended)).status_code == 200
        again = await client.post(f"{con}/outbox/redeliver", json={"ids": [dead["id"]]})
        await redelivering.redeliver(here.stage.app)
        after = {(each.name, each.properties.get("total")) for each in await here.arrived()}

    assert set(before) == {
        ("cart.paid", "unknown yet"),
        ("cart.paid", 5),
        ("cart.seen", None),
        ("cart_seen", None),
        ("$pageview", None),
    }
    tags = {key: properties.get("$hedgerow_violations") for key, properties in before.items()}
    assert tags.pop(("cart.seen", None)) == ["missing:total"]
    assert set(tags.values()) == {None}
    assert dead["why"]["code"] == "catalog_refused"
    assert {each["event"]: each["words"] for each in report["violations"]} == {
        "cart.paid": {"type:total": 1},
        "cart.seen": {"missing:total": 1},
    }
    assert report["unknown_events"] == {str(NOW.date()): 2}
    assert [(each["name"], each["looks_like"]) for each in report["unknown"]] == [("cart_seen", "cart.seen")]
    assert again.status_code < 300, again.text
    assert after == {*before, ("cart.paid", "5")}


async def test_an_operation_answers_minus_one_for_a_refused_event() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        await client.put(f"/v1/connections/{here.connection.id}/catalog", json=STRICT)
        bad, good = ({"DistinctId": "u1", "EventName": "cart.paid", "Properties": {"total": each}} for each in ("5", 5))
        refused, taken = await here.ask("event", bad), await here.ask("event", good)
        arrived = [each.properties["total"] for each in await here.arrived()]
    assert (refused.json()["StatusCode"], taken.json()["StatusCode"]) == (-1, 200)
    assert "`total` is of another type" in refused.json()["ErrorMessage"]
    assert arrived == [5]
