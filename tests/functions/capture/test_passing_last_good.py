"""PostHog down, slow or talking nonsense: the last good answer to the same question, with its age, or the truth."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from datetime import timedelta

import pytest
from aiohttp import web

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.last_answers import LastAnswer, answer_id
from tests.functions.capture.passing_room import Answering, flags, furnished, get, header, json_answer, whole
from tests.loopback import answering, http
from tests.stage import staged

ON = '{"flags":{"new":{"key":"new","enabled":true}},"errorsWhileComputingFlags":false,"requestId":"r1"}'
QUESTION = b'{"api_key":"phc_ours","distinct_id":"u1","groups":{"company":"a"},"sent_at":"2026-11-20T15:30:00Z"}'
DEFINITIONS = '{"flags":[{"key":"secret rule"}],"group_type_mapping":{},"cohorts":{}}'
PUBLIC = ["/array/phc_ours/config", "/api/surveys/?token=phc_ours", "/api/early_access_features/?token=phc_ours"]


def _html(status: int) -> Answering:
    return lambda _: web.Response(
        text="<!DOCTYPE html><title>Cloudflare</title>", content_type="text/html", status=status
    )


WRONG: dict[str, Answering] = {
    "500": lambda _: web.Response(status=500, text="oops"),
    "502": lambda _: web.Response(status=502, text="bad gateway"),
    "429": lambda _: web.Response(status=429, text="slow down"),
    "a page": _html(200),
    "a blocking page": _html(403),
    "a redirect": lambda _: web.Response(status=302, headers={"Location": "/login"}),
    "half a JSON": json_answer(ON[:40]),
    "a list": json_answer("[1]"),
    "nothing": json_answer(""),
    "broken gzip": json_answer("\x1f\x8bgarbage", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("fault", WRONG)
async def test_flags_come_from_the_last_good_answer(fault: str) -> None:
    async with furnished(json_answer(ON)) as room:
        first = await room.ask(flags(QUESTION))
        assert (first.status, header(first, "hedgerow-answer")) == (200, None)
        room.upstream.answers = WRONG[fault]
        room.stage.clock.forward(timedelta(seconds=90))
        again = await room.ask(
            flags(QUESTION.replace(b"15:30:00", b"15:31:30"), target="/flags?v=2&_=17&ver=1.297.0&ip=0")
        )
    assert (again.status, await whole(again)) == (200, ON.encode())
    assert (header(again, "hedgerow-answer"), header(again, "hedgerow-answer-age")) == ("last-good", "90")


@pytest.mark.parametrize("fault", WRONG)
async def test_without_a_last_good_answer_no_flag_is_invented(fault: str) -> None:
    async with furnished(WRONG[fault]) as room:
        passed = await room.ask(flags(QUESTION))
    assert (passed.status, header(passed, "retry-after")) == (503, "5")
    assert header(passed, "content-type") == "text/plain; charset=utf-8"
    assert b"{" not in await whole(passed)


@pytest.mark.parametrize("target", PUBLIC)
async def test_public_answers_survive_an_upstream_that_is_switched_off(target: str) -> None:
    async with furnished(json_answer('{"surveys":[],"token":"phc_ours"}')) as room:
        await room.ask(get(target))
        await room.upstream.switch_off()
        room.stage.clock.forward(timedelta(hours=2))
        passed = await room.ask(get(target))
        unknown = await room.ask(get(target.replace("phc_ours", "phc_else")))
    assert (passed.status, await whole(passed)) == (200, b'{"surveys":[],"token":"phc_ours"}')
    assert header(passed, "hedgerow-answer-age") == "7200"
    assert unknown.status == 503


async def test_a_script_of_configuration_fails_as_a_script_should() -> None:
    async with furnished(_html(200)) as room:
        passed = await room.ask(get("/array/phc_ours/config.js"))
    assert (passed.status, header(passed, "retry-after")) == (503, "5")


async def test_an_answer_cut_in_its_body_is_no_answer() -> None:
    async with answering(http(ON[:50].encode(), length=len(ON))) as cut, furnished(json_answer(ON)) as room:
        async with staged([f"127.0.0.1:{cut.port}"]) as stage:
            from functions.capture.through.passing import Passing

            passed = await Passing(stage.app).answer(flags(QUESTION), f"http://127.0.0.1:{cut.port}")
        assert passed is not None
        assert passed.status == 503
        assert room.upstream.seen == []


async def test_flags_answer_within_three_seconds_whatever_posthog_does() -> None:
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        room.upstream.delay = 20
        began = time.perf_counter()
        known, unknown = await asyncio.gather(
            room.ask(flags(QUESTION)), room.ask(flags(QUESTION.replace(b"u1", b"u2")))
        )
        took = time.perf_counter() - began
    assert (known.status, unknown.status) == (200, 503)
    assert took < 2.9


async def test_a_dead_upstream_costs_a_few_pages_their_patience_and_is_noticed_when_it_returns() -> None:
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        room.upstream.delay = 20
        await asyncio.gather(*(room.ask(flags(QUESTION)) for _ in range(6)))
        began = time.perf_counter()
        for _ in range(50):
            passed = await room.ask(flags(QUESTION))
            assert header(passed, "hedgerow-answer") == "last-good"
        assert time.perf_counter() - began < 0.5
        room.upstream.delay = 0
        await asyncio.sleep(2.1)
        passed = await room.ask(flags(QUESTION))
        assert header(passed, "hedgerow-answer") is None


async def test_nobody_waits_with_the_probe_of_a_hanging_upstream() -> None:
    async with furnished(json_answer("{}")) as room:
        await room.ask(get(PUBLIC[0]))
        room.upstream.delay = 20
        began = time.perf_counter()
        await asyncio.gather(*(room.ask(get(PUBLIC[0])) for _ in range(8)))
        assert 4.5 < time.perf_counter() - began < 6, "one budget, however many wait"
        await asyncio.sleep(2.1)
        probe = asyncio.create_task(room.ask(get(PUBLIC[0])))
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        assert (await room.ask(get(PUBLIC[0]))).status == 200
        assert time.perf_counter() - began < 0.5
        assert not probe.done()
        assert (await probe).status == 200


@pytest.mark.parametrize(("limit", "age", "status"), [(60, 60, 200), (60, 61, 503), (0, 0, 503)])
async def test_an_answer_older_than_the_setting_is_not_given(limit: int, age: int, status: int) -> None:
    async with furnished(json_answer(ON)) as furnished_room:
        room = furnished_room.restarted(fallback_seconds=limit)
        await room.ask(flags(QUESTION))
        await room.ask(get(PUBLIC[0]))
        await room.upstream.switch_off()
        room.stage.clock.forward(timedelta(seconds=age))
        assert (await room.ask(flags(QUESTION))).status == status
        assert (await room.ask(get(PUBLIC[0]))).status == status


@pytest.mark.parametrize(
    "other",
    [
        QUESTION.replace(b"u1", b"u2"),
        QUESTION.replace(b'"a"', b'"b"'),
        QUESTION.replace(b"phc_ours", b"phc_else"),
        QUESTION.replace(b"{", b'{"person_properties":{"plan":"pro"},', 1),
        QUESTION.replace(b"{", b'{"flag_keys_to_evaluate":["new"],', 1),
        QUESTION.replace(b"{", b'{"geoip_disable":true,', 1),
        QUESTION.replace(b"{", b'{"device_id":"d",', 1),
    ],
)
async def test_another_question_does_not_get_this_answer(other: bytes) -> None:
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        await room.upstream.switch_off()
        assert (await room.ask(flags(QUESTION))).status == 200
        assert (await room.ask(flags(other))).status == 503
        assert (await room.ask(flags(QUESTION, target="/flags?v=1"))).status == 503
        assert (await room.ask(flags(QUESTION, ("user-agent", "posthog-python/7.91.1")))).status == 503


async def test_the_same_question_in_another_form_of_body_gets_it() -> None:
    packed = gzip.compress(json.dumps(json.loads(QUESTION), sort_keys=True).encode())
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        await room.upstream.switch_off()
        passed = await room.ask(flags(packed, ("content-type", "text/plain")))
    assert passed.status == 200


@pytest.mark.parametrize(
    "flawed",
    [
        ON.replace('Flags":false', 'Flags":true'),
        '{"flags":{},"quotaLimited":["feature_flags"],"errorsWhileComputingFlags":false}',
    ],
)
async def test_a_flawed_answer_is_passed_on_but_not_kept(flawed: str) -> None:
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        room.upstream.answers = json_answer(flawed)
        passed = await room.ask(flags(QUESTION))
        assert (passed.status, await whole(passed)) == (200, flawed.encode())
        await room.upstream.switch_off()
        assert await whole(await room.ask(flags(QUESTION))) == ON.encode()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413])
async def test_what_posthog_refuses_is_passed_on(status: int) -> None:
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        room.upstream.answers = lambda _: web.json_response({"code": "no"}, status=status)
        passed = await room.ask(flags(QUESTION))
    assert (passed.status, await whole(passed)) == (status, b'{"code": "no"}')
    assert header(passed, "hedgerow-answer") is None


def _definitions(request: web.Request) -> web.Response:
    headers = {"ETag": 'W/"abc"', "Cache-Control": "private, must-revalidate"}
    if request.headers.get("If-None-Match") == 'W/"abc"':
        return web.Response(status=304, headers=headers)
    return web.Response(text=DEFINITIONS, content_type="application/json", headers=headers)


ASKED = "/flags/definitions?token=phc_ours&send_cohorts"
KEY, OTHER_KEY = ("authorization", "Bearer phx_first"), ("authorization", "Bearer phx_second")


async def test_definitions_keep_their_tag_and_are_given_to_no_other_key() -> None:
    async with furnished(_definitions) as room:
        first = await room.ask(get(ASKED, KEY))
        unchanged = await room.ask(get(ASKED, KEY, ("if-none-match", 'W/"abc"')))
        await room.upstream.switch_off()
        kept = await room.ask(get(ASKED, KEY))
        held = await room.ask(get(ASKED, KEY, ("if-none-match", '"abc"')))
        others = [await room.ask(get(ASKED, OTHER_KEY)), await room.ask(get(ASKED))]
    assert (first.status, header(first, "etag")) == (200, 'W/"abc"')
    assert (unchanged.status, header(unchanged, "etag"), await whole(unchanged)) == (304, 'W/"abc"', b"")
    assert (kept.status, await whole(kept), header(kept, "hedgerow-answer")) == (200, DEFINITIONS.encode(), "last-good")
    assert (held.status, await whole(held), header(held, "hedgerow-answer")) == (304, b"", "last-good")
    assert [each.status for each in others] == [503, 503]


async def test_definitions_confirmed_by_a_304_are_as_young_as_that() -> None:
    async with furnished(_definitions) as room:
        await room.ask(get(ASKED, KEY))
        room.stage.clock.forward(timedelta(hours=20))
        assert (await room.ask(get(ASKED, KEY, ("if-none-match", 'W/"abc"')))).status == 304
        await room.upstream.switch_off()
        room.stage.clock.forward(timedelta(hours=5))
        assert header(await room.ask(get(ASKED, KEY)), "hedgerow-answer-age") == str(5 * 3600)


@pytest.mark.parametrize("target", [PUBLIC[0], PUBLIC[1], ASKED])
async def test_a_restart_during_an_outage_keeps_what_is_public(target: str) -> None:
    store = SqliteStore(":memory:")
    key = (KEY,) if target == ASKED else ()
    async with furnished(_definitions, store=store) as room:
        await room.ask(get(target, *key))
        await room.upstream.switch_off()
        room.stage.clock.forward(timedelta(minutes=10))
        passed = await room.restarted().ask(get(target, *key))
        other = await room.restarted().ask(get(target.replace("phc_ours", "phc_else"), *key))
        other_key = await room.restarted().ask(get(target, OTHER_KEY))
        too_old = await room.restarted(fallback_seconds=300).ask(get(target, *key))
    await store.close()
    assert (passed.status, await whole(passed)) == (200, DEFINITIONS.encode())
    assert (header(passed, "hedgerow-answer-age"), header(passed, "etag")) == ("600", 'W/"abc"')
    assert (other.status, other_key.status, too_old.status) == (503, 503, 503)


async def test_the_store_is_written_when_an_answer_changes_and_hourly_when_it_does_not() -> None:
    async with furnished(json_answer('{"surveys":[]}')) as room:
        for _ in range(5):
            await room.ask(get(PUBLIC[1]))
            room.stage.clock.forward(timedelta(minutes=14))
        found = await room.stage.store.find(LastAnswer)
        assert [each.kept_at for each in found.items] == [room.stage.clock.at - timedelta(minutes=70)]
        await room.restarted().ask(get(PUBLIC[1]))
        renewed = await room.stage.store.get(LastAnswer, answer_id(found.items[0].question))
    assert renewed is not None
    assert renewed.kept_at == room.stage.clock.at
    assert renewed.version != found.items[0].version


async def test_flags_of_people_are_never_written() -> None:
    async with furnished(json_answer(ON)) as room:
        await room.ask(flags(QUESTION))
        await room.ask(get("/api/surveys/?token=phc_ours&invented=1"))
        assert (await room.stage.store.find(LastAnswer)).items == ()


async def test_a_kept_gzip_answer_is_unpacked_for_who_cannot() -> None:
    packed = gzip.compress(ON.encode())
    async with furnished(lambda _: web.Response(body=packed, headers={"Content-Encoding": "gzip"})) as room:
        await room.ask(flags(QUESTION, ("accept-encoding", "gzip")))
        await room.upstream.switch_off()
        plain = await room.ask(flags(QUESTION))
        zipped = await room.ask(flags(QUESTION, ("accept-encoding", "gzip, br")))
    assert (await whole(plain), header(plain, "content-encoding")) == (ON.encode(), None)
    assert (await whole(zipped), header(zipped, "content-encoding")) == (packed, "gzip")
    assert header(plain, "content-length") == str(len(ON))
