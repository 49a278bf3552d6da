"""What goes through: headers both ways, bytes as they are, and nothing about our own origin."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from hedgerow.errors import OutboundError
from tests.functions.capture.passing_room import TOKEN, flags, furnished, get, header, json_answer, whole
from tests.loopback import answering, http
from tests.stage import staged

ASKED_WITH = (
    ("host", "events.shop.example"),
    ("authorization", "Bearer phc_ours"),
    ("cookie", "session=secret"),
    ("connection", "keep-alive, x-hop"),
    ("x-hop", "1"),
    ("te", "trailers"),
    ("posthog-sdk-info", "posthog-node/5.70.0"),
    ("x-forwarded-for", "198.51.100.9, 10.0.0.1"),
    ("hedgerow-anything", "ours"),
    ("x-serverless-authorization", "Bearer platform"),
    ("user-agent", "posthog-node/5.70.0"),
)


async def test_headers_reach_posthog_with_the_chain_lengthened_and_without_cookies_or_ours() -> None:
    async with furnished(json_answer("{}")) as room:
        await room.ask(get("/api/projects/@current/anything?token=phc_ours", *ASKED_WITH))
        seen = room.upstream.seen[0]
    assert seen.header("host") == [room.upstream.origin.removeprefix("http://")]
    assert seen.header("x-forwarded-for") == ["198.51.100.9, 10.0.0.1, 203.0.113.7"]
    assert seen.header("x-forwarded-host") == ["events.shop.example"]
    assert seen.header("x-forwarded-proto") == ["http"]
    assert seen.header("authorization") == ["Bearer phc_ours"]
    assert seen.header("posthog-sdk-info") == ["posthog-node/5.70.0"]
    assert seen.header("user-agent") == ["posthog-node/5.70.0"]
    for name in ("cookie", "x-hop", "te", "hedgerow-anything", "x-serverless-authorization", "accept", "content-type"):
        assert seen.header(name) == [], name
    assert seen.target == "/api/projects/@current/anything?token=phc_ours"


@pytest.mark.parametrize("path", ["/flags", "/array/phc_ours/config", "/static/array.js", "/i/v1/logs"])
async def test_a_cookie_never_passes_in_either_direction(path: str) -> None:
    def with_cookie(_: web.Request) -> web.Response:
        answer = web.json_response({"flags": {}})
        answer.set_cookie("csrftoken", "theirs")
        return answer

    async with furnished(with_cookie) as room:
        asked = get(f"{path}?token={TOKEN}", ("cookie", "session=secret"), method="POST" if path == "/flags" else "GET")
        asked.body = b'{"distinct_id":"u1"}' if path == "/flags" else b""
        passed = await room.ask(asked)
        assert room.upstream.seen[0].header("cookie") == []
    assert passed.status == 200
    assert header(passed, "set-cookie") is None


async def test_a_key_of_ours_is_not_told_to_posthog() -> None:
    async with furnished(json_answer("{}")) as room:
        await room.ask(get("/api/anything", ("authorization", "Bearer hdg_of_a_tenant")))
    assert room.upstream.seen[0].header("authorization") == []


async def test_what_posthog_would_tell_a_browser_about_our_origin_stays_behind() -> None:
    told = {
        "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
        "Clear-Site-Data": '"*"',
        "Alt-Svc": 'h3=":443"',
        "Access-Control-Allow-Origin": "https://elsewhere.example",
        "X-Accel-Redirect": "/internal/file",
        "Content-Security-Policy": "default-src *",
        "Keep-Alive": "timeout=5",
        "Posthog-Region": "eu",
        "Retry-After": "9",
    }
    async with furnished(lambda _: web.Response(text="no", status=403, headers=told)) as room:
        passed = await room.ask(get("/api/anything"))
    kept = {name for name in told if header(passed, name) is not None}
    assert kept == {"Posthog-Region", "Retry-After", "Content-Security-Policy"}
    assert header(passed, "content-security-policy") == "default-src 'none'; sandbox"
    assert (passed.status, await whole(passed)) == (403, b"no")


@pytest.mark.parametrize("path", ["/i/v1/logs", "/flags", "/static/recorder.js"])
async def test_a_gzip_answer_comes_byte_for_byte(path: str) -> None:
    packed = gzip.compress(b'{"flags":{"a":{"key":"a"}}}', mtime=0)

    def zipped(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"].startswith("gzip")
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async with furnished(zipped) as room:
        asked = get(
            path, ("accept-encoding", "gzip, deflate, br"), method="POST" if path != "/static/recorder.js" else "GET"
        )
        asked.body = b'{"token":"phc_ours","distinct_id":"u1"}' if path == "/flags" else b""
        passed = await room.ask(asked)
        assert await whole(passed) == packed
    assert header(passed, "content-encoding") == "gzip"
    assert header(passed, "content-length") == str(len(packed))


async def test_a_body_and_a_query_arrive_as_they_were_sent() -> None:
    body = bytes(range(256)) * 40
    async with furnished(json_answer("{}")) as room:
        asked = get(
            "/i/v1/traces?token=phc_ours&a=%2F+%C3%BC&b", ("content-type", "application/x-protobuf"), method="POST"
        )
        asked.body = body
        await room.ask(asked)
        await room.ask(get("/api/surveys/über weg/?token=phc_ours"))
        seen, named = room.upstream.seen
    assert (seen.body, seen.target) == (body, "/i/v1/traces?token=phc_ours&a=%2F+%C3%BC&b")
    assert seen.header("content-type") == ["application/x-protobuf"]
    assert named.target == "/api/surveys/%C3%BCber%20weg/?token=phc_ours"


async def test_a_large_answer_streams_in_parts() -> None:
    size, sent = 64 * 1024 * 1024, 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await answer.prepare(request)
        while sent < size:
            await answer.write(bytes(1 << 18))
            sent += 1 << 18
        return answer

    async with furnished(endless) as room:
        passed = await room.ask(get("/static/toolbar.js.map"))
        assert isinstance(passed.body, AsyncIterator)
        taken = ahead = longest = 0
        async for part in passed.body:
            taken += len(part)
            longest = max(longest, len(part))
            ahead = max(ahead, sent - taken)
    assert taken == size
    assert longest <= 8 * 1024 * 1024
    assert ahead <= 24 * 1024 * 1024, "the upstream was read faster than the client"


async def test_an_answer_cut_while_it_streams_is_an_error_and_not_an_end() -> None:
    async with answering(http(b"only a part", length=5_000)) as cut, staged([f"127.0.0.1:{cut.port}"]) as stage:
        from functions.capture.through.passing import Passing

        passed = await Passing(stage.app).answer(get("/i/v1/logs", method="POST"), f"http://127.0.0.1:{cut.port}")
        assert passed is not None
        with pytest.raises(OutboundError):
            await whole(passed)


async def test_a_redirect_is_shown_to_who_reads_and_kept_from_who_posts() -> None:
    async with furnished(
        lambda _: web.Response(status=301, headers={"Location": "https://elsewhere.example/"})
    ) as room:
        read = await room.ask(get("/api/anything"))
        posted = await room.ask(get("/i/v1/logs", method="POST"))
        asked = await room.ask(flags(b'{"token":"phc_ours","distinct_id":"u1"}'))
        configured = await room.ask(get("/array/phc_ours/config.js"))
        assert len(room.upstream.seen) == 4
    assert (read.status, header(read, "location")) == (301, "https://elsewhere.example/")
    for passed in (posted, asked, configured):
        assert (passed.status, header(passed, "location")) == (503, None)


async def test_a_path_cannot_climb() -> None:
    async with furnished(json_answer("{}")) as room:
        passed = await room.ask(get("/static/../api/users/@me"))
        assert (passed.status, room.upstream.seen) == (400, [])
