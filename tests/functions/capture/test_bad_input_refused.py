"""What PostHog's edge would refuse as a whole hears PostHog's own words here, in the form of its protocol."""

from __future__ import annotations

import gzip
import os

import pytest

from tests.functions.capture.accept_room import room
from tests.functions.capture.wire_bytes import V1, envelope, event, v1_headers

NO_TOKEN: list[tuple[bytes, int, str]] = [
    (b"", 400, "request missing data payload"),
    (b"   ", 400, "request missing data payload"),
    (b"hello", 400, "failed to parse request: "),
    (os.urandom(200).replace(b"\x1f", b"x"), 400, "failed to parse request: "),
    (b"\x1f\x8b\x08garbage", 400, "failed to decode request: invalid GZIP data"),
    (b"[]", 400, "request holds no event"),
    (b'{"batch":[]}', 400, "request holds no event"),
    (b"[[],[]]", 400, "request holds no event"),
    (b"null", 400, "failed to parse request: "),
    (b'{"event":"a","distinct_id":"b"}', 401, "event submitted without an api_key"),
    (
        b'[{"event":"a","api_key":"phc_1"},{"event":"b","api_key":"phc_2"}]',
        401,
        "batch submitted with inconsistent api_key values",
    ),
    (b'{"api_key":"phx_1","batch":[{"event":"a"}]}', 401, "API key is not valid: personal_api_key"),
    (b'{"api_key":"phc_nobody","batch":[{"event":"a"}]}', 401, "API key is not valid: unknown"),
]


@pytest.mark.parametrize(("body", "status", "text"), NO_TOKEN)
async def test_what_posthogs_edge_refuses_as_a_whole_hears_posthogs_word(body: bytes, status: int, text: str) -> None:
    async with room() as there:
        await there.project()
        answer = await there.send("/batch/", body, {"Origin": "https://shop.test"})
        assert answer.status_code == status
        assert answer.text.startswith(text)
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["access-control-allow-origin"] == "https://shop.test"
        assert "retry-after" not in answer.headers
        assert there.upstream.seen == []
        assert await there.books() == {}


V1_WHOLE: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"", {}, 400, "empty_body"),
    (b'{"batch":[]}', {}, 400, "empty_batch"),
    (b"{}", {"Authorization": ""}, 401, "missing_authorization"),
    (b'{"batch":[{}]}', {"Authorization": "Bearer phc_nobody"}, 401, "invalid_api_token"),
    (b'{"batch":[{}]}', {"Authorization": "Bearer phx_nobody"}, 401, "invalid_api_token"),
]


@pytest.mark.parametrize(("body", "headers", "status", "tag"), V1_WHOLE)
async def test_v1_refuses_as_a_whole_in_json(body: bytes, headers: dict[str, str], status: int, tag: str) -> None:
    async with room() as there:
        token = await there.project()
        answer = await there.send(V1, body, {**v1_headers(token), **headers})
        assert (answer.status_code, answer.json()["error"]) == (status, tag)
        assert await there.books() == {}


async def test_a_body_over_the_limit_hears_413_whether_packed_or_not() -> None:
    async with room(capture_bytes=1_048_576) as there:
        token = await there.project()
        large = envelope(token, [event(properties={"x": "y" * 1_100_000})])
        bomb = gzip.compress(b'{"api_key":"' + token.encode() + b'","batch":["' + b"0" * 50_000_000 + b'"]}')
        twice = gzip.compress(bomb)
        for body in (large, bomb, twice):
            answer = await there.send("/batch/", body)
            assert answer.status_code == 413
            assert answer.text.startswith("maximum event size exceeded: ")
            answer = await there.send(V1, body, v1_headers(token))
            assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
        assert there.upstream.seen == []
        assert await there.books() == {}
