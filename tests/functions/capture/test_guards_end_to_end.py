"""The guards over real traffic: what PostHog receives, what waits, whom its persons are."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from functions.capture.main import outbox
from functions.capture.redelivery import redelivering
from tests.functions.capture.operation_stage import Shop, shop
from tests.stage import NOW


async def send(here: Shop, *events: tuple[str, str, dict[str, Any]]) -> None:
    batch = [
        {"event": name, "distinct_id": id, "uuid": str(uuid4()), "timestamp": NOW.isoformat(), "properties": given}
        for name, id, given in events
    ]
    body = json.dumps({"api_key": here.posthog.project_token, "batch": batch}).encode()
    assert (await here.client.post("/batch/", content=body)).status_code == 200


async def test_an_email_is_kept_out_of_events_and_left_in_identify() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        path = f"/v1/connections/{here.connection.id}/guards"
        changed = await client.patch(path, json={"privacy": {"actions": {"email": "mask"}}})
        assert changed.status_code == 200
        await send(
            here,
            ("payment.completed", "u1", {"note": "receipt to jane@example.com", "amount_minor": 5}),
            ("$identify", "u1", {"$set": {"email": "jane@example.com"}}),
        )
        await here.host.counts.flush()
        arrived = {each.name: each.properties for each in await here.arrived()}
        persons = await here.persons()
        shown = (await client.get(path)).json()
    assert arrived["payment.completed"]["note"] == "receipt to j•••@•••"
    assert arrived["payment.completed"]["amount_minor"] == 5
    assert [(ids, said["email"]) for ids, said in persons] == [(["u1"], "jane@example.com")]
    assert shown["privacy"]["counts"]["email.masked"] == 1


async def test_hashed_ids_still_merge() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        await client.patch(f"/v1/connections/{here.connection.id}/guards", json={"privacy": {"identity": "hash"}})
        await send(
            here,
            ("seen", "anon-1", {}),
            ("$identify", "jane@example.com", {"$anon_distinct_id": "anon-1", "$set": {"email": "Jane@example.com"}}),
            ("$create_alias", "jane@example.com", {"alias": "crm-7"}),
        )
        arrived = await here.arrived()
        ((ids, said),) = await here.persons()
    assert len(ids) == 3
    assert all(id.startswith("hashed_") for id in ids)
    assert said["email"] in ids
    assert "example.com" not in repr(arrived)


async def test_a_merge_that_cannot_be_undone_waits_for_a_person() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        con = f"/v1/connections/{here.connection.id}"
        await send(
            here,
            ("$identify", "ann", {"$anon_distinct_id": "anon-1"}),
            ("$identify", "bob", {"$anon_distinct_id": "anon-2"}),
        )
        assert (await client.patch(f"{con}/guards", json={"merges": {"on": True}})).status_code == 200
        await send(
            here,
            ("$merge_dangerously", "ann", {"alias": "bob"}),
            ("$identify", "undefined", {"$anon_distinct_id": "anon-3"}),
            ("$identify", "cat", {"$anon_distinct_id": "anon-4"}),
            ("paid", "ann", {}),
        )
        await redelivering.redeliver(here.stage.app)
        held = (await client.get(f"{con}/outbox?state=held")).json()["items"]
        persons = sorted(ids for ids, _ in await here.persons())
        joining = next(each for each in held if each["why"]["code"] == "merge_joins_identified")
        assert (await client.post(f"{con}/outbox/redeliver", json={"ids": [joining["id"]]})).status_code == 200
        await redelivering.redeliver(here.stage.app)
        after = sorted(ids for ids, _ in await here.persons())
    assert sorted(each["why"]["code"] for each in held) == ["merge_illegal_id", "merge_joins_identified"]
    assert persons == [["ann", "anon-1"], ["anon-2", "bob"], ["anon-4", "cat"]]
    assert after == [["ann", "anon-1", "anon-2", "bob"], ["anon-4", "cat"]]


async def test_what_cannot_be_an_event_is_kept_without_personal_data_too() -> None:
    async with shop() as here, here.stage.calling(outbox, await here.stage.key(here.tenant)) as client:
        con = f"/v1/connections/{here.connection.id}"
        await client.patch(f"{con}/guards", json={"privacy": {"actions": {"email": "mask"}}})
        token = here.posthog.project_token
        nobody = '{"event": "paid", "properties": {"note": "to jane@example.com"}}'
        text = f'{{"api_key": "{token}", "batch": [{nobody}, {{"event": "jane@example.com" oops}}]}}'
        assert (await here.client.post("/batch/", content=text.encode())).status_code == 200
        listed = (await client.get(f"{con}/outbox?state=dead")).json()["items"]
        full = [(await client.get(f"{con}/outbox/{each['id']}?payload=true")).text for each in listed]
        again = (await client.post(f"{con}/outbox/redeliver", json={"state": "dead"})).json()
    (lost,) = [each for each in again["refused"] if each["code"] == "unreadable"]
    assert "its text is not kept" in lost["detail"]
    assert "show" not in lost["hint"]
    assert len(full) == 2
    assert not [text for text in full if "jane@example.com" in text]
    assert [text for text in full if "j•••@•••" in text]
    assert [text for text in full if ". Its text is not kept" in text]
