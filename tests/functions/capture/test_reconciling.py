"""The reconciliation through HTTP against the local PostHog: equal books, planted differences, counts lost in a kill."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hedgerow.models import Connection
from hedgerow.ports import Swap, Where
from hedgerow.tallies import CaptureCount, CountRow
from local.posthog.faults import Fault
from tests.functions.capture.outbox_room import Room, event, room
from tests.sync_stage import NOW

PATH = "/v1/connections/CON/reconciliation"
HOUR = timedelta(hours=1)


async def reconciled(here: Room, **asked: str) -> dict[str, Any]:
    answer = await here.get(PATH, asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def bookings(here: Room) -> list[CaptureCount]:
    page = await here.stage.store.find(CaptureCount, Where("connection_id", "==", here.stage.connection_id))
    return list(page.items)


async def test_what_was_delivered_arrived() -> None:
    async with room() as here:
        earlier = NOW - 3 * HOUR
        await here.delivered([event(), event("sale", NOW - HOUR), event("sale", earlier)])
        await here.delivered([event("sale", earlier), event("old", NOW - timedelta(days=40))], earlier)
        await here.kept([event("late"), event("late")])
        # Somebody else's of an hour outside the span: accepted at another time, so it says nothing.
        here.stage.posthog.load([event("old", NOW - timedelta(days=40))])
        body = await reconciled(here)
    assert body["here"] == {"accepted": 7, "delivered": 5, "pending": 2, "held": 0, "dead": 0}
    assert (body["ok"], body["code"], body["errors"], body["booked"]) == (True, "balanced", [], [])
    assert (body["posthog"]["asked"], body["posthog"]["differences"]) == (True, [])
    assert (body["posthog"]["delivered"], body["posthog"]["arrived"]) == (5, 6)
    assert body["in_outbox"] == {"pending": 2, "held": 0, "dead": 0}
    assert [each["balanced"] for each in body["hours"]] == [True, True]


async def test_events_accepted_outside_the_span_with_a_time_inside_it_are_no_difference() -> None:
    async with room() as here:
        inside = NOW - 5 * HOUR
        await here.delivered([event("late", inside)], NOW - HOUR)
        await here.delivered([event("late", inside)], inside)
        await here.delivered([event("elsewhere", NOW)], NOW)
        body = await reconciled(here, **{"from": (inside - HOUR).isoformat(), "to": (inside + HOUR).isoformat()})
    assert body["here"]["accepted"] == 1
    assert (body["posthog"]["delivered"], body["posthog"]["arrived"], body["posthog"]["differences"]) == (2, 2, [])


async def test_counts_lost_in_a_kill_are_booked_once() -> None:
    async with room() as here:
        await here.kept([event("cart"), event("cart"), event("sale", NOW - HOUR)], is_counted=False)
        await here.kept([event("bad")], "dead", accepted_at=NOW - 2 * HOUR, is_counted=False)
        await here.kept([event("cart")])
        first = await reconciled(here)
        counts = (await here.get("/v1/connections/CON/counts")).json()
        second = await reconciled(here)
        kept = await bookings(here)
    assert first["booked_now"] == 4
    assert first["here"] == {"accepted": 5, "delivered": 0, "pending": 4, "held": 0, "dead": 1}
    assert sorted((each["pending"], each["dead"]) for each in first["booked"]) == [(0, 1), (3, 0)]
    assert (first["ok"], first["errors"]) == (True, [])
    assert (second["booked_now"], second["booked"], second["here"]) == (0, first["booked"], first["here"])
    assert (counts["balanced"], counts["total"]) == (True, first["here"])
    assert len(kept) == 3
    rows = {(row.name, row.shift): row.pending for record in kept for row in record.rows}
    assert rows["sale", -1] == 1


async def test_counts_that_only_came_late_take_their_booking_back() -> None:
    async with room() as here:
        await here.kept([event("cart"), event("cart")], is_counted=False)
        assert (await reconciled(here))["booked_now"] == 2
        await here.counted([CountRow(name="cart", accepted=2, pending=2)])
        body = await reconciled(here)
    assert (body["booked_now"], body["booked"], body["here"]["accepted"], body["ok"]) == (-2, [], 2, True)


async def test_a_delivery_nobody_counted_that_was_then_delivered_is_booked_out_again() -> None:
    """Redelivery takes it from pending, which then is below nothing until it is booked."""
    async with room() as here:
        await here.kept([event("cart")], "delivered", is_counted=False)
        await here.counted([CountRow(name="cart", pending=-1, delivered=1)])
        body = await reconciled(here)
    assert body["here"] == {"accepted": 1, "delivered": 1, "pending": 0, "held": 0, "dead": 0}
    assert (body["booked_now"], body["errors"]) == (1, [])


async def test_two_who_reconcile_at_once_book_once() -> None:
    async with room() as here:
        await here.kept([event("cart")] * 1, is_counted=False)
        async with here.calling() as client:
            path = PATH.replace("CON", here.stage.connection_id)
            answers = await asyncio.gather(*(client.get(path) for _ in range(4)))
        kept = await bookings(here)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["here"]["accepted"] for answer in answers} == {1}
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("rows", "code", "difference"),
    [
        ([CountRow(name="cart", accepted=3, delivered=1)], "not_balanced", 2),
        ([CountRow(name="cart", delivered=-1, dead=1)], "negative", -1),
        ([CountRow(name="cart", accepted=2, pending=2)], "not_in_outbox", 2),
    ],
)
async def test_any_other_difference_is_an_error_with_its_hour(rows: list[CountRow], code: str, difference: int) -> None:
    async with room() as here:
        await here.counted(rows, NOW - 2 * HOUR)
        body = await reconciled(here)
        counts = (await here.get("/v1/connections/CON/counts")).json()
    found = next(error for error in body["errors"] if error["code"] == code)
    assert (found["hour"], found["difference"]) == ("2026-11-20T13:00:00Z", difference)
    assert (body["ok"], body["code"]) == (False, "books_wrong")
    assert "2026-11-20 13:00 UTC" in body["detail"]
    assert counts["balanced"] is (code != "not_balanced")
    if code == "not_balanced":
        assert (counts["errors"][0]["hour"], counts["errors"][0]["difference"]) == ("2026-11-20T13:00:00Z", 2)


async def test_an_event_posthog_took_and_lost_is_missing_by_name_and_hour() -> None:
    async with room() as here:
        await here.delivered([event("sale", NOW - 3 * HOUR)], NOW - 3 * HOUR)
        await here.counted([CountRow(name="sale", accepted=2, delivered=2)], NOW - 3 * HOUR)
        body = await reconciled(here)
    (found,) = body["posthog"]["differences"]
    assert (found["name"], found["hour"]) == ("sale", "2026-11-20T12:00:00Z")
    assert (found["delivered"], found["arrived"], found["difference"], found["explained"]) == (3, 1, -2, False)
    assert "billing" in found["why"][-1]
    assert (body["ok"], body["code"]) == (False, "missing_in_posthog")


async def test_differences_with_a_reason_are_no_failure() -> None:
    three = NOW - 3 * HOUR
    async with room() as here:
        await here.counted([CountRow(name="now", accepted=1, delivered=1)])
        await here.counted([CountRow(name="$identify", accepted=1, delivered=1)], three)
        await here.counted([CountRow(name="$snapshot", accepted=4, delivered=4)], three)
        here.stage.posthog.load([event("past", three), event("both", three)])
        await here.kept([event("both", three)], accepted_at=three)
        body = await reconciled(here)
    why = {each["name"]: " ".join(each["why"]) for each in body["posthog"]["differences"]}
    assert set(why) == {"now", "$identify", "…", "both"}
    assert "still in the outbox" in why["both"]
    assert "past Hedgerow" not in why["both"]
    assert "little later" in why["now"]
    assert "$process_person_profile" in why["$identify"]
    assert "past Hedgerow" in why["…"]
    assert body["posthog"]["not_compared"] == 4
    assert (body["ok"], body["code"]) == (True, "balanced")


async def test_copies_of_one_event_arrived_once() -> None:
    async with room() as here:
        one = event("sale", NOW - 3 * HOUR)
        await here.delivered([one], NOW - 3 * HOUR)
        here.stage.posthog.load([one, {**one, "distinct_id": "u2"}])
        body = await reconciled(here)
    assert (body["posthog"]["arrived"], body["posthog"]["differences"]) == (1, [])


@pytest.mark.parametrize(
    ("changed", "code"), [({"secret_ref": None}, "capture_only"), ({"state": "paused"}, "connection_paused")]
)
async def test_who_may_not_ask_posthog_still_sees_the_books(changed: dict[str, object], code: str) -> None:
    async with room() as here:
        await here.kept([event()], is_counted=False)
        await here.stage.store.commit(Swap((await here.connection()).model_copy(update=changed)))
        body = await reconciled(here)
        assert here.stage.posthog.requests == {}
    assert (body["ok"], body["here"]["pending"], body["booked_now"]) == (True, 1, 1)
    assert (body["posthog"]["asked"], body["posthog"]["code"]) == (False, code)
    assert "PostHog was not asked" in body["detail"]


async def test_a_posthog_that_is_down_or_lies_leaves_the_books() -> None:
    async with room() as here:
        await here.kept([event()])
        here.stage.posthog.faults.set(Fault(kind="status", status=503))
        down = await reconciled(here)
        here.stage.posthog.faults.clear()
        here.stage.posthog.faults.set(Fault(kind="truncate", rows=20))
        lies = await reconciled(here)
    assert (down["ok"], down["posthog"]["asked"], down["posthog"]["code"]) == (True, False, "busy")
    assert (lies["posthog"]["asked"], lies["posthog"]["code"]) == (False, "answer_untrusted")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"from": "soon"}, "invalid"),
        ({"from": "2026-11-20T15:30:00"}, "invalid"),
        ({"from": "2026-11-21", "to": "2026-11-20T00:00:00Z"}, "invalid"),
        ({"from": "2026-11-20", "to": "2026-11-19"}, "invalid"),
        ({"from": "2026-11-20T00:00:00Z", "to": "2026-11-19"}, "invalid"),
        ({"from": "2026-11-01", "to": "2026-11-20"}, "window_too_long"),
    ],
)
async def test_spans_that_cannot_be_read(asked: dict[str, str], code: str) -> None:
    async with room() as here:
        answer = await here.get(PATH, asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_end_before_its_begin_is_refused_in_words() -> None:
    async with room() as here:
        for path in (PATH, PATH.replace("reconciliation", "counts")):
            answer = await here.get(path, {"from": "2026-11-20", "to": "2026-11-19"})
            assert answer.status_code == 422
            assert answer.json()["detail"] == "`to` (2026-11-19) is before `from` (2026-11-20)."


async def test_dates_are_days_of_the_projects_zone() -> None:
    async with room() as here:
        await here.stage.store.commit(Swap((await here.connection()).model_copy(update={"timezone": "Asia/Tokyo"})))
        body = await reconciled(here, **{"from": "2026-11-19", "to": "2026-11-19"})
    assert (body["from"], body["to"]) == ("2026-11-18T15:00:00Z", "2026-11-19T15:00:00Z")


async def test_no_tenant_sees_anothers_books() -> None:
    async with room() as here:
        con: Connection = await here.connection()
        async with here.calling(tenant_id="ten_other") as client:
            for path in ("reconciliation", "counts", "outbox", "events/not-even-looked-at", "outbox/dlv_1"):
                theirs = await client.get(f"/v1/connections/{con.id}/{path}")
                nobodys = await client.get(f"/v1/connections/con_0/{path}")
                assert theirs.status_code == nobodys.status_code == 404
                assert theirs.content == nobodys.content
