"""A body's token, times and events are found in every shape, and one bad event leaves the others as they were."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions.capture.events import Arrived, Envelope, Frozen, Poison, Protocol
from functions.capture.wire.envelopes import MIXED_TOKENS, read
from functions.capture.wire.freezing import freeze
from functions.capture.wire.salvage import Fragment

TEN = datetime(2025, 5, 1, 10, tzinfo=UTC)
ARRIVED = Arrived(now=datetime(2025, 6, 15, 12, tzinfo=UTC))
A = {"event": "a", "distinct_id": "x"}


def _read(
    body: Any, query: dict[str, str] | None = None, bearer: str | None = None, protocol: Protocol = "v0", at: str = ""
) -> Envelope:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(text, query=query or {}, bearer=bearer, protocol=protocol, sent_at_header=at)


@pytest.mark.parametrize(
    ("body", "token", "number"),
    [
        ({"api_key": " phc_x ", "batch": [A, A]}, "phc_x", 2),
        ({"token": "phc_x", "batch": []}, "phc_x", 0),
        ({"api_key": "phc_y", "$token": "phc_x", "batch": [{**A, "api_key": "phc_z"}]}, "phc_x", 1),
        ({"batch": [A, {**A, "properties": {"token": "phc_x"}}]}, "phc_x", 2),
        ({"api_key": "phc_x", **A}, "phc_x", 1),
        ({**A, "properties": {"token": "phc_x"}}, "phc_x", 1),
        ({**A, "token": 7, "properties": {"token": "phc_x"}}, "phc_x", 1),
        ([{**A, "$token": "phc_x"}, A], "phc_x", 2),
        ([[{**A, "api_key": "phc_x"}], [A, A]], "phc_x", 3),
        ([], None, 0),
        (A, None, 1),
        ({"batch": {"not": "a list"}, "api_key": "phc_x"}, "phc_x", 1),
        ({"api_key": "", "batch": [A]}, "", 1),
        ([None, 1, "x", A], None, 4),
    ],
)
def test_every_shape_is_read(body: object, token: str | None, number: int) -> None:
    envelope = _read(body)
    assert (envelope.token or None, len(envelope.events), envelope.broken) == (token or None, number, "")


def test_the_token_may_stand_beside_the_body() -> None:
    assert _read([A], {"token": "phc_q"}).token == "phc_q"
    assert _read([A], {"api_key": "phc_q"}).token == "phc_q"
    assert _read([A], bearer="phc_b").token == "phc_b"
    assert _read({"api_key": "phc_x", **A}, {"token": "phc_q"}, "phc_b").token == "phc_x"


def test_v1_has_its_token_and_its_time_in_headers() -> None:
    body = {"batch": [A], "api_key": "phc_x", "sent_at": "2024-01-01T00:00:00Z", "historical_migration": True}
    envelope = _read(body, {"token": "phc_q"}, "phc_b", "v1", "2025-05-01T10:00:00Z")
    assert (envelope.token, envelope.sent_at, envelope.historical) == ("phc_b", TEN, True)
    assert _read(body, protocol="v1").token is None
    assert _read(body, protocol="v1", at="soon").sent_at is None


def test_an_array_of_two_projects_belongs_to_neither() -> None:
    envelope = _read([{**A, "api_key": "phc_x"}, {**A, "properties": {"token": "phc_y"}}])
    assert (envelope.token, envelope.events, envelope.broken) == (None, [], MIXED_TOKENS)


@pytest.mark.parametrize(
    ("body", "query", "at"),
    [
        ({"batch": [A], "sent_at": "2025-05-01T10:00:00Z"}, {}, TEN),
        ({"batch": [A], "sent_at": "2025-05-01T10:00:00Z"}, {"_": "1700000000000"}, TEN),
        ({"batch": [A], "sent_at": "soon"}, {"_": "1746093600000"}, TEN),
        ({"batch": [A], "sentAt": "2025-05-01T10:00:00Z"}, {}, None),
        ([A], {"_": "1746093600000"}, TEN),
        (A, {"_": "1746093600"}, None),
        ([{**A, "sent_at": "2025-05-01T10:00:00Z"}], {}, None),
        ([{**A, "event": "$snapshot", "sent_at": "2025-05-01T10:00:00Z"}], {}, TEN),
    ],
)
def test_when_it_was_sent_is_found(body: object, query: dict[str, str], at: datetime | None) -> None:
    assert _read(body, query).sent_at == at


@pytest.mark.parametrize("said", [True, "true", 1, None, False])
def test_only_true_is_historical(said: object) -> None:
    assert _read({"batch": [A], "historical_migration": said}).historical is (said is True)
    assert _read({**A, "historical_migration": said}).historical is False
    assert _read({"batch": [A], "historical_migrations": said}).historical is False


DEEP = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
BAD = [
    b'{"event":"bad","distinct_id":"x","properties":{"n":NaN}}',
    b'{"event":"bad","distinct_id":"x","properties":{"n":[1e999]}}',
    b'{"event":"bad","distinct_id":"x","properties":{"n":"\\ud83d"}}',
    b'{"event":"bad\\ud83d","distinct_id":"x"}',
    b'{"event":"bad","distinct_id":"x","properties":' + DEEP + b"}",
    b'{"event":"bad","distinct_id":"x","properties":' + b'{"a":[' * 90 + b"1" + b"]}" * 90 + b"}",
    b'{"event":"bad","distinct_id":"x","properties":{"n":tru}}',
    b'{"event":"bad","distinct_id":"x","properties":{"n":"a"b"}}',
    b'{"event":"bad" "distinct_id":"x"}',
    b"{'event':'bad'}",
    b'{"event":"bad","distinct_id":"x","properties":{"n":01}}',
    b"undefined",
    b"7",
    b"null",
    b"{}",
]
GOOD = [
    {"event": f"good {number}", "distinct_id": "ü\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
     "properties": {"n": number / 3, "z": "\0\x01\x1f", "big": 2**64 - 1, "list": ["}", "]", '"', "\\"]}}
    for number in range(3)
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize(
    "shape",
    [
        b'{"api_key":"phc_x","batch":[%s]}',
        b'{"batch":[%s],"sent_at":"2025-05-01T10:00:00Z","api_key":"phc_x"}',
        b"[%s]",
    ],
)
def test_one_bad_event_leaves_its_batch_alone(bad: bytes, place: int, shape: bytes) -> None:
    parts = [orjson.dumps({**event, "api_key": "phc_x"}) for event in GOOD]
    parts.insert(place, bad)
    envelope = _read(shape % b",".join(parts))
    assert (envelope.token, envelope.broken) == ("phc_x", "")
    outcomes = [freeze(event, ARRIVED) for event in envelope.events]
    frozen = [each for each in outcomes if isinstance(each, Frozen)]
    poisons = [each for each in outcomes if isinstance(each, Poison)]
    assert [(each.name, each.distinct_id, each.body["properties"]) for each in frozen] == [
        (event["event"], event["distinct_id"], event["properties"]) for event in GOOD
    ]
    assert len(poisons) == 1
    assert poisons[0].body.replace(b" ", b"")[:12] == bad.replace(b" ", b"").replace(b"1e999", b"Infinity")[:12]


def test_bytes_that_are_no_text_touch_only_their_own_event() -> None:
    broken = b'{"event":"half \xe2\x82","distinct_id":"x"}'
    envelope = _read(b'{"api_key":"phc_x","batch":[' + orjson.dumps(GOOD[0]) + b"," + broken + b"]}")
    assert envelope.events == [GOOD[0], {"event": "half \ufffd", "distinct_id": "x"}]


def test_what_only_looks_broken_is_mended_without_a_guess() -> None:
    envelope = _read(b'{"api_key":"phc_x","event":"a","n":[NaN,' + str(2**64).encode() + b'],"text":"two\nlines"}')
    assert repr(envelope.events[0]["n"]) == "[nan, 1.8446744073709552e+19]"
    assert envelope.events[0]["text"] == "two\nlines"


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_obstacle(mark: str) -> None:
    assert _read(json.dumps({"api_key": "phc_x", **A}).encode(mark)).token == "phc_x"


def test_a_body_cut_off_keeps_what_came_before() -> None:
    whole = b'{"api_key":"phc_x","historical_migration":true,"batch":[' + b",".join(map(orjson.dumps, GOOD)) + b"]}"
    second = whole.index(b'{"event":"good 1"')
    envelope = _read(whole[: second + 40])
    assert (envelope.token, envelope.historical, envelope.events) == ("phc_x", True, [GOOD[0]])
    assert envelope.broken
    assert envelope.rest == whole[second : second + 40]


def test_a_single_event_that_is_broken_is_the_rest_whole() -> None:
    body = b'{"api_key":"phc_x","event":"a","distinct_id":"x","properties":' + DEEP + b"}"
    envelope = _read(body)
    assert (envelope.token, envelope.events, envelope.rest) == ("phc_x", [], body)
    assert envelope.broken


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'garbage "api_key": "phc_x" garbage', "phc_x"),
        (b'{"event": oops, "properties":{"token":"phc_x"}}', "phc_x"),
        (b'garbage "api_key":"phc_x" and "token":"phc_y"', None),
        (b'garbage "password":"phc_x"', None),
        (b'garbage "token":"a secret of someone"', None),
        (b"\xff\xfe\x00", None),
        (b"", None),
        (b"nonsense", None),
        (b'"phc_x"', None),
    ],
)
def test_the_token_of_a_broken_body_is_only_taken_in_plain_sight(body: bytes, token: str | None) -> None:
    envelope = _read(body)
    assert (envelope.token, envelope.events, envelope.rest) == (token, [], body)
    assert envelope.broken


@given(st.binary(max_size=200) | st.text('{}[]",:\\ abt1NaN', max_size=80).map(str.encode))
@settings(max_examples=1_000)
def test_nothing_a_client_sends_makes_it_fail(body: bytes) -> None:
    envelope = _read(body)
    assert all(isinstance(freeze(event, ARRIVED), (Frozen, Poison)) for event in envelope.events)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    events=st.lists(st.dictionaries(st.text('evnt"}],{', max_size=4), _JSON, max_size=4), max_size=5),
    place=st.integers(0, 5),
    bad=st.sampled_from(BAD[:7]),
)
@example(events=[{}, {"": [{}]}], place=1, bad=BAD[6])
def test_the_others_are_read_exactly(events: list[dict[str, Any]], place: int, bad: bytes) -> None:
    parts: list[bytes] = [orjson.dumps({"event": "e", **event}) for event in events]
    parts.insert(place, bad)
    envelope = _read(b'{"batch":[' + b" , ".join(parts) + b'],"api_key":"phc_x"}')
    assert envelope.token == "phc_x"
    kept = [each for each in envelope.events if isinstance(each, dict) and each.get("event", "e")[:3] != "bad"]
    assert kept == [orjson.loads(part) for part in parts if part is not bad]


def test_work_on_a_hopeless_body_is_bounded() -> None:
    for body in (
        b'[{"a":"}, {"' * 200_000,
        b"[" * 2_000_000,
        b'{"batch":[' + b'"a,' * 700_000,
        b'[{"x":tru,' * 200_000,
    ):
        begun = time.perf_counter()
        envelope = _read(body)
        assert time.perf_counter() - begun < 5
        assert envelope.broken
        assert len(envelope.rest) > len(body) // 2


def test_the_reason_of_a_body_cut_within_a_text_reads_as_a_sentence() -> None:
    assert _read(b'{"batch":[{"event":"a","x":"unte').broken == "Unterminated string starting at line 1 column 28"


def test_small_sound_bodies_are_plain_and_no_others() -> None:
    assert _read({"batch": [A] * 500}).is_plain
    assert not _read({"batch": [{**A, "properties": {"x": "x" * 1_000_000}}]}).is_plain
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    assert not _read({"batch": [{**A, "properties": {"x": deep}}]}).is_plain
    assert not _read([*range(500), {**A, "properties": {"x": deep}}]).is_plain
    assert not _read(b'{"batch":[{"event":"a","n":NaN}]}').is_plain
    assert not any(isinstance(event, Fragment) for event in _read({"batch": [A]}).events)
