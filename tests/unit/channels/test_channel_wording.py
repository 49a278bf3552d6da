from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.channels.notice import Notice
from hedgerow.channels.wording import (
    DEFUSED,
    ENTITIES,
    Escapes,
    clean,
    fitted,
    headline,
    identity,
    manner,
    sentence,
    size,
    web_address,
)
from tests.unit.channels.notices import AT, moods, texts

escapes = st.sampled_from([DEFUSED, ENTITIES, {ord("*"): "\\*"}])


@given(texts, st.integers(min_value=12, max_value=500), escapes)
def test_a_fitted_text_fits_and_says_so_when_it_was_cut(text: str, limit: int, table: Escapes) -> None:
    told = fitted(text, limit, table)
    whole = clean(text).translate(table)
    assert 0 < size(told) <= limit
    assert told == whole or (told.endswith("…") and whole.startswith(told[:-1]))
    assert told.encode()


def test_a_text_is_cut_between_words() -> None:
    assert fitted("payment failure rate", 16) == "payment failure…"
    assert fitted("payment failure rate", 15) == "payment…"
    assert fitted("payment failure rate", 20) == "payment failure rate"


def test_a_single_long_name_is_cut_where_the_room_ends() -> None:
    assert fitted("x" * 30, 10) == "x" * 9 + "…"


def test_an_escape_is_never_cut_in_half() -> None:
    assert fitted("a<<<<<<", 12, ENTITIES) == "a&lt;&lt;…"


def test_direction_marks_controls_and_half_surrogates_go() -> None:
    assert clean("a\u202eb\u200b\x00c\nd\ud800") == "ab c d\ufffd"
    assert clean("👩\u200d💻") == "👩\u200d💻"
    assert clean(" \n\u200f") == "—"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "https://", "http://[::1", "", "ftp://host/x"]
)
def test_what_is_no_web_address_is_none(url: str) -> None:
    assert web_address(url, 3_000) is None


def test_an_address_holds_nothing_that_ends_a_link() -> None:
    assert web_address('https://h.example/a)b">c d|e\n', 100) == "https://h.example/a%29b%22%3Ec%20d%7Ce"
    assert web_address("https://h.example/" + "x" * 100, 100) is None


def test_every_mood_and_severity_is_told_by_a_word_and_a_symbol() -> None:
    looks = {
        (mood, severity): manner(Notice("k", mood, severity, "t", AT))
        for mood in moods
        for severity in ("info", "warning", "critical")
    }
    assert len({look.word for look in looks.values()}) == len(moods)
    assert headline(Notice("k", "worse", "warning", "t", AT)) == "🟠 Worse · warning"
    assert sentence(Notice("k", "resolved", "critical", "Back to 2.9 %", AT)) == "✅ Resolved: Back to 2.9 %"


@given(st.text(), st.text())
def test_identities_fit_a_header_and_stay_apart(one: str, other: str) -> None:
    assert identity(one).isascii()
    assert identity(one).replace("_", "").replace("-", "").isalnum() or set(identity(one)) <= set("_-")
    assert len(identity(one)) <= 64
    assert (identity(one) == identity(other)) == (one.encode(errors="replace") == other.encode(errors="replace"))
