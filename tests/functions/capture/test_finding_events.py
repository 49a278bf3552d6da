"""Where is this event? Our own timeline, PostHog's own row, or nowhere and what that can mean."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.capture.outbox import posthog_rows, tracing
from functions.capture.outbox.posthog_rows import spans
from hedgerow import counting_up
from hedgerow.deliveries import Attempt, Delivery, Parcel, hour_of
from hedgerow.errors import MissingError
from hedgerow.models import Trouble
from hedgerow.ports import Add, Swap
from hedgerow.tallies import CaptureCount, CountRow
from hedgerow.turns import turn
from local.posthog.faults import Fault
from tests.functions.capture.outbox_room import Room, event, room
from tests.sync_stage import NOW

EVENT = "/v1/connections/CON/events/"
HOUR = timedelta(hours=1)
V7 = UUID(int=(int(NOW.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 5)


async def found(here: Room, uuid: object) -> dict[str, Any]:
    answer = await here.get(f"{EVENT}{uuid}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_what_waits_is_told_with_its_whole_story() -> None:
    async with room() as here:
        tried = Attempt(at=NOW - HOUR, status=503, code="posthog_failed", detail="PostHog answered 503: no")
        one, two = event("cart"), event("sale", NOW - 2 * HOUR)
        kept = await here.kept(
            [one, two], attempts=(tried,), trouble=Trouble(code="posthog_failed", detail="503", hint="Wait.")
        )
        stored = await here.stage.store.get(Delivery, kept.id)
        assert stored is not None
        parcels = (
            Parcel(received_at=NOW - 2 * HOUR, count=1, sdk="posthog-js/1.9", path="/e/"),
            Parcel(received_at=NOW - HOUR, count=1, sdk="posthog-node/5.7", path="/batch/", changes=("e-mail masked",)),
        )
        await here.stage.store.commit(Swap(stored.model_copy(update={"parcels": parcels})))
        first, second = await found(here, one["uuid"]), await found(here, two["uuid"].upper())
        assert here.stage.posthog.requests == {}
    assert (first["source"], first["state"], first["name"], first["sdk"]) == (
        "hedgerow",
        "pending",
        "cart",
        "posthog-js/1.9",
    )
    assert (first["received_at"], first["path"], first["changes"]) == ("2026-11-20T13:30:00Z", "/e/", [])
    assert (second["name"], second["timestamp"], second["sdk"]) == ("sale", "2026-11-20T13:30:00Z", "posthog-node/5.7")
    assert (second["changes"], second["tries"], second["delivery_id"]) == (["e-mail masked"], 1, kept.id)
    assert [each["what"] for each in second["timeline"]] == [
        "received from posthog-node/5.7 on /batch/",
        "changed: e-mail masked",
        "tried: posthog_failed (503): PostHog answered 503: no",
        "due for its next try",
    ]
    assert second["why"] == {"code": "posthog_failed", "detail": "503", "hint": "Wait."}


@pytest.mark.parametrize(
    ("state", "said", "last"),
    [
        ("dead", "It is dead", "dead: no"),
        ("held", "It is held", "held: no"),
        ("delivered", "Delivered", "delivered: PostHog took it"),
    ],
)
async def test_what_was_late_is_told_in_its_state(state: Any, said: str, last: str) -> None:
    async with room() as here:
        one = event("cart")
        trouble = None if state == "delivered" else Trouble(code="no", detail="no", hint="")
        await here.kept([one], state, trouble=trouble)
        body = await found(here, one["uuid"])
    assert body["summary"].startswith(said)
    assert body["timeline"][-1]["what"] == last
    assert (body["name"], body["why"] is None) == ("cart", state == "delivered")


@pytest.mark.parametrize("uuid", [uuid4(), V7])
async def test_what_was_delivered_at_once_is_posthogs_own_row(uuid: UUID) -> None:
    async with room() as here:
        await here.kept([event()])
        sent = event("sale", NOW - HOUR, uuid, **{"$lib": "posthog-python", "$lib_version": "7.9"})
        here.stage.posthog.load([sent])
        body = await found(here, uuid)
    assert (body["source"], body["state"], body["name"], body["rows"]) == ("posthog", "delivered", "sale", 1)
    assert (body["timestamp"], body["sdk"], body["delivery_id"]) == ("2026-11-20T14:30:00Z", "posthog-python/7.9", None)
    assert "asked" in body["summary"]


async def test_an_event_with_an_old_time_of_its_own_is_found_behind_a_v7_uuid() -> None:
    async with room() as here:
        here.stage.posthog.load([event("import", NOW - timedelta(days=400), V7)])
        assert (await found(here, V7))["name"] == "import"


def test_a_v7_uuid_says_where_to_look_first() -> None:
    made = int(NOW.timestamp())
    near = int(posthog_rows.NEAR.total_seconds())
    assert spans(V7)[0] == (made - near, made + near)
    assert [len(spans(uuid)) for uuid in (V7, uuid4(), UUID(int=7 << 76 | (1 << 47) - 1 << 80))] == [2, 1, 1]


async def test_an_event_of_nobody_says_what_that_can_mean() -> None:
    async with room() as here:
        await here.kept([event()])
        nowhere = await here.get(f"{EVENT}{uuid4()}")
        await here.stage.store.commit(Swap((await here.connection()).model_copy(update={"secret_ref": None})))
        here.stage.posthog.installation.requests.clear()
        unasked = await here.get(f"{EVENT}{uuid4()}")
        assert here.stage.posthog.requests == {}
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "event_not_found")
    assert "PostHog was asked and does not hold it" in nowhere.json()["detail"]
    assert "quota" in nowhere.json()["hint"]
    assert (nowhere.json()["deliveries_looked_at"], nowhere.json()["cut"]) == (1, False)
    assert (unasked.status_code, unasked.json()["code"]) == (404, "event_not_known")
    assert "could not be asked: The connection is capture-only" in unasked.json()["detail"]
    assert "delivered at once and leaves no trace here" in unasked.json()["detail"]
    assert "`hedgerow connections rotate`" in unasked.json()["hint"]
    assert "never sent" not in unasked.text
    assert [each["code"] for each in unasked.json()["not_asked"]] == ["capture_only"]


async def test_a_search_is_bounded_and_says_so() -> None:
    async with room() as here:
        sent = [event() for _ in range(4)]
        for number, each in enumerate(sent):
            await here.kept([each], accepted_at=NOW - timedelta(minutes=number))
        con = await here.connection()
        place = await tracing.where_is(here.stage.app, con, sent[1]["uuid"], most=2)
        with pytest.raises(MissingError, match="Only the newest 2 deliveries") as missing:
            await tracing.where_is(here.stage.app, con, sent[3]["uuid"], most=2)
    assert place.source == "hedgerow"
    assert missing.value.members["cut"] is True


@pytest.mark.parametrize(
    "uuid", ["x", "con_1", "0197c2a1", "{0a0f8a0e-52c4-4a7b-9a8f-1d8d3c7c9a51}", "g" * 32, "urn:uuid:1"]
)
async def test_what_is_no_uuid_is_refused(uuid: str) -> None:
    async with room() as here:
        for path in (EVENT, "/v1/events/"):
            answer = await here.get(f"{path}{uuid}")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_a_posthog_that_does_not_answer_is_told_as_that() -> None:
    async with room() as here:
        here.stage.posthog.faults.set(Fault(kind="status", status=503))
        answer = await here.get(f"{EVENT}{uuid4()}")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404, "event_not_known")
    assert [each["code"] for each in problem["not_asked"]] == ["busy"]
    assert problem["hint"]
    assert "never sent" not in answer.text


async def test_a_connection_whose_turn_is_anothers_or_whose_key_is_gone_is_told_as_that() -> None:
    async with room() as here:
        con = await here.connection()
        async with turn(here.stage.app, con, again="Ask again"):
            busy = (await here.get(f"{EVENT}{uuid4()}")).json()
        await here.stage.store.commit(Swap((await here.connection()).model_copy(update={"secret_ref": "gone"})))
        keyless = (await here.get(f"/v1/events/{uuid4()}")).json()
    assert (busy["code"], keyless["code"]) == ("event_not_known", "event_not_known")
    assert "PostHog could not be asked" in busy["detail"]
    assert "Ask again" in busy["hint"]
    assert "`hedgerow runs`" in busy["hint"]
    assert [each["code"] for each in keyless["not_asked"]] == ["secret_gone"]


async def test_a_tenant_without_a_connection_is_told_so() -> None:
    async with room() as here, here.calling(tenant_id="ten_new") as client:
        answer = await client.get(f"/v1/events/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_connection")
    assert answer.json()["detail"] == "There is no connection yet."


async def test_every_connection_of_the_tenant_is_looked_through_and_no_other() -> None:
    async with room() as here:
        con = await here.connection()
        other = con.model_copy(update={"id": "con_2", "version": 0, "name": "Other", "secret_ref": None})
        rival = con.model_copy(update={"id": "con_3", "version": 0, "tenant_id": "ten_rival"})
        twin = con.model_copy(update={"id": "con_4", "version": 0})
        await here.stage.store.commit(Add(other), Add(rival), Add(twin))
        mine, theirs, direct = event(), event(), event("direct")
        await here.kept([mine], connection=other)
        await here.kept([theirs], connection=rival)
        here.stage.posthog.load([direct])
        found_mine = (await here.get(f"/v1/events/{mine['uuid']}")).json()
        found_direct = (await here.get(f"/v1/events/{direct['uuid']}")).json()
        nowhere = await here.get(f"/v1/events/{theirs['uuid']}")
        async with here.calling(tenant_id="ten_rival") as client:
            of_rival = (await client.get(f"/v1/events/{theirs['uuid']}")).json()
    assert [each["connection_id"] for each in found_mine["items"]] == ["con_2"]
    assert [(each["source"], each["name"]) for each in found_direct["items"]] == [("posthog", "direct")]
    assert [each["code"] for each in found_direct["not_asked"]] == ["capture_only"]
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "event_not_known")
    assert "Other: The connection is capture-only" in nowhere.json()["detail"]
    assert [each["connection_id"] for each in of_rival["items"]] == ["con_3"]


async def test_tokens_of_nobody_are_shown_to_the_operator() -> None:
    async with room() as here:
        for hour, number in ((NOW, 2), (NOW - 3 * HOUR, 1), (NOW - 30 * HOUR, 5)):
            rows = (CountRow(name="ab12", accepted=number, dead=number), CountRow(name="zz99", accepted=1, dead=1))
            record = CaptureCount(id=f"cnt_{number}", tenant_id="", connection_id="", hour=hour_of(hour), rows=rows)
            await here.stage.store.commit(Add(record))
        shown = (await here.get("/v1/capture/unknown-tokens", role=None)).json()
        refused = await here.get("/v1/capture/unknown-tokens", role="write")
    assert shown["items"] == [
        {"token_ends": "ab12", "count": 3, "hours": ["2026-11-20T12:00:00Z", "2026-11-20T15:00:00Z"]},
        {"token_ends": "zz99", "count": 2, "hours": ["2026-11-20T12:00:00Z", "2026-11-20T15:00:00Z"]},
    ]
    assert refused.status_code == 403


async def test_counts_are_read_within_a_bound() -> None:
    async with room() as here:
        for _ in range(4):
            await here.counted([CountRow(name="a", accepted=1, delivered=1)])
        begin = hour_of(NOW)
        cut = await counting_up.read(here.stage.store, here.stage.connection_id, begin, begin + HOUR, most=3)
        whole = await counting_up.read(here.stage.store, here.stage.connection_id, begin, begin + HOUR, most=4)
    assert (len(cut.records), cut.is_whole) == (3, False)
    assert (len(whole.records), whole.is_whole) == (4, True)
