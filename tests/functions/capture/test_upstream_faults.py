"""PostHog at fault: the SDK hears success all the same, and each event is one row in PostHog in the end, in the same words."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from tests.functions.capture.accept_room import Room, room
from tests.functions.capture.counting_upstream import Answer, Batch, Event, healthy, strict
from tests.functions.capture.wire_bytes import OK, event
from tests.loopback import answering, http


async def _hang(_: Batch) -> web.StreamResponse:
    await asyncio.sleep(3)
    return web.Response()


def _says(status: int, text: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=status, text=text, headers=named)


WRONG: dict[str, Answer] = {
    "hanging": _hang,
    "a page": lambda _: web.Response(text="<html>sign in to the wifi</html>", content_type="text/html"),
    "a page that says it is text": _says(200, "\n <!doctype html>"),
    "a page of 400": lambda _: web.Response(status=400, text="<html>", content_type="text/html"),
    "moved": _says(302, Location="https://elsewhere.test/"),
    "moved for good": _says(308, Location="https://elsewhere.test/"),
    "busy": _says(429, "rate limited", Retry_After="30"),
    "broken": _says(500, "oops"),
    "away": _says(503, "transient error, please retry"),
    "a gateway": _says(504),
    "a stranger": _says(401, "API key is not valid"),
    "nothing there": _says(404),
}


def _assert_once(there: Room, events: list[Event], copies: int | None = None) -> None:
    """Each event is one row, whatever the number of its copies, and all copies are alike."""
    assert there.upstream.uuids == {each["uuid"] for each in events}
    assert len(there.upstream.rows) == len(events)
    for same in there.upstream.bodies.values():
        # v1 writes some fields elsewhere; the row is the same.
        in_v0 = [each for each in same if "options" not in each]
        assert all(each == in_v0[0] for each in in_v0)
        assert copies is None or len(same) == copies


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("is_v1", [False, True])
async def test_whatever_posthog_says_the_sdk_hears_success_and_the_event_arrives_later(name: str, is_v1: bool) -> None:
    async with room(WRONG[name], forward_seconds=0.3) as there:
        token = await there.project()
        events = [event(), event("closed")]
        answer = await (there.v1 if is_v1 else there.v0)(token, events)
        assert answer.status_code == 200
        if is_v1:
            assert answer.json() == {"results": {each["uuid"]: {"result": "ok"} for each in events}}
        else:
            assert answer.content == OK
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers
        assert await there.books() == {"accepted": 2, "pending": 2}
        (kept,) = await there.waiting()
        assert kept.trouble is not None
        assert kept.trouble.code.startswith("posthog_")
        assert len(kept.attempts) == 1
        there.upstream.answer = healthy
        await there.drained()
        assert await there.books() == {"accepted": 2, "delivered": 2}
        _assert_once(there, events)


@pytest.mark.parametrize("is_v1", [False, True])
async def test_an_answer_that_was_lost_makes_a_second_copy_of_the_same_row(is_v1: bool) -> None:
    async with room(_hang, forward_seconds=0.3) as there:
        there.upstream.takes_even_so = True
        token = await there.project()
        events = [event(), {**event(at="2026-11-20T15:00:00+02:00"), "$set": {"a": 1}}]
        await (there.v1 if is_v1 else there.v0)(token, events)
        there.upstream.answer, there.upstream.takes_even_so = healthy, False
        await there.drained()
        assert len(there.upstream.rows) == 2
        assert set(there.upstream.rows.values()) == {2}
        if not is_v1:
            _assert_once(there, events, copies=2)


CUT: dict[str, bytes] = {
    "closed at once": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": http(b'{"sta', length=12),
    "no answer of HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.parametrize("name", CUT)
async def test_half_an_answer_is_none(name: str) -> None:
    async with room(forward_seconds=0.5) as there:
        token = await there.project()
        await there.upstream.off()
        one = event()
        async with answering(CUT[name], port=there.upstream.port) as cut:
            assert (await there.v0(token, [one])).content == OK
            assert len(cut.seen) == 1
        assert await there.books() == {"accepted": 1, "pending": 1}
        await there.upstream.on()
        await there.drained()
        _assert_once(there, [one])


async def test_a_refused_connection_costs_nothing_but_time() -> None:
    async with room() as there:
        token = await there.project()
        await there.upstream.off()
        events = [event() for _ in range(30)]
        for each in events:
            assert (await there.v0(token, [each])).content == OK
        assert await there.books() == {"accepted": 30, "pending": 30}
        assert not there.host.breakers.may_try(f"{there.upstream.origin} {token}", asyncio.get_running_loop().time())
        await there.upstream.on()
        await there.drained()
        _assert_once(there, events, copies=1)
        assert await there.books() == {"accepted": 30, "delivered": 30}


async def test_one_poison_of_fifty_dies_alone() -> None:
    async with room(strict) as there:
        token = await there.project()
        events = [event() for _ in range(50)]
        poison = events[17]
        poison["event"] = "poison"
        assert (await there.v0(token, events)).content == OK
        assert await there.books() == {"accepted": 50, "pending": 50}
        await there.drained()
        _assert_once(there, [each for each in events if each is not poison], copies=1)
        assert await there.dead() == {"posthog_refused": 1}
        assert await there.books() == {"accepted": 50, "delivered": 49, "dead": 1}


async def test_a_single_event_that_posthog_refuses_is_dead_at_once() -> None:
    async with room(strict) as there:
        token = await there.project()
        assert (await there.v0(token, [event("poison")])).content == OK
        (dead,) = await there.deliveries()
        assert (dead.state, dead.trouble and dead.trouble.detail) == ("dead", "failed to parse request: poison")
        assert await there.books() == {"accepted": 1, "dead": 1}


async def test_too_large_for_posthog_is_cut_until_it_fits() -> None:
    def at_most_ten(batch: Batch) -> web.StreamResponse:
        return healthy(batch) if len(batch.events) <= 10 else web.Response(status=413, text="too large")

    async with room(at_most_ten) as there:
        token = await there.project()
        events = [event() for _ in range(50)]
        assert (await there.v0(token, events)).content == OK
        await there.drained()
        _assert_once(there, events, copies=1)
        assert await there.books() == {"accepted": 50, "delivered": 50}


async def test_forwarded_together_one_poison_delays_nobody() -> None:
    async with room(strict) as there:
        token = await there.project()
        good = [event() for _ in range(20)]
        answers = await asyncio.gather(*(there.v0(token, [each]) for each in good), there.v0(token, [event("poison")]))
        assert {answer.content for answer in answers} == {OK}
        # Nothing waits: what was fine is there already.
        _assert_once(there, good, copies=1)
        assert await there.books() == {"accepted": 21, "delivered": 20, "dead": 1}
        assert await there.dead() == {"posthog_refused": 1}


async def test_v1_verdicts_are_told_and_acted_upon() -> None:
    events = [event(name) for name in ("ok", "drop", "retry", "warning", "silent")]
    words = {
        "ok": {"result": "ok"},
        "drop": {"result": "drop", "details": "billing_limit_exceeded"},
        "retry": {"result": "retry", "details": "not_persisted"},
        "warning": {"result": "warning", "details": "person_processing_disabled"},
    }

    def verdicts(batch: Batch) -> web.StreamResponse:
        if not batch.is_v1:
            return healthy(batch)
        return web.json_response(
            {"results": {each["uuid"]: words[each["event"]] for each in batch.events if each["event"] in words}}
        )

    async with room(verdicts) as there:
        token = await there.project()
        answer = await there.v1(token, events)
        assert answer.status_code == 200
        said = [answer.json()["results"][each["uuid"]] for each in events]
        assert said == [{"result": "ok"}, words["drop"], {"result": "ok"}, words["warning"], {"result": "ok"}]
        assert await there.books() == {"accepted": 5, "delivered": 3, "pending": 1, "dead": 1}
        await there.drained()
        assert {row[1] for row in there.upstream.rows} == {"ok", "retry", "warning", "silent"}
        assert set(there.upstream.rows.values()) == {1}
        assert await there.dead() == {"posthog_refused": 1}
        assert await there.books() == {"accepted": 5, "delivered": 4, "dead": 1}


@pytest.mark.parametrize(
    "text", ["1", '{"status":"Ok"}', "", "[]", '{"results":7}', '{"results":{"a":7}}', "{", '{"results":[]}', "null"]
)
async def test_a_200_without_verdicts_is_no_success_in_v1(text: str) -> None:
    async with room(_says(200, text)) as there:
        token = await there.project()
        one = event()
        answer = await there.v1(token, [one])
        assert answer.json() == {"results": {one["uuid"]: {"result": "ok"}}}
        assert await there.books() == {"accepted": 1, "pending": 1}
        there.upstream.answer = healthy
        there.upstream.rows.clear()
        await there.drained()
        assert there.upstream.uuids == {one["uuid"]}


async def test_a_posthog_without_v1_gets_v0_and_is_not_asked_again() -> None:
    async with room(lambda batch: web.Response(status=404) if batch.is_v1 else healthy(batch)) as there:
        token = await there.project()
        events = [event(), event(), event()]
        for each in events:
            answer = await there.v1(token, [each])
            assert answer.json() == {"results": {each["uuid"]: {"result": "ok"}}}
        assert [batch.path for batch in there.upstream.seen] == ["/i/v1/analytics/events", *["/batch/"] * 3]
        _assert_once(there, events, copies=1)
        assert await there.books() == {"accepted": 3, "delivered": 3}


async def test_v1_ai_events_go_by_their_own_path_and_wait_on_their_own_lane() -> None:
    async with room() as there:
        token = await there.project()
        first, second = event("$ai_span"), event("$ai_span")
        await there.v1(token, [first], "/i/v1/ai/events")
        await there.upstream.off()
        await there.v1(token, [second], "/i/v1/ai/events")
        (kept,) = await there.waiting()
        assert kept.lane == "ai"
        await there.upstream.on()
        await there.drained()
        assert [batch.path for batch in there.upstream.seen] == ["/i/v1/ai/events", "/i/v0/ai/batch/"]
        _assert_once(there, [first, second])


async def test_historical_stays_historical_and_alone() -> None:
    async with room() as there:
        token = await there.project()
        await there.upstream.off()
        old, new = event(at="2020-01-01T00:00:00Z"), event()
        await there.send("/batch/", {"api_key": token, "historical_migration": True, "batch": [old]})
        await there.v0(token, [new])
        await there.upstream.on()
        await there.drained()
        found = {each["uuid"]: batch.historical for batch in there.upstream.seen for each in batch.events}
        assert found == {old["uuid"]: True, new["uuid"]: False}


async def test_recordings_wait_or_are_dropped_and_counted() -> None:
    def snapshot() -> Event:
        return event("$snapshot", properties={"$snapshot_data": [{"data": "\u001f\u008b\u0000"}], "$session_id": "s"})

    for setting, books in (("keep", {"accepted": 1, "pending": 1}), ("drop", {})):
        async with room(recordings=setting) as there:
            token = await there.project()
            await there.upstream.off()
            one = snapshot()
            one["properties"]["token"] = token
            assert (await there.send("/s/", [one])).content == OK
            assert await there.books() == books
            assert (await there.marks()).get("recordings.dropped", 0) == (setting == "drop")
            await there.upstream.on()
            await there.drained()
            for body in there.upstream.bodies.get(one["uuid"], []):
                assert body["properties"]["$snapshot_data"] == one["properties"]["$snapshot_data"]
