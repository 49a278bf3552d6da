"""The outbox through HTTP: what waits first, why, in full, and by hand back on its way with its counts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from hedgerow import counting_up
from hedgerow.capture_rules import CaptureRules, CatalogRules, EventRule, PropertyRule
from hedgerow.deliveries import Attempt, Delivery, DeliveryChunk, DeliveryState, chunk_id, compressed
from hedgerow.models import Trouble
from hedgerow.ports import Add, Swap, Where
from tests.functions.capture.outbox_room import Room, event, room
from tests.sync_stage import NOW

OUTBOX = "/v1/connections/CON/outbox"
BROKEN = Trouble(code="json_broken", detail="The body ended in the middle.", hint="Mend what sends it.")
REFUSED = Trouble(code="catalog_refused", detail="sale was refused: `total` is missing.", hint="Mend it.")
STRICT = CatalogRules(
    updated_at=NOW,
    events=(EventRule(name="sale", policy="refuse", properties={"total": PropertyRule(type="number", required=True)}),),
)


async def listed(here: Room, **query: str) -> dict[str, Any]:
    answer = await here.get(OUTBOX, query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def states(here: Room) -> dict[str, int]:
    """Events by state, as the deliveries have them, which must be as the counts have them."""
    page = await here.stage.store.find(
        Delivery,
        Where("connection_id", "==", here.stage.connection_id),
        Where("hour", ">=", NOW - timedelta(days=9)),
        limit=1_000,
    )
    there = {state: sum(each.count for each in page.items if each.state == state) for state in counting_up.OUTCOMES}
    body = (await here.get("/v1/connections/CON/reconciliation")).json()
    assert body["errors"] == []
    assert body["booked"] == []
    assert {state: body["here"][state] for state in there} == there
    assert body["here"]["accepted"] == sum(there.values())
    return {state: number for state, number in there.items() if number}


async def test_what_waits_comes_first_and_oldest_first() -> None:
    async with room() as here:
        held = Trouble(code="merge_of_two", detail="It would join two persons.", hint="Decide.")
        await here.kept([event()], "dead", accepted_at=NOW - timedelta(hours=9), trouble=BROKEN)
        await here.kept([event()], "held", trouble=held)
        tried = Attempt(at=NOW, status=503, code="posthog_failed", detail="PostHog answered 503: no")
        new = await here.kept([event(), event("sale")], attempts=(tried,))
        old = await here.kept([event()], accepted_at=NOW - timedelta(hours=2))
        await here.kept([event()], "delivered")
        whole = await listed(here)
        pages = [await listed(here, limit="3")]
        pages.append(await listed(here, limit="3", cursor=pages[0]["next_cursor"]))
        dead = await listed(here, state="dead")
    assert [each["state"] for each in whole["items"]] == ["pending", "pending", "held", "dead"]
    assert [each["id"] for each in whole["items"][:2]] == [old.id, new.id]
    assert [each["why"]["code"] for each in whole["items"]] == [
        "not_tried",
        "posthog_failed",
        "merge_of_two",
        "json_broken",
    ]
    assert "redeliver_tick" in whole["items"][0]["why"]["hint"]
    assert whole["items"][1]["names"] == [{"name": "cart", "count": 1}, {"name": "sale", "count": 1}]
    assert whole["items"][1]["sdks"] == ["posthog-node/5.70.0"]
    assert whole["totals"]["pending"] == {
        "deliveries": 2,
        "events": 3,
        "bytes": old.size + new.size,
        "oldest_accepted_at": "2026-11-20T13:30:00Z",
        "next_try_at": "2026-11-20T13:30:00Z",
        "cut": False,
    }
    assert [page["totals"] is None for page in pages] == [False, True]
    assert [each for page in pages for each in page["items"]] == whole["items"]
    assert pages[1]["next_cursor"] is None
    assert [each["state"] for each in dead["items"]] == ["dead"]


@pytest.mark.parametrize("cursor", ["pending.zz", "delivered.", "x", "."])
async def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    async with room() as here:
        answer = await here.get(OUTBOX, {"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_one_in_full_and_its_payload_for_writers_only() -> None:
    async with room() as here:
        con = await here.connection()
        await here.stage.store.commit(Swap(con.model_copy(update={"project_token": "phc_test"})))
        sent = [event("a", secret="x" * 70_000), event("b")]
        kept = await here.kept(sent)
        plain = (await here.get(f"{OUTBOX}/{kept.id}")).json()
        forbidden = await here.get(f"{OUTBOX}/{kept.id}", query={"payload": "true"})
        full = (await here.get(f"{OUTBOX}/{kept.id}", role="write", query={"payload": "true"})).json()
        missing = await here.get(f"{OUTBOX}/dlv_0")
    assert [(each["uuid"], each["name"]) for each in plain["events"]] == [
        (each["uuid"], each["event"]) for each in sent
    ]
    assert (plain["payload"], plain["payload_cut"]) == (None, False)
    assert plain["parcels"][0]["path"] == "/batch/"
    assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden")
    assert (len(full["payload"].encode()), full["payload_cut"]) == (64_000, True)
    assert "phc_test" not in full["payload"]
    assert missing.status_code == 404


async def test_an_unreadable_one_is_shown_and_never_replayed() -> None:
    async with room() as here:
        kept = await here.kept([event("(unreadable)")], "dead", raw=b'{"event": "car\xff', trouble=BROKEN)
        shown = (await here.get(f"{OUTBOX}/{kept.id}", role="write", query={"payload": "true"})).json()
        answer = await here.post(f"{OUTBOX}/redeliver", {"ids": [kept.id]})
        all_of_them = (await here.post(f"{OUTBOX}/redeliver", {"state": "dead"})).json()
        assert await states(here) == {"dead": 1}
    assert shown["payload"] == '{"event": "car�'
    assert shown["events"][0]["name"] is None
    assert (answer.status_code, answer.json()["code"]) == (409, "unreadable")
    assert "The body ended in the middle." in answer.json()["detail"]
    assert (all_of_them["deliveries"], all_of_them["refused"][0]["id"]) == (0, kept.id)


@pytest.mark.parametrize("state", ["dead", "held"])
async def test_what_is_sent_again_is_due_now_and_counted_as_pending(state: DeliveryState) -> None:
    async with room() as here:
        kept = await here.kept([event(), event("sale")], state, accepted_at=NOW - timedelta(hours=3), lane="merges")
        other = await here.kept([event("other")], state)
        done = (await here.post(f"{OUTBOX}/redeliver", {"state": state, "event": "sale"})).json()
        now = await here.stage.store.get(Delivery, kept.id)
        assert await states(here) == {"pending": 2, state: 1}
        await here.post(f"{OUTBOX}/redeliver", {"ids": [other.id]})
        assert await states(here) == {"pending": 3}
    assert (done["deliveries"], done["events"], done["refused"], done["more"]) == (1, 2, [], False)
    assert now is not None
    assert (now.state, now.lane, now.due_at, now.expires_at, now.trouble) == ("pending", "events", NOW, None, None)


async def test_a_pending_one_keeps_its_lane_and_only_becomes_due() -> None:
    async with room() as here:
        kept = await here.kept([event()], lane="merges")
        later = kept.model_copy(update={"version": 0, "id": "dlv_later", "due_at": NOW + timedelta(minutes=1)})
        await here.stage.store.commit(Add(later))
        await here.post(f"{OUTBOX}/redeliver", {"ids": ["dlv_later"]})
        now = await here.stage.store.get(Delivery, "dlv_later")
    assert now is not None
    assert (now.lane, now.due_at) == ("merges", NOW)


async def test_chunks_live_as_long_as_their_delivery() -> None:
    async with room() as here:
        kept = await here.kept([event("a"), event("b")], "dead")
        packed = kept.payload
        split = kept.model_copy(update={"payload": packed[:40], "chunks": 1, "version": 1})
        chunk = DeliveryChunk(
            id=chunk_id(kept.id, 1),
            connection_id=kept.connection_id,
            delivery_id=kept.id,
            payload=packed[40:],
            expires_at=kept.expires_at,
        )
        stored = await here.stage.store.get(Delivery, kept.id)
        assert stored is not None
        await here.stage.store.commit(Swap(split.model_copy(update={"version": stored.version})), Add(chunk))
        shown = (await here.get(f"{OUTBOX}/{kept.id}")).json()
        await here.post(f"{OUTBOX}/redeliver", {"ids": [kept.id]})
        left = await here.stage.store.get(DeliveryChunk, chunk.id)
    assert [each["name"] for each in shown["events"]] == ["a", "b"]
    assert left is not None
    assert left.expires_at is None


async def test_the_catalogue_of_now_judges_again_and_cuts_what_it_must() -> None:
    async with room() as here:
        con = await here.connection()
        rules = CaptureRules(id=con.id, tenant_id=con.tenant_id, connection_id=con.id, catalog=STRICT)
        rules = (await here.stage.store.commit(Add(rules))).of(rules)
        good, better, bad = event("sale", total=3), event("sale", total=4), event("sale", at=NOW - timedelta(hours=2))
        kept = await here.kept([bad, good, better], "dead", trouble=REFUSED)
        cut = (await here.post(f"{OUTBOX}/redeliver", {"ids": [kept.id]})).json()
        assert await states(here) == {"pending": 2, "dead": 1}
        (dead,) = (await listed(here, state="dead"))["items"]
        still = await here.post(f"{OUTBOX}/redeliver", {"ids": [dead["id"]]})
        mended = rules.model_copy(update={"catalog": CatalogRules(updated_at=NOW, version=2)})
        await here.stage.store.commit(Swap(mended))
        assert (await here.post(f"{OUTBOX}/redeliver", {"ids": [dead["id"]]})).status_code == 200
        assert await states(here) == {"pending": 3}
        page = await listed(here, state="pending")
        parts = [(await here.get(f"{OUTBOX}/{each['id']}")).json() for each in page["items"]]
    assert (cut["deliveries"], cut["events"], cut["refused"][0]["code"]) == (1, 2, "catalog_refused")
    assert (still.status_code, still.json()["code"]) == (409, "catalog_refused")
    assert sorted(each["uuid"] for part in parts for each in part["events"]) == sorted(
        each["uuid"] for each in (bad, good, better)
    )
    assert {part["split_from"] for part in parts} == {kept.id}
    assert [each["uuid"] for part in parts if part["count"] == 1 for each in part["events"]] == [bad["uuid"]]


async def test_held_ones_are_refused_by_hand_and_can_still_be_sent() -> None:
    async with room() as here:
        held = await here.kept([event()], "held", trouble=Trouble(code="merge", detail="Two persons.", hint="Decide."))
        await here.kept([event()])
        wrong = await here.post(f"{OUTBOX}/refuse", {"state": "pending"})
        done = (await here.post(f"{OUTBOX}/refuse", {"state": "held"})).json()
        assert await states(here) == {"pending": 1, "dead": 1}
        shown = (await here.get(f"{OUTBOX}/{held.id}")).json()
        again = await here.post(f"{OUTBOX}/refuse", {"ids": [held.id]})
        await here.post(f"{OUTBOX}/redeliver", {"ids": [held.id]})
        assert await states(here) == {"pending": 2}
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert (done["deliveries"], done["events"]) == (1, 1)
    assert (shown["why"]["code"], shown["why"]["detail"]) == ("refused_by_hand", "Refused by hand. Two persons.")
    assert again.status_code == 409


async def test_a_call_is_bounded_and_the_next_one_goes_on() -> None:
    async with room() as here:
        for _ in range(3):
            await here.kept([event("x")], "dead", raw=b"<", trouble=BROKEN)
        for number in range(102):
            await here.kept([event()], "dead", accepted_at=NOW + timedelta(seconds=number))
        first = (await here.post(f"{OUTBOX}/redeliver", {"state": "dead"})).json()
        again = {"state": "dead", "cursor": first["next_cursor"]}
        second = (await here.post(f"{OUTBOX}/redeliver", again)).json()
        assert await states(here) == {"dead": 3, "pending": 102}
    assert (first["deliveries"] + len(first["refused"]), first["more"]) == (100, True)
    assert (second["deliveries"], second["more"], second["next_cursor"]) == (5, False, None)


async def test_two_who_send_the_same_again_move_it_once() -> None:
    async with room() as here:
        kept = [await here.kept([event()], "dead") for _ in range(5)]
        async with here.calling() as client:
            path = f"{OUTBOX}/redeliver".replace("CON", here.stage.connection_id)
            await asyncio.gather(*(client.post(path, json={"ids": [each.id for each in kept]}) for _ in range(3)))
        assert await states(here) == {"pending": 5}


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"ids": ["dlv_0"], "state": "dead"}, 422), ({"ids": ["dlv_0"]}, 404), ({"state": "delivered"}, 422)],
)
async def test_what_is_not_said_rightly_moves_nothing(body: dict[str, object], status: int) -> None:
    async with room() as here:
        assert (await here.post(f"{OUTBOX}/redeliver", body)).status_code == status
        assert (await here.post(f"{OUTBOX}/redeliver", {"state": "dead"}, role="read")).status_code == 403


async def test_anothers_delivery_is_no_delivery() -> None:
    async with room() as here:
        con = await here.connection()
        mine = con.model_copy(update={"id": "con_2", "version": 0})
        theirs = await here.kept([event()], "dead", connection=con.model_copy(update={"id": "con_3"}))
        await here.stage.store.commit(Add(mine))
        async with here.calling() as client:
            found = await client.get(f"/v1/connections/con_2/outbox/{theirs.id}")
            nobodys = await client.get("/v1/connections/con_2/outbox/dlv_0")
            moved = await client.post("/v1/connections/con_2/outbox/redeliver", json={"ids": [theirs.id]})
    assert (found.status_code, found.content) == (404, nobodys.content)
    assert moved.status_code == 404


async def test_a_payload_that_is_not_whole_says_so() -> None:
    async with room() as here:
        kept = await here.kept([event()], "dead")
        stored = await here.stage.store.get(Delivery, kept.id)
        assert stored is not None
        await here.stage.store.commit(Swap(stored.model_copy(update={"chunks": 2})))
        answer = await here.post(f"{OUTBOX}/redeliver", {"ids": [kept.id]})
        broken = stored.model_copy(update={"id": "dlv_b", "version": 0, "payload": b"no gzip"})
        await here.stage.store.commit(Add(broken))
        other = await here.post(f"{OUTBOX}/redeliver", {"ids": ["dlv_b"]})
        empty = broken.model_copy(update={"id": "dlv_e", "payload": compressed(orjson.dumps([1]))})
        await here.stage.store.commit(Add(empty))
        third = await here.post(f"{OUTBOX}/redeliver", {"ids": ["dlv_e"]})
    assert [each.json()["code"] for each in (answer, other, third)] == [
        "payload_broken",
        "payload_broken",
        "unreadable",
    ]
