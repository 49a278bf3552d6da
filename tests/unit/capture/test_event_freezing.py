"""A frozen event says everything a later copy must repeat; what PostHog would refuse is poison, alone and whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.capture.events import Arrived, Frozen, Poison
from functions.capture.wire import uuids
from functions.capture.wire.freezing import as_v1, freeze
from functions.capture.wire.poisons import spelled
from functions.capture.wire.salvage import Fragment

NOW = datetime(2025, 6, 15, 12, 0, 0, 123_456, UTC)
UUID7 = "0196a2b0-1111-7222-8333-444455556666"
PLAIN: dict[str, Any] = {"event": "a", "distinct_id": "x", "uuid": UUID7, "timestamp": "2025-06-15T11:00:00Z"}


def _frozen(event: object, **arrived: Any) -> Frozen:
    outcome = freeze(event, Arrived(**{"now": NOW, **arrived}))
    assert isinstance(outcome, Frozen), outcome
    assert (outcome.body["uuid"], outcome.body["event"]) == (outcome.uuid, outcome.name)
    assert outcome.body["distinct_id"] == outcome.distinct_id
    assert datetime.fromisoformat(outcome.body["timestamp"]) == outcome.at
    return outcome


def _poison(event: object, **arrived: Any) -> Poison:
    outcome = freeze(event, Arrived(**{"now": NOW, **arrived}))
    assert isinstance(outcome, Poison), outcome
    return outcome


def test_everything_is_decided_and_the_rest_is_as_it_came() -> None:
    event = {
        **PLAIN,
        "offset": None,
        "sent_at": "2025-06-15T11:00:01Z",
        "$set": {"plan": "pro"},
        "$set_once": {"first": 1},
        "type": "capture",
        "properties": {"amount": 1.0, "$snapshot_data": "\x1f\x8b\0", "$set": {"b": 2}},
    }
    before = json.dumps(event)
    frozen = _frozen(event, sent_at=NOW - timedelta(minutes=5), address="1.2.3.4")
    assert frozen.body == {
        "event": "a",
        "distinct_id": "x",
        "uuid": UUID7,
        "timestamp": "2025-06-15T11:05:00.000000Z",
        "$set": {"plan": "pro"},
        "$set_once": {"first": 1},
        "type": "capture",
        "properties": {"amount": 1.0, "$snapshot_data": "\x1f\x8b\0", "$set": {"b": 2}, "$ip": "1.2.3.4"},
    }
    assert json.dumps(event) == before
    assert frozen.changes == []


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        (UUID7, UUID7),
        (UUID7.upper(), UUID7),
        (UUID7.replace("-", ""), UUID7),
        ("{" + UUID7 + "}", UUID7),
        ("urn:uuid:" + UUID7, UUID7),
        ("0" * 32, "00000000-0000-0000-0000-000000000000"),
        (UUID7 + "\n", None),
        (UUID7[:-1], None),
        ("{" + UUID7, None),
        ("0196a2b01111-7222-8333-444455556666", None),
        ("none", None),
        (7, None),
        ([UUID7], None),
    ],
)
def test_a_uuid_is_kept_in_one_spelling(written: object, canonical: str | None) -> None:
    event = {**PLAIN, "uuid": written}
    if canonical is None:
        assert _poison(event).code == "missing_event_uuid"
    else:
        assert _frozen(event).uuid == canonical


@pytest.mark.parametrize("absent", [{}, {"uuid": ""}, {"uuid": None}])
def test_an_event_without_a_uuid_is_given_one_of_its_arrival(absent: dict[str, object]) -> None:
    event = {key: value for key, value in PLAIN.items() if key != "uuid"} | absent
    first, second = _frozen(event).uuid, _frozen(event).uuid
    assert first != second
    assert UUID(first).version == 7
    assert UUID(first).variant == UUID(second).variant == UUID(UUID7).variant
    assert UUID(first).int >> 80 == int(NOW.timestamp() * 1000)
    assert uuids.canonical(first) == first


@pytest.mark.parametrize(
    ("event", "distinct_id"),
    [
        ({"distinct_id": "x", "$distinct_id": "y", "properties": {"distinct_id": "z"}}, "x"),
        ({"$distinct_id": "y", "properties": {"distinct_id": "z"}}, "y"),
        ({"properties": {"distinct_id": "z"}}, "z"),
        ({"distinct_id": None, "properties": {"distinct_id": "z"}}, "z"),
        ({"distinct_id": "  ", "properties": {"distinct_id": "z"}}, "z"),
        ({"distinct_id": " x "}, " x "),
        ({"distinct_id": 12}, "12"),
        ({"distinct_id": 0}, "0"),
        ({"distinct_id": False}, "false"),
        ({"distinct_id": 1.5}, "1.5"),
        ({"distinct_id": {"a": ["ü", 1]}}, '{"a":["ü",1]}'),
        ({"distinct_id": []}, "[]"),
        ({"distinct_id": "a\0b"}, "a\ufffdb"),
        ({"distinct_id": "ü" * 201}, "ü" * 200),
        ({"distinct_id": "undefined"}, "undefined"),
        ({}, None),
        ({"distinct_id": "\n"}, None),
        ({"distinct_id": None, "properties": {"distinct_id": ""}}, None),
    ],
)
def test_whose_it_is_follows_posthogs_order(event: dict[str, Any], distinct_id: str | None) -> None:
    event = {"event": "a", **event}
    if distinct_id is None:
        assert _poison(event).detail == "event submitted without a distinct_id"
    else:
        assert _frozen(event).distinct_id == distinct_id


def test_a_name_is_demanded_except_by_engage() -> None:
    for name in ("", None):
        event = {**PLAIN, "event": name}
        assert _poison(event).detail == "event submitted with an empty event name"
        assert _frozen(event, fills_name=True).name == "$identify"
    assert _poison({**PLAIN, "event": 5}, fills_name=True).code == "missing_event_name"
    assert _frozen({**PLAIN, "event": "n" * 300}).name == "n" * 200


def test_the_address_is_added_only_where_there_is_none() -> None:
    assert _frozen(PLAIN, address="1.2.3.4").body["properties"] == {"$ip": "1.2.3.4"}
    assert _frozen({**PLAIN, "properties": {"$ip": None}}, address="1.2.3.4").body["properties"] == {"$ip": None}
    assert _frozen(PLAIN).body["properties"] == {}


def test_an_offset_is_used_up() -> None:
    frozen = _frozen({**PLAIN, "offset": 1500}, sent_at=NOW)
    assert frozen.at == NOW - timedelta(seconds=1.5)
    assert "offset" not in frozen.body


def test_the_senders_clock_is_believed_where_it_asks_for_it() -> None:
    event = {**PLAIN, "properties": {"$ignore_sent_at": True}}
    assert _frozen(event, sent_at=NOW - timedelta(hours=1)).body["timestamp"] == "2025-06-15T11:00:00.000000Z"


V1 = {
    **PLAIN,
    "session_id": "s1",
    "window_id": "w1",
    "options": {
        "process_person_profile": False,
        "cookieless_mode": True,
        "product_tour_id": "t1",
        "disable_skew_correction": True,
        "unheard_of": 1,
    },
    "properties": {"$set": {"plan": "pro"}, "$lib_version": "own"},
}


def test_v1_becomes_v0() -> None:
    frozen = _frozen(V1, protocol="v1", library=("posthog-go", "2.0"), sent_at=NOW - timedelta(hours=1))
    assert frozen.body == {
        **PLAIN,
        "timestamp": "2025-06-15T11:00:00.000000Z",
        "properties": {
            "$set": {"plan": "pro"},
            "$lib": "posthog-go",
            "$lib_version": "own",
            "$session_id": "s1",
            "$window_id": "w1",
            "$process_person_profile": False,
            "$cookieless_mode": True,
            "$product_tour_id": "t1",
            "$ignore_sent_at": True,
        },
    }


def test_a_frozen_event_goes_back_to_v1() -> None:
    back = as_v1(_frozen(V1, protocol="v1", library=("posthog-go", "2.0")))
    options = {key: value for key, value in V1["options"].items() if key != "unheard_of"}
    assert back == {
        **V1,
        "timestamp": "2025-06-15T11:00:00.000000Z",
        "options": options,
        "properties": {"$set": {"plan": "pro"}, "$lib": "posthog-go", "$lib_version": "own"},
    }
    from_v0 = as_v1(_frozen({**PLAIN, "api_key": "phc_x", "$set": {"a": 1}, "properties": {"$cookieless_mode": "no"}}))
    assert from_v0 == {
        **PLAIN,
        "timestamp": "2025-06-15T11:00:00.000000Z",
        "properties": {"$set": {"a": 1}, "$cookieless_mode": "no"},
        "options": {"disable_skew_correction": True},
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"event": ""}, "missing_event_name"),
        ({"event": "n" * 201}, "event_name_too_long"),
        ({"distinct_id": 7}, "missing_distinct_id"),
        ({"distinct_id": " "}, "missing_distinct_id"),
        ({"distinct_id": "x" * 201}, "distinct_id_too_large"),
        ({"distinct_id": "Undefined"}, "malformed_distinct_id"),
        ({"distinct_id": "[object Object]"}, "malformed_distinct_id"),
        ({"distinct_id": UUID(int=0).hex}, None),
        ({"distinct_id": str(UUID(int=0))}, "malformed_distinct_id"),
        ({"properties": []}, "malformed_event_properties"),
        ({"options": "none"}, "invalid_options"),
        ({"uuid": "1"}, "missing_event_uuid"),
        ({"timestamp": None}, None),
        ({"uuid": None}, None),
    ],
)
def test_v1_is_strict_about_names_and_ids(change: dict[str, object], code: str | None) -> None:
    outcome = freeze({**V1, **change}, Arrived(NOW, protocol="v1"))
    assert getattr(outcome, "code", None) == code


def _nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("properties", "detail"),
    [
        ({"x": float("nan")}, "failed to parse request: a number is NaN or infinite"),
        ({"x": [{"y": float("-inf")}]}, "failed to parse request: a number is NaN or infinite"),
        ({"x": "\ud83d"}, "failed to parse request: half a surrogate pair, or a value JSON lacks"),
        ({"\ud83d": 1}, "failed to parse request: half a surrogate pair, or a value JSON lacks"),
        (_nested(130), "failed to parse request: recursion limit exceeded"),
        (_nested(5_000), "failed to parse request: recursion limit exceeded"),
        ({"x": "x" * 1_000_000}, "maximum event size exceeded: the event is over 1,000,000 bytes"),
        ("text", "failed to parse request: the event's properties are not an object"),
    ],
)
def test_what_posthogs_reader_refuses_is_poison(properties: object, detail: str) -> None:
    poison = _poison({**PLAIN, "properties": properties})
    assert (poison.detail, poison.uuid, poison.name) == (detail, UUID7, "a")
    if "recursion" not in detail:
        assert repr(json.loads(poison.body)) == repr({**PLAIN, "properties": properties})
    else:
        assert poison.body.count(b"{") == poison.body.count(b"}") > 130


def test_a_hundred_levels_and_a_property_of_a_megabyte_of_replay_pass() -> None:
    _frozen({**PLAIN, "properties": _nested(100)})
    _frozen({**PLAIN, "properties": {"a": None, "f": 1.5, "big": "x" * 900_000}})
    _frozen({**PLAIN, "event": "$snapshot", "properties": {"$snapshot_data": "x" * 3_000_000}})
    _frozen({**PLAIN, "event": "$ai_generation", "properties": {"$ai_input": "x" * 3_000_000}})


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], 2**70, {"a": "\ud83d"}, _nested(300)])
def test_an_id_that_json_cannot_spell_is_poison(value: object) -> None:
    assert _poison({**PLAIN, "distinct_id": value}).code == "malformed_event_properties"


def test_the_deepest_event_a_batch_can_carry() -> None:
    # The event is the first level, its properties the second.
    assert _frozen({**PLAIN, "properties": _nested(124)}).name == "a"
    assert _poison({**PLAIN, "properties": _nested(125)}).detail == "failed to parse request: recursion limit exceeded"


@pytest.mark.parametrize("event", [None, 1, "x", [], [PLAIN], True, b"x", object()])
def test_what_is_no_object_is_no_event(event: object) -> None:
    assert _poison(event).code == "malformed_event"


def test_a_fragment_is_poison_as_it_came() -> None:
    poison = _poison(Fragment(b'{"event":tru', "Expecting value"))
    assert (poison.body, poison.code) == (b'{"event":tru', "unreadable")
    assert poison.detail == "failed to parse request: Expecting value"


def test_what_json_has_no_words_for_is_still_written() -> None:
    assert spelled({"a": [1, None, {"b": float("nan")}], "\ud83d": "\ud83d"}) == (
        rb'{"a":[1,null,{"b":NaN}],"\ud83d":"\ud83d"}'
    )
    assert spelled([2**70]) == str([2**70]).encode()
