"""A labelled table of texts: what the privacy guard must find, and what only looks like it."""

from __future__ import annotations

import time

import pytest

from functions.capture.guards.personal_data import found, hint_of, is_card
from tests.unit.capture.personal_texts import NEGATIVE, POSITIVE


def seen(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in found(text)]


def test_the_table_is_long_enough() -> None:
    assert len(POSITIVE) + len(NEGATIVE) >= 150
    assert len({text for text, _ in POSITIVE} | set(NEGATIVE)) == len(POSITIVE) + len(NEGATIVE)


@pytest.mark.parametrize(("text", "wanted"), POSITIVE)
def test_personal_data_is_found_to_the_letter(text: str, wanted: list[tuple[str, str]]) -> None:
    assert seen(text) == wanted


@pytest.mark.parametrize(("text", "wanted"), POSITIVE)
def test_personal_data_is_found_inside_a_sentence(text: str, wanted: list[tuple[str, str]]) -> None:
    assert seen(f"note from today: {text} (as said)") == wanted


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_like_personal_data_is_left(text: str) -> None:
    assert seen(text) == []


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("phone", "4155552671", "phone"),
        ("phoneNumber", "02079460958", "phone"),
        ("customer_mobile", "0171-1234567", "phone"),
        ("phone", "not given", None),
        ("iphone_serial", "4155552671", None),
        ("mobile_revenue", "4155552671", None),
        ("phone_id", "4155552671", None),
        ("app_version", "1.2.3.4", None),
        ("$browser_version", "120.0.0.0", None),
        ("firmware", "10.11.12.13", None),
        ("client", "10.11.12.13", "ip"),
        ("version_note", "ask jane@example.com", "email"),
        ("password", "hunter2", "secret"),
        ("clientSecret", "abcdefgh", "secret"),
        ("authorization", "Bearer abcdefgh", "secret"),
        ("password", "[REDACTED]", None),
        ("password", "********", None),
        ("password", "must be changed", None),
        ("password_strength", "strong", None),
        ("api_key", "phc_abcdef0123456789", None),
    ],
)
def test_a_propertys_name_is_heard(name: str, text: str, kind: str | None) -> None:
    assert [each.kind for each in found(text, hint_of(name))] == ([] if kind is None else [kind])


@pytest.mark.parametrize("number", [4111111111111111, 378282246310005, 6011111111111117])
def test_numbers_of_cards_are_recognised(number: int) -> None:
    assert is_card(number)


@pytest.mark.parametrize("number", [0, -4111111111111111, 1763652600123, 1763652600123456, 4111111111111112, 2**63])
def test_other_numbers_are_not(number: int) -> None:
    assert not is_card(number)


@pytest.mark.parametrize(
    "letter", ["a", "0", "@", "%40", "=", ".", ":", "+", "DE89 ", "eyJ", "-", "1.", "://a:", "0 12"]
)
def test_a_megabyte_of_one_letter_is_walked_through_in_seconds(letter: str) -> None:
    text = letter * (1_000_000 // len(letter))
    began = time.perf_counter()
    found(text)
    assert time.perf_counter() - began < 10
