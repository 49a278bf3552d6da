"""Catalogues as people write them: what is refused, in which words, and that nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.catalogue import catalog, catalog_shape
from hedgerow.errors import HedgerowError, InvalidError, OversizedError


def event(**properties: Any) -> dict[str, Any]:
    return {"version": 1, "events": [{"name": "cart.paid", "properties": properties}]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "`catalog` is no JSON object"),
        ({}, "`events` is missing"),
        ({"events": [], "polisy": 1}, "`polisy` is no word of a catalogue"),
        ({"events": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, "`events` names a twice"),
        ({"events": [{"name": "a", "policy": "drop"}]}, "`events.0.policy` cannot be used"),
        ({"events": [{"name": ""}]}, "`events.0.name` cannot be used"),
        ({"events": [{"name": " a"}]}, "begins or ends with a space"),
        ({"events": [{"name": "a\nb"}]}, "control character"),
        ({"events": [{"name": "a", "description": "\ud800"}]}, "holds half a character"),
        ({"events": [{"name": str(number)} for number in range(501)]}, "`events` cannot be used"),
        ({"events": [], "version": 0}, "`version` cannot be used"),
        (event(method={"type": "text"}), "`events.0.properties.method.type` cannot be used"),
        (event(method={"enum": []}), "`events.0.properties.method.enum` cannot be used"),
        (event(method={"enum": [[1]]}), "enum.0` is neither text, nor a number, nor true or false"),
        (event(method={"type": "string", "enum": ["card", 1]}), "is of type string, and its enum names a value"),
        (event(method={"type": "integer", "enum": [True]}), "is of type integer, and its enum names a value"),
        (event(method={"enum": ["card", "card"]}), "names a value of its enum twice"),
        (event(method={"enum": [1, 1.0]}), "names a value of its enum twice"),
        (event(method={"enum": [float("inf")]}), "names a value that is no number"),
        (event(enum={"type": "text"}), "`events.0.properties.enum.type` cannot be used"),
        (event(**{"$hedgerow_violations": {}}), "is the property Hedgerow writes itself"),
    ],
)
def test_a_bad_catalogue_is_refused_in_words_that_name_the_place(document: object, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        catalog_shape.read(document)
    assert said in refused.value.detail
    assert refused.value.code == "catalog_invalid"


def test_a_catalogue_that_no_record_could_hold_is_refused() -> None:
    events = [{"name": f"event {number}", "description": "ü" * 1_000} for number in range(500)]
    with pytest.raises(OversizedError):
        catalog_shape.read({"events": events})


def test_a_key_pasted_into_a_name_is_not_repeated() -> None:
    with pytest.raises(InvalidError) as refused:
        catalog_shape.read({"events": [], "phx_0123456789abcdef": 1})
    assert "0123456789abcdef" not in refused.value.detail


def test_one_true_and_the_text_1_are_three_values() -> None:
    form = catalog_shape.read(event(method={"enum": [1, True, "1", 2.5]}))
    assert [(type(value), value) for value in form.events[0].properties["method"].enum or ()] == [
        (int, 1),
        (bool, True),
        (str, "1"),
        (float, 2.5),
    ]


def test_the_shipped_catalogue_reads_back_as_it_was_written() -> None:
    document = catalog_shape.document_of(catalog.shipped())
    assert catalog_shape.rules_of(catalog_shape.read(document)) == catalog.shipped()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["events", "name", "properties", "enum", "type", "version", "policy"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON, st.lists(JSON, max_size=2))
def test_any_json_is_a_catalogue_or_a_refusal(document: object, events: list[object]) -> None:
    for each in (document, {"events": events}, {"events": [{"name": "a", "properties": {"b": document}}]}):
        try:
            form = catalog_shape.read(each)
        except HedgerowError:
            continue
        rules = catalog_shape.rules_of(form)
        assert catalog_shape.rules_of(catalog_shape.read(catalog_shape.document_of(rules))) == rules
        assert type(rules).model_validate_json(rules.model_dump_json()) == rules
