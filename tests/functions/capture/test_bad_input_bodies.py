"""Bad bodies, through the real door: each gets the answer its rule says, and takes nothing else with it."""

from __future__ import annotations

import base64
import zlib
from typing import Any
from urllib.parse import quote_plus

import lzstring  # type: ignore[import-untyped]
import orjson
import pytest

from tests.functions.capture.accept_room import room
from tests.functions.capture.wire_bytes import OK, V1, envelope, event, v1_headers, zipped

GOOD = "good"


def _form(text: bytes, **more: str) -> bytes:
    packed = quote_plus(base64.b64encode(text))
    return "&".join([f"data={packed}", *(f"{name}={value}" for name, value in more.items())]).encode()


def _encodings(body: bytes) -> list[tuple[str, bytes, dict[str, str]]]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    lz64 = lzstring.LZString().compressToBase64(body.decode())
    return [
        ("/batch", body, {}),
        ("/batch/", zipped(body), {}),
        ("/e/", zipped(body), {"Content-Type": "text/plain"}),
        ("/batch/", body, {"Content-Encoding": "gzip"}),
        ("/batch/", body, {"Content-Type": "image/png"}),
        ("/batch/", zlib.compress(body), {"Content-Encoding": "deflate"}),
        ("/batch/", base64.b64encode(body), {}),
        ("/e/?compression=base64", _form(body), form),
        ("/e/", _form(body, compression="base64"), form),
        ("/track/", base64.b64encode(zipped(body)), {}),
        ("/e/?compression=lz64", lz64.encode(), {}),
        ("/batch/?compression=gzip-js", zipped(body), {}),
        ("/capture", b"\xef\xbb\xbf" + body, {}),
    ]


@pytest.mark.parametrize("number", range(13))
async def test_every_encoding_arrives_whatever_the_request_says_of_it(number: int) -> None:
    async with room() as there:
        token = await there.project()
        events = [event(), event("closed", distinct_id="ü")]
        path, body, headers = _encodings(envelope(token, events))[number]
        answer = await there.send(path, body, headers)
        assert (answer.status_code, answer.content) == (200, OK)
        assert there.upstream.uuids == {each["uuid"] for each in events}
        assert await there.books() == {"accepted": 2, "delivered": 2}


async def test_twenty_megabytes_and_more_arrive() -> None:
    async with room(forward_seconds=8.0) as there:
        token = await there.project()
        events = [event(properties={"x": "y" * 600_000}) for _ in range(40)]
        body = envelope(token, events)
        assert len(body) > 20 * 1024 * 1024
        answer = await there.send("/batch/", body)
        assert (answer.status_code, answer.content) == (200, OK)
        await there.drained()
        assert there.upstream.uuids == {each["uuid"] for each in events}
        assert (await there.books())["accepted"] == 40


async def test_five_thousand_events_in_one_batch_arrive_even_late() -> None:
    async with room() as there:
        token = await there.project()
        await there.upstream.off()
        events = [event(properties={}) for _ in range(5_000)]
        assert (await there.v0(token, events)).status_code == 200
        assert await there.books() == {"accepted": 5_000, "pending": 5_000}
        await there.upstream.on()
        await there.drained()
        assert set(there.upstream.rows.values()) == {1}
        assert there.upstream.uuids == {each["uuid"] for each in events}
        assert await there.books() == {"accepted": 5_000, "delivered": 5_000}


def _deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = {"a": found}
    return found


async def test_a_hundred_levels_arrive() -> None:
    async with room() as there:
        token = await there.project()
        deep = event(properties=_deep(100))
        assert (await there.v0(token, [deep])).content == OK
        assert there.upstream.bodies[deep["uuid"]][0]["properties"]["a"] == deep["properties"]["a"]


def _bad_events() -> list[tuple[str, bytes]]:
    """The reason each one dies for, and the event's text."""
    own = event(properties={})
    head = orjson.dumps({name: own[name] for name in ("uuid", "event", "distinct_id")})[:-1]

    def with_properties(text: bytes) -> bytes:
        return head + b',"properties":' + text + b"}"

    return [
        ("unreadable", b'{"event":"a" "distinct_id":"b"}'),
        ("malformed_event", b"7"),
        ("malformed_event", b'"text"'),
        ("malformed_event", b"null"),
        ("missing_event_name", b'{"distinct_id":"b"}'),
        ("missing_event_name", b'{"event":"","distinct_id":"b"}'),
        ("missing_event_name", b'{"event":5,"distinct_id":"b"}'),
        ("missing_distinct_id", b'{"event":"a"}'),
        ("missing_distinct_id", b'{"event":"a","distinct_id":"  "}'),
        ("missing_distinct_id", b'{"event":"a","distinct_id":null}'),
        ("missing_event_uuid", b'{"event":"a","distinct_id":"b","uuid":"7"}'),
        ("malformed_event_properties", b'{"event":"a","distinct_id":"b","properties":[1]}'),
        ("malformed_event_properties", with_properties(b'{"a":NaN}')),
        ("malformed_event_properties", with_properties(b'{"a":[1,-Infinity]}')),
        ("malformed_event_properties", with_properties(b'{"a":"\\ud800"}')),
        ("malformed_event_properties", with_properties(orjson.dumps(_deep(126)))),
        ("unreadable", with_properties(b"[" * 5_000 + b"]" * 5_000)),
        ("event_too_large", with_properties(b'{"a":"' + b"x" * 1_000_000 + b'"}')),
    ]


BAD = _bad_events()


@pytest.mark.parametrize("number", range(len(BAD)))
@pytest.mark.parametrize("is_down", [False, True])
async def test_one_bad_event_never_takes_its_batch_with_it(number: int, is_down: bool) -> None:
    code, bad = BAD[number]
    async with room() as there:
        token = await there.project()
        if is_down:
            await there.upstream.off()
        good = [event(GOOD) for _ in range(3)]
        parts = [orjson.dumps(each) for each in good]
        body = b'{"api_key":"' + token.encode() + b'","batch":[' + b",".join([parts[0], bad, *parts[1:]]) + b"]}"
        answer = await there.send("/batch/", body)
        assert (answer.status_code, answer.content) == (200, OK)
        assert await there.dead() == {code: 1}
        assert (await there.books())["accepted"] == 4
        if is_down:
            await there.upstream.on()
            await there.drained()
        assert there.upstream.uuids == {each["uuid"] for each in good}
        assert await there.books() == {"accepted": 4, "delivered": 3, "dead": 1}


V1_BAD: list[tuple[str, dict[str, Any]]] = [
    ("missing_event_name", {"event": ""}),
    ("event_name_too_long", {"event": "e" * 201}),
    ("missing_distinct_id", {"distinct_id": ""}),
    ("distinct_id_too_large", {"distinct_id": "d" * 201}),
    ("malformed_distinct_id", {"distinct_id": "Undefined"}),
    ("malformed_distinct_id", {"distinct_id": "00000000-0000-0000-0000-000000000000"}),
    ("malformed_event_properties", {"properties": []}),
    ("invalid_options", {"options": 7}),
    ("missing_event_uuid", {"uuid": "NOT-a-uuid"}),
]


@pytest.mark.parametrize(("code", "fields"), V1_BAD)
async def test_v1_drops_one_bad_event_and_says_so_under_its_own_uuid(code: str, fields: dict[str, Any]) -> None:
    async with room() as there:
        token = await there.project()
        good, bad = event(GOOD), event(**fields)
        good["uuid"] = good["uuid"].upper()
        answer = await there.v1(token, [good, bad])
        assert answer.status_code == 200
        assert answer.json() == {
            "results": {good["uuid"]: {"result": "ok"}, bad["uuid"]: {"result": "drop", "details": code}}
        }
        assert await there.dead() == {code: 1}
        assert there.upstream.uuids == {good["uuid"].lower()}
        assert await there.books() == {"accepted": 2, "delivered": 1, "dead": 1}


async def test_v0_takes_what_posthog_mends() -> None:
    async with room() as there:
        token = await there.project()
        events = [
            event(distinct_id=7),
            event(distinct_id={"a": 1}),
            event(distinct_id="d" * 300),
            event(distinct_id="a\0b"),
            event("n" * 300),
            event(distinct_id="undefined"),
            event(at="1970-01-01T00:00:00Z"),
            event(at="2100-01-01T00:00:00Z"),
            event(at="yesterday"),
            event(timestamp=7),
            event(uuid=""),
        ]
        assert (await there.v0(token, events)).content == OK
        rows = sorted(there.upstream.rows, key=lambda row: row[0])
        found = {row[0]: row for row in rows}
        assert len(rows) == len(events)
        ids = [found[each["uuid"]][2] for each in events[:4]]
        assert ids == ["7", '{"a":1}', "d" * 200, "a\ufffdb"]
        assert found[events[4]["uuid"]][1] == "n" * 200
        times = [found[each["uuid"]][3] for each in events[6:10]]
        now = "2026-11-20T15:30:00.000000Z"
        assert times == ["1970-01-01T00:00:00.000000Z", now, now, now]
        assert await there.books() == {"accepted": 11, "delivered": 11}


async def test_an_array_of_arrays_is_a_batch_wrapped_once_too_often() -> None:
    async with room() as there:
        token = await there.project()
        events = [event(api_key=token), event(api_key=token)]
        assert (await there.send("/e/", [[events[0]], [events[1]]])).content == OK
        assert there.upstream.uuids == {each["uuid"] for each in events}


async def test_invalid_utf8_and_a_cut_body_lose_nothing_that_can_be_read() -> None:
    async with room() as there:
        token = await there.project()
        good = [event(GOOD) for _ in range(2)]
        body = envelope(token, good)
        wrong = body.replace(b'"plan":"pro"', b'"plan":"\xff\xfe"', 1)
        assert (await there.send("/batch/", wrong)).content == OK
        assert there.upstream.uuids == {each["uuid"] for each in good}
        more = [event(GOOD) for _ in range(3)]
        cut = envelope(token, more)[:-40]
        assert (await there.send("/batch/", cut)).content == OK
        assert there.upstream.uuids == {each["uuid"] for each in [*good, *more[:2]]}
        assert await there.books() == {"accepted": 5, "delivered": 4, "dead": 1}
        assert await there.dead() == {"unreadable": 1}


@pytest.mark.parametrize("path", ["/batch/?token=TOKEN", "/e/?api_key=TOKEN"])
async def test_a_body_nobody_can_open_is_kept_dead_where_the_token_stands_beside_it(path: str) -> None:
    async with room() as there:
        token = await there.project()
        answer = await there.send(path.replace("TOKEN", token), b"\x1f\x8b\x08\x00nonsense")
        assert (answer.status_code, answer.content) == (200, OK)
        assert await there.dead() == {"unreadable": 1}
        assert await there.books() == {"accepted": 1, "dead": 1}
        answer = await there.send(V1, b"\x1f\x8b\x08\x00nonsense", v1_headers(token))
        assert (answer.status_code, answer.json()) == (200, {"results": {}})
        assert await there.books() == {"accepted": 2, "dead": 2}


async def test_a_beacon_hears_204_only_for_acceptance() -> None:
    async with room() as there:
        token = await there.project()
        answer = await there.send("/e/?beacon=1", event(api_key=token))
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await there.send("/e/?beacon=1", event())).status_code == 401
        assert await there.books() == {"accepted": 1, "delivered": 1}


async def test_a_token_of_broken_characters_is_nobodys_and_spoils_no_count() -> None:
    async with room() as there:
        token = await there.project()
        for text in (b'{"api_key":"phc_\\ud800","event":"a","x":NaN}', b'{"api_key":"phc_\\u0000","event":"a"}'):
            assert (await there.send("/e/", text)).status_code == 401
        assert (await there.v0(token, [event()])).content == OK
        assert await there.books() == {"accepted": 1, "delivered": 1}


async def test_a_name_of_broken_characters_in_v1_is_answered() -> None:
    async with room() as there:
        token = await there.project()
        body = b'{"batch":[{"event":"a","distinct_id":"b","uuid":"\\ud800"}]}'
        answer = await there.send(V1, body, v1_headers(token))
        assert (answer.status_code, list(answer.json()["results"])) == (200, ["?"])
        assert await there.books() == {"accepted": 1, "dead": 1}
