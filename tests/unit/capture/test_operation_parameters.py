"""Every parameter of the five operations: both spellings, what is refused, and the event each makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.events import Arrived, Frozen
from functions.capture.operating.operation_forms import FORMS, Wire
from functions.capture.operating.operation_reading import ParameterError, instant_of, read
from functions.capture.wire.freezing import freeze
from hedgerow.errors import MalformedError
from tests.unit.capture.operation_tables import FULL, MADE, REQUIRED, URL

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
PARAMETERS = [(operation, name) for operation, body in FULL.items() for name in body]


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def wire(operation: str, body: object) -> Wire:
    return read(operation, json.dumps(body).encode()).wire()


def refusal(operation: str, body: object) -> str:
    with pytest.raises(ParameterError) as caught:
        wire(operation, body)
    return caught.value.detail


@pytest.mark.parametrize("operation", FORMS)
def test_every_parameter_in_either_spelling_makes_the_same_event(operation: str) -> None:
    body = FULL[operation]
    snakes = {snake(name): value for name, value in body.items()}
    assert wire(operation, body) == wire(operation, snakes) == wire(operation, snakes | body) == MADE[operation]


@pytest.mark.parametrize(("operation", "name"), PARAMETERS)
def test_a_parameter_given_twice_must_say_the_same(operation: str, name: str) -> None:
    other = {"odd": 1} if isinstance(FULL[operation][name], dict) else "https://other.example.com/"
    message = refusal(operation, FULL[operation] | {snake(name): other})
    assert f"`{name}`" in message
    assert f"`{snake(name)}`" in message


@pytest.mark.parametrize(("operation", "name"), PARAMETERS)
@pytest.mark.parametrize("value", [7, 1.5, True, [], "a word", {}])
def test_a_parameter_of_another_type_is_named_as_it_was_written(operation: str, name: str, value: object) -> None:
    right = FULL[operation][name]
    if isinstance(value, type(right)):
        return
    for spelt in (name, snake(name)):
        body = {key: each for key, each in FULL[operation].items() if key != name} | {spelt: value}
        assert f"`{spelt}` must be" in refusal(operation, body)


@pytest.mark.parametrize(("operation", "name"), PARAMETERS)
@pytest.mark.parametrize("value", [None, "", "  \t", ...])
def test_what_is_required_is_missed_and_what_is_optional_is_not(operation: str, name: str, value: object) -> None:
    body = {key: each for key, each in FULL[operation].items() if key != name}
    if value is not ...:
        body[name] = value
    if name in REQUIRED[operation]:
        said = refusal(operation, body)
        assert f"`{name}` is " in said
        assert "missing" in said or "blank" in said
    elif not name.startswith("Properties") or value is None or value is ...:
        assert wire(operation, body) != MADE[operation]
    else:
        assert f"`{name}` must be an object" in refusal(operation, body)


@pytest.mark.parametrize("operation", FORMS)
def test_only_what_is_required_is_enough(operation: str) -> None:
    body = {name: FULL[operation][name] for name in REQUIRED[operation]}
    made = wire(operation, body)
    least: dict[str, dict[str, object]] = {
        "alias": dict(MADE["alias"].properties),
        "page": {"$current_url": URL, "$pathname": "/products/123", "title": "/products/123"},
        "screen": {"$screen_name": "Home Screen"},
    }
    assert made.properties == least.get(operation, {})


@pytest.mark.parametrize("operation", FORMS)
def test_unknown_parameters_are_named_all_at_once_with_the_one_meant(operation: str) -> None:
    said = refusal(operation, FULL[operation] | {"distinctId": "u1", "Zzz": 1})
    assert "`distinctId` is no parameter" in said
    assert "did you mean `DistinctId`?" in said
    assert "`Zzz` is no parameter of this operation" in said


def test_missing_parameters_are_named_as_the_caller_writes() -> None:
    assert refusal("event", {}) == "`DistinctId` is missing; `EventName` is missing."
    assert refusal("event", {"event_name": "x"}) == "`distinct_id` is missing."


@pytest.mark.parametrize("operation", ["event", "page", "screen"])
@pytest.mark.parametrize("value", [{"a": 1}, [], {}, [1]])
def test_properties_hold_no_structures(operation: str, value: object) -> None:
    said = refusal(operation, FULL[operation] | {"Properties": {"fine": None, "items": value}})
    assert "`Properties.items` must be text, a number, true, false or null" in said


@pytest.mark.parametrize("operation", ["event", "page", "screen"])
def test_properties_hold_text_numbers_booleans_and_null(operation: str) -> None:
    properties = {"text": "t", "whole": 3, "part": 0.5, "yes": True, "nothing": None, "": "unnamed"}
    made = wire(operation, FULL[operation] | {"Properties": properties})
    assert properties.items() <= made.properties.items()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("operation", ["event", "page", "screen"])
def test_numbers_that_are_none_are_named(operation: str, number: str) -> None:
    body = json.dumps(FULL[operation] | {"Properties": {"amount": "HERE"}}).replace('"HERE"', number)
    with pytest.raises(ParameterError, match=r"`Properties\.amount` is NaN or infinite"):
        read(operation, body.encode())


def test_numbers_that_are_none_are_named_at_any_depth_of_a_person() -> None:
    body = b'{"DistinctId": "u1", "PropertiesSetOnce": {"a": [1, {"b": NaN}]}}'
    with pytest.raises(ParameterError, match=r"`PropertiesSetOnce\.a\.1\.b` is NaN"):
        read("identity", body)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (rb'{"DistinctId": "u\ud800", "EventName": "x"}', "DistinctId"),
        (rb'{"DistinctId": "u", "EventName": "x", "Properties": {"a": "\udfff"}}', "Properties.a"),
        (rb'{"DistinctId": "u", "EventName": "x", "Properties": {"\ud800": 1}}', "Properties"),
    ],
)
def test_halves_of_characters_are_named(body: bytes, named: str) -> None:
    with pytest.raises(ParameterError, match=rf"`{named}` holds half a character"):
        read("event", body)


def test_a_person_nested_beyond_reason_is_refused() -> None:
    inner: object = 1
    for _ in range(102):
        inner = [inner]
    assert "nested more than" in refusal("identity", {"DistinctId": "u", "PropertiesSet": {"a": inner}})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"nonsense", b'{"a":1}x', b"[" * 5000, b"[]", b'"x"', b"null"]
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read("event", body)


@pytest.mark.parametrize(
    "url", ["mysite.com/home", "/home", "//mysite.com", "https:mysite", "https://", "javascript:1"]
)
def test_a_page_without_its_protocol_is_refused(url: str) -> None:
    assert "protocol" in refusal("page", {"DistinctId": "u", "PageUrl": url})


@pytest.mark.parametrize(
    ("url", "path"), [("https://a.example", "/"), ("http://a.example/x/?q=/y#/z", "/x/"), ("app://home/tab", "/tab")]
)
def test_the_title_of_a_page_is_its_path_unless_named(url: str, path: str) -> None:
    made = wire("page", {"DistinctId": "u", "PageUrl": url}).properties
    assert (made["$pathname"], made["title"]) == (path, path)
    named = wire("page", {"DistinctId": "u", "PageUrl": url, "Properties": {"title": "Home"}}).properties
    assert (named["$pathname"], named["title"]) == (path, "Home")


def test_an_unreadable_host_is_no_url() -> None:
    assert "no URL" in refusal("page", {"DistinctId": "u", "PageUrl": "https://[::1"})


@pytest.mark.parametrize("key", ["referrer", "$referrer"])
def test_the_referrer_may_stand_among_the_properties(key: str) -> None:
    body = {"DistinctId": "u", "PageUrl": URL, "Properties": {key: "https://facebook.com"}}
    assert wire("page", body).properties["$referrer"] == "https://facebook.com"
    assert wire("page", body | {"Referrer": "https://google.com"}).properties["$referrer"] == "https://google.com"
    assert "referrer" not in wire("page", body).properties


@pytest.mark.parametrize("key", ["screen_category", "app_version", "device_type"])
def test_options_of_a_screen_may_stand_among_the_properties(key: str) -> None:
    made = wire("screen", {"DistinctId": "u", "ScreenViewName": "Home", "Properties": {key: "inside"}})
    assert made.properties[key] == "inside"


@pytest.mark.parametrize("name", ["DistinctId", "Alias"])
@pytest.mark.parametrize("id", ["undefined", "NULL".lower(), "0", "Guest", "[object Object]", '"id"', "' '", "NaN"])
def test_ids_that_posthog_merges_with_nobody_are_refused(name: str, id: str) -> None:
    assert f"`{name}` is" in refusal("alias", FULL["alias"] | {name: id})
    assert wire("event", FULL["event"] | {"DistinctId": id}).distinct_id == id


@pytest.mark.parametrize(("operation", "name"), [("event", "DistinctId"), ("event", "EventName"), ("alias", "Alias")])
def test_what_posthog_would_cut_or_change_is_refused(operation: str, name: str) -> None:
    assert "longer than 200" in refusal(operation, FULL[operation] | {name: "x" * 201})
    assert "NUL" in refusal(operation, FULL[operation] | {name: "a\0b"})
    wire(operation, FULL[operation] | {name: "x" * 200})


@pytest.mark.parametrize("operation", ["event", "page", "screen"])
def test_a_timestamp_leaves_the_properties(operation: str) -> None:
    made = wire(operation, FULL[operation] | {"Properties": {"timestamp": 1704096000000, "kept": 1}})
    assert made.timestamp == 1704096000000
    assert "timestamp" not in made.properties
    assert instant_of(made.timestamp, NOW) == datetime(2024, 1, 1, 8, tzinfo=UTC)


def test_a_timestamp_of_a_person_is_a_property_like_any_other() -> None:
    made = wire("identity", {"DistinctId": "u", "PropertiesSet": {"timestamp": 1}})
    assert (made.timestamp, made.properties) == (None, {"$set": {"timestamp": 1}})


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_whatever_is_sent_is_an_event_or_a_reason(data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(sorted(FORMS)))
    names = [spelt for name in FULL[operation] for spelt in (name, snake(name))]
    body = data.draw(st.dictionaries(st.sampled_from(names) | st.text(max_size=10), WILD | st.just("u1"), max_size=6))
    try:
        made = wire(operation, body)
    except ParameterError as error:
        said = error.detail
    else:
        said = ""
        json.dumps(made.properties, allow_nan=False).encode()
        flat = not any(isinstance(value, dict | list) for value in made.properties.values())
        assert flat or operation == "identity"
        assert made.distinct_id.strip()
        event = {"event": made.name, "distinct_id": made.distinct_id, "properties": made.properties}
        assert isinstance(freeze(event, Arrived(NOW)), Frozen)
    assert said == "" or said.endswith(".")
    assert len(said) < 5_000
