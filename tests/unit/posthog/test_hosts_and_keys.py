"""What people paste as host and key is read as they meant it, or refused with what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.errors import InvalidError
from hedgerow.posthog import keys
from hedgerow.posthog.hosts import Clouds, ingestion_of, read, read_ingestion

US, EU = "https://us.posthog.com", "https://eu.posthog.com"
CLOUDS = Clouds(US, EU)


@pytest.mark.parametrize(
    ("given", "origin", "mended"),
    [
        ("https://us.posthog.com", US, 0),
        (" https://US.PostHog.com/ ", US, 0),
        ("us.posthog.com", US, 1),
        ("http://us.posthog.com", US, 0),
        ("https://app.posthog.com", US, 1),
        ("https://us.i.posthog.com", US, 1),
        ("https://us-assets.i.posthog.com/static/array.js", US, 2),
        ("https://t.posthog.com", US, 1),
        ("posthog.com", US, 2),
        ("https://eu.posthog.com/project/77/insights?x=1#y", EU, 1),
        ("https://eu.i.posthog.com/i/v0/e/", EU, 2),
        ("https://posthog.example.com:443/login", "https://posthog.example.com", 1),
        ("http://posthog.example.com:80", "http://posthog.example.com", 0),
        ("posthog.example.com:8443", "https://posthog.example.com:8443", 1),
        ("https://bücher.example", "https://xn--bcher-kva.example", 0),
        ("https://[0:0:0:0:0:0:0:1]:8000/", "https://[::1]:8000", 0),
        ("http://localhost:8000", "http://localhost:8000", 0),
        ("https://posthog.example.com.", "https://posthog.example.com", 0),
    ],
)
def test_an_address_is_read_as_it_was_meant(given: str, origin: str, mended: int) -> None:
    host = read(given, CLOUDS)
    assert host.origin == origin
    assert len(host.mended) == mended
    assert read(host.origin, CLOUDS).origin == origin


@pytest.mark.parametrize(
    "given",
    [
        "", " ", "https://", "ftp://us.posthog.com", "javascript:alert(1)", "https://me:secret@us.posthog.com",
        "https://me@us.posthog.com", "a b", "https://x:99999", "https://0177.0.0.1", "https://1.2.3", "//evil.example",
        "https://[::1", "https://[fe80::1%25lo]", "https://a..b", "https://-a-/".replace("-a-", "ä" * 300), "\ud800",
        "phc_0123456789abcdef", " phx_0123456789abcdef", "https://exa mple.com", "https://ex\x00.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_an_echo(given: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read(given, CLOUDS)
    assert refused.value.code == "host_invalid"
    assert "secret" not in refused.value.detail
    assert "0123456789" not in refused.value.detail


@given(st.text(max_size=80))
def test_any_text_is_an_origin_or_a_refusal(text: str) -> None:
    try:
        host = read(text, CLOUDS)
    except InvalidError:
        return
    assert host.origin.startswith(("https://", "http://"))
    assert host.origin.count("/") == 2
    assert read(host.origin, CLOUDS).origin == host.origin
    read_ingestion(host.origin)


def test_the_project_in_a_path_is_found() -> None:
    assert read("https://us.posthog.com/project/77/insights", CLOUDS).project_id == "77"
    assert read("https://us.posthog.com/project/new", CLOUDS).project_id is None


def test_events_of_the_clouds_go_to_hosts_of_their_own() -> None:
    assert ingestion_of(US) == "https://us.i.posthog.com"
    assert ingestion_of(EU) == "https://eu.i.posthog.com"
    assert ingestion_of("https://posthog.example.com") == "https://posthog.example.com"
    assert (CLOUDS.other(US), CLOUDS.other(EU), CLOUDS.other("https://x")) == (EU, US, None)


@pytest.mark.parametrize("key", ["phx_0123456789abcdef", "0123456789abcdef0123", "phx_!~"])
def test_personal_keys_old_ones_too_are_let_through(key: str) -> None:
    trouble = keys.trouble_of_personal_key(key)
    assert trouble is None or (len(key) < 8 and trouble.code == "key_malformed")


@pytest.mark.parametrize("token", ["phc_0123456789abcdef", "0123456789abcdef0123"])
def test_project_tokens_old_ones_too_are_let_through(token: str) -> None:
    assert keys.trouble_of_project_token(token) is None


@given(st.text("0123456789", min_size=8, max_size=300))
def test_no_trouble_ever_shows_the_key(key: str) -> None:
    for trouble in (keys.trouble_of_personal_key("phc_" + key), keys.trouble_of_project_token("phx_" + key)):
        assert trouble is not None
        assert key not in trouble.detail + trouble.hint
