"""What PostHog lets be cached is asked for once, by one request, and never given to whom it is not for."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from tests.functions.capture.passing_room import Answering, furnished, get, header, json_answer, whole

SCRIPT = "/static/1.449.2/surveys.js"
CONFIG = "/array/phc_ours/config"


def _script(text: str, **headers: str) -> Answering:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(text=text, content_type="application/javascript", headers=named)


async def test_a_script_is_fetched_once_while_it_is_fresh_and_then_revalidated() -> None:
    def tagged(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "public, max-age=300", "ETag": '"v1"'}
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304, headers=headers)
        return web.Response(text="run()", content_type="application/javascript", headers=headers)

    async with furnished(tagged) as room:
        first = await room.ask(get(SCRIPT))
        room.stage.clock.forward(timedelta(seconds=299))
        fresh = await room.ask(get(SCRIPT))
        assert len(room.upstream.seen) == 1
        room.stage.clock.forward(timedelta(seconds=2))
        revalidated = await room.ask(get(SCRIPT))
        again = await room.ask(get(SCRIPT))
        held = await room.ask(get(SCRIPT, ("if-none-match", 'W/"v1"')))
        assert [seen.header("if-none-match") for seen in room.upstream.seen] == [[], ['"v1"']]
    assert [await whole(each) for each in (first, fresh, revalidated, again)] == [b"run()"] * 4
    assert (header(first, "age"), header(fresh, "age"), header(again, "age")) == (None, "299", None)
    assert (held.status, await whole(held), header(held, "content-length")) == (304, b"", None)
    assert header(fresh, "hedgerow-answer") is None


@pytest.mark.parametrize(
    ("control", "requests"),
    [
        ("public, max-age=60", 1),
        ("max-age=1, s-maxage=60", 1),
        ("private, max-age=60", 3),
        ("no-store", 3),
        ("public, no-cache, max-age=60", 3),
        ("max-age=0, must-revalidate", 3),
        ("", 3),
        ("max-age=-5", 3),
        ("max-age=99999999999999999999", 3),
    ],
)
async def test_only_what_posthog_allows_is_cached(control: str, requests: int) -> None:
    async with furnished(_script("run()", Cache_Control=control)) as room:
        for _ in range(3):
            await room.ask(get(SCRIPT))
            room.stage.clock.forward(timedelta(seconds=5))
        assert len(room.upstream.seen) == requests


async def test_the_age_an_answer_came_with_counts() -> None:
    async with furnished(_script("run()", Cache_Control="max-age=60", Age="50")) as room:
        assert header(await room.ask(get(SCRIPT)), "age") == "50"
        room.stage.clock.forward(timedelta(seconds=11))
        await room.ask(get(SCRIPT))
        assert len(room.upstream.seen) == 2


async def test_nothing_asked_with_a_key_is_cached_or_shared() -> None:
    async with furnished(json_answer("{}", Cache_Control="public, max-age=60")) as room:
        key = ("authorization", "Bearer phx_first")
        await asyncio.gather(*(room.ask(get(CONFIG, key)) for _ in range(3)))
        await room.ask(get(CONFIG, key))
        await room.ask(get(CONFIG))
        assert len(room.upstream.seen) == 5


async def test_an_answer_is_cached_for_who_asks_alike() -> None:
    def by_language(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "public, max-age=60", "Vary": "Accept-Language, Origin, Accept-Encoding"}
        return web.json_response({"surveys": request.headers.get("Accept-Language")}, headers=headers)

    async with furnished(by_language) as room:
        target = "/api/surveys/?token=phc_ours"
        german, english = ("accept-language", "de"), ("accept-language", "en")
        said = [await whole(await room.ask(get(f"{target}&_={n}", each))) for n, each in enumerate((german, english))]
        again = await whole(await room.ask(get(target, english, ("origin", "https://shop.example"))))
        assert len(room.upstream.seen) == 2
    assert said == [b'{"surveys": "de"}', b'{"surveys": "en"}']
    assert again == said[1]


async def test_pages_of_different_origins_have_configurations_of_their_own() -> None:
    def by_page(request: web.Request) -> web.Response:
        return web.json_response({"for": request.headers["Origin"]}, headers={"Cache-Control": "max-age=60"})

    async with furnished(by_page) as room:
        pages = [("origin", f"https://{name}.example") for name in ("a", "b", "a")]
        said = [await whole(await room.ask(get(CONFIG, page))) for page in pages]
        assert len(room.upstream.seen) == 2
    assert said == [b'{"for": "https://a.example"}', b'{"for": "https://b.example"}', said[0]]


async def test_a_herd_shares_one_request() -> None:
    async with furnished(_script("run()"), delay=0.3) as room:
        passed = await asyncio.gather(*(room.ask(get(SCRIPT)) for _ in range(200)))
        assert len(room.upstream.seen) == 1
    assert {(each.status, await whole(each)) for each in passed} == {(200, b"run()")}


async def test_a_herd_does_not_share_what_is_private() -> None:
    count = 0

    def personal(_: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.json_response({"you": count}, headers={"Cache-Control": "private"})

    async with furnished(personal, delay=0.1) as room:
        passed = await asyncio.gather(*(room.ask(get(CONFIG)) for _ in range(10)))
    assert len({await whole(each) for each in passed}) == 10


async def test_who_leaves_does_not_take_the_others_answer_along() -> None:
    async with furnished(_script("run()"), delay=0.3) as room:
        leader = asyncio.create_task(room.ask(get(SCRIPT)))
        await asyncio.sleep(0.05)
        follower = asyncio.create_task(room.ask(get(SCRIPT)))
        await asyncio.sleep(0.05)
        leaving = asyncio.create_task(room.ask(get(SCRIPT)))
        await asyncio.sleep(0.05)
        leader.cancel()
        leaving.cancel()
        assert await whole(await follower) == b"run()"
        assert len(room.upstream.seen) == 1


async def test_what_one_client_writes_into_headers_does_not_reach_the_others_answer() -> None:
    poison = [
        ("x-forwarded-host", "evil.example"),
        ("host", "evil.example"),
        ("x-original-url", "/evil"),
        ("x-any", "1"),
    ]
    async with furnished(_script("run()", Cache_Control="max-age=60")) as room:
        await room.ask(get(SCRIPT, *poison))
        names = {name.decode().lower() for name, _ in room.upstream.seen[0].headers}
    assert names == {"host", "accept-encoding", "x-forwarded-for"}


async def test_two_upstreams_answers_never_mix() -> None:
    def own(request: web.Request) -> web.Response:
        return web.json_response({"host": request.url.host}, headers={"Cache-Control": "max-age=60"})

    async with furnished(own) as room:
        other = room.upstream.origin.replace("127.0.0.1", "localhost")
        said = [await whole(await room.ask(get(CONFIG), origin)) for origin in (room.upstream.origin, other) * 2]
        assert len(room.upstream.seen) == 2
    assert said == [b'{"host": "127.0.0.1"}', b'{"host": "localhost"}'] * 2


async def test_a_script_that_went_stale_in_an_outage_is_the_last_good_one() -> None:
    async with furnished(_script("run()", Cache_Control="max-age=60")) as room:
        await room.ask(get(SCRIPT))
        await room.upstream.switch_off()
        room.stage.clock.forward(timedelta(minutes=5))
        passed = await room.ask(get(SCRIPT))
    assert (passed.status, await whole(passed), header(passed, "hedgerow-answer-age")) == (200, b"run()", "300")


async def test_a_part_of_a_script_passes_as_a_part() -> None:
    def partial(request: web.Request) -> web.Response:
        assert request.headers["Range"] == "bytes=0-2"
        return web.Response(status=206, text="run", headers={"Content-Range": "bytes 0-2/5"})

    async with furnished(partial) as room:
        passed = await room.ask(get(SCRIPT, ("range", "bytes=0-2")))
    assert (passed.status, await whole(passed), header(passed, "content-range")) == (206, b"run", "bytes 0-2/5")
