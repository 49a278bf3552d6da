"""Capture v0: every path, encoding and shape stores the same event; every refusal has PostHog's words."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.unit.local_posthog.conftest import Caller

EVENT = {"event": "signed up", "distinct_id": "u1", "properties": {"plan": "pro"}}
STORED = [["signed up", "u1", "pro"]]
QUERY = "select event, distinct_id, properties.plan from events"


def body(caller: Caller, **changes: Any) -> dict[str, Any]:
    return {"api_key": caller.posthog.project_token, **EVENT, **changes}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", ["/i/v0/e", "/e", "/capture", "/track", "/engage", "/batch"])
async def test_every_path_with_and_without_slash_stores(caller: Caller, path: str, slash: str) -> None:
    answer = await caller.client.post(path + slash, json=body(caller))
    assert (answer.status_code, answer.json()) == (200, {"status": 1})
    assert await caller.rows(QUERY) == STORED


async def test_array_batch_and_single_shapes_store_alike(caller: Caller) -> None:
    token = caller.posthog.project_token
    inside = {"event": "signed up", "properties": {"token": token, "distinct_id": "u1", "plan": "pro"}}
    for shape in ([inside], {"api_key": token, "batch": [EVENT]}, body(caller)):
        assert (await caller.client.post("/e/", json=shape)).status_code == 200
    assert await caller.rows(QUERY) == STORED * 3


async def test_bytes_decide_the_encoding_not_the_headers(caller: Caller) -> None:
    raw = json.dumps(body(caller)).encode()
    packed = gzip.compress(raw)
    encoded = base64.b64encode(raw).decode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    client = caller.client
    answers = [
        await client.post("/e/", content=packed, headers={"Content-Type": "text/plain"}),
        await client.post("/e/?compression=gzip-js", content=packed),
        await client.post("/batch", content=packed, headers={"Content-Encoding": "gzip"}),
        await client.post("/e/", content=encoded),
        await client.post("/e/", content=urlencode({"data": encoded}), headers=form),
        await client.post("/e/", content="data=" + encoded, headers=form),
        await client.get("/e/?data=" + quote(encoded)),
        await client.post("/e/", content=gzip.compress(encoded.encode())),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert await caller.rows(QUERY) == STORED * len(answers)


async def test_beacon_is_answered_204_and_stored(caller: Caller) -> None:
    answer = await caller.client.post("/e/?beacon=1", json=body(caller))
    assert (answer.status_code, answer.content) == (204, b"")
    assert await caller.rows(QUERY) == STORED


async def test_unknown_token_is_200_and_stored_nowhere(caller: Caller) -> None:
    answer = await caller.client.post("/batch/", json=body(caller, api_key="phc_nobody"))
    assert (answer.status_code, answer.json()) == (200, {"status": 1})
    assert await caller.rows("select count() from events") == [[0]]


async def test_cors_is_mirrored_and_options_answered(caller: Caller) -> None:
    asking = {"Origin": "https://shop.test", "Access-Control-Request-Headers": "x-a"}
    answer = await caller.client.options("/e/", headers=asking)
    assert answer.json() == {"status": 1}
    assert answer.headers["access-control-allow-origin"] == "https://shop.test"
    assert answer.headers["access-control-allow-headers"] == "x-a"


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"event": ""}, 400, "event submitted with an empty event name"),
        ({"distinct_id": None}, 400, "event submitted without a distinct_id"),
        ({"distinct_id": "  "}, 400, "event submitted without a distinct_id"),
        ({"api_key": None}, 401, "event submitted without an api_key"),
        ({"api_key": " "}, 401, "API key is not valid: empty"),
        ({"api_key": "phx_1"}, 401, "API key is not valid: personal_api_key"),
        ({"api_key": "é"}, 401, "API key is not valid: not_ascii"),
        ({"api_key": "a" * 65}, 401, "API key is not valid: too_long"),
        ({"uuid": "nope"}, 400, "failed to parse request: invalid uuid"),
        ({"properties": {"x": "a" * 1_000_001}}, 413, "maximum event size exceeded: event is over 1000000 bytes"),
    ],
)
async def test_refusals_are_plain_text(caller: Caller, changes: dict[str, Any], status: int, text: str) -> None:
    answer = await caller.client.post("/batch/", json=body(caller, **changes))
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert await caller.rows("select count() from events") == [[0]]


@pytest.mark.parametrize(
    ("raw", "status", "start"),
    [
        (b"", 400, "request missing data payload"),
        (b"{", 400, "failed to parse request:"),
        (b"[]", 400, "request holds no event"),
        (b"5x", 400, "failed to parse request:"),
        (b"\x1f\x8b\x08broken", 400, "failed to decode request: invalid GZIP data"),
        (b'{"api_key":"a","event":"b","distinct_id":"c","properties":{"n":NaN}}', 400, "failed to parse request:"),
        (b'{"api_key":"a","event":"b","distinct_id":"\\ud800"}', 400, "failed to parse request: lone leading"),
        (b"x" * (20 * 1024 * 1024 + 1), 413, "maximum event size exceeded"),
    ],
)
async def test_undecodable_bodies(caller: Caller, raw: bytes, status: int, start: str) -> None:
    answer = await caller.client.post("/batch/", content=raw)
    assert answer.status_code == status
    assert answer.text.startswith(start)


async def test_one_bad_event_refuses_the_whole_batch(caller: Caller) -> None:
    answer = await caller.capture(EVENT, {**EVENT, "distinct_id": ""})
    assert answer.status_code == 400
    assert await caller.rows("select count() from events") == [[0]]


async def test_array_with_two_tokens_is_refused(caller: Caller) -> None:
    answer = await caller.client.post("/e/", json=[{**EVENT, "token": "a"}, {**EVENT, "token": "b"}])
    assert (answer.status_code, answer.text) == (401, "batch submitted with inconsistent api_key values")


async def test_distinct_ids_are_stringified_cut_and_kept(caller: Caller) -> None:
    await caller.capture(
        {"event": "a", "distinct_id": 7},
        {"event": "b", "distinct_id": {"k": [1, 2]}},
        {"event": "c", "distinct_id": " padded "},
        {"event": "d", "distinct_id": "x" * 250},
        {"event": "e", "distinct_id": "root", "properties": {"distinct_id": "inside"}},
        {"event": "f", "distinct_id": "nul\0byte"},
    )
    found = await caller.rows("select event, distinct_id from events order by event")
    assert found == [
        ["a", "7"],
        ["b", '{"k":[1,2]}'],
        ["c", " padded "],
        ["d", "x" * 200],
        ["e", "root"],
        ["f", "nul\ufffdbyte"],
    ]


async def test_names_with_quotes_emoji_and_line_breaks_survive(caller: Caller) -> None:
    name, value = 'it\'s "q" \\ \n 😀 \t`', "v'\\\"\n😀"
    await caller.capture({"event": name, "distinct_id": name, "properties": {"p": value, name: 1}})
    rows = await caller.rows(
        "select event, distinct_id, properties.p from events where event = {name} and properties.p = {value}",
        name=name,
        value=value,
    )
    assert rows == [[name, name, value]]
    definitions = await caller.client.get(f"/api/projects/{caller.posthog.project_id}/event_definitions/")
    assert [d["name"] for d in definitions.json()["results"]] == [name]
