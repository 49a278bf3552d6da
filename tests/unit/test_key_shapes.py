"""What is cut from a text because it looks like a key, and what never is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.key_shapes import without_keys

KEY = "phx_4bcdEFghijklmnopqrstuvwxyz0123456789ABCDEFG"
SECRET = "s3cretS3cret"
KEYS = {
    KEY: "phx_…",
    "phr_" + "a" * 30: "phr_…",
    "phe_" + "b" * 30: "phe_…",
    "hdg_abcdefgh": "hdg_…",
    "xapp-1-A0-77-abcdef": "xapp-…",
    "xoxe.xoxp-1-abcdefgh": "xoxe.xoxp-…",
    "whsec_ab+c/def%2Bxyz%3D": "whsec_…",
    "eyJhbGciOiJ9.eyJlbWFpbCI.c2ln": "eyJ…",
    "ya29.a0AfH6SMBx": "ya29.…",
}
ADDRESSES = {
    f"https://hooks.slack.com/services/T000/B000/{SECRET}": "https://hooks.slack.com/services/…",
    f"https%3A%2F%2Fhooks.slack.com%2Fservices%2FT0%2FB0%2F{SECRET}": "https%3A%2F%2Fhooks.slack.com%2Fservices%2F…",
    f"https:\\/\\/hooks.slack.com\\/services\\/T0\\/B0\\/{SECRET}": "https:\\/\\/hooks.slack.com\\/services\\/…",
    f"https://discord.com/api/v10/webhooks/123/{SECRET}": "https://discord.com/api/v10/webhooks/…",
    f"https://acme.webhook.office.com/webhookb2/1@2/x/{SECRET}": "https://acme.webhook.office.com/webhookb2/…",
    f"https://prod-1.logic.azure.com/workflows/1/run?sp=%2Fx&sig={SECRET}": (
        "https://prod-1.logic.azure.com/workflows/1/run?sp=%2Fx&sig=…"
    ),
    f"https://chat.googleapis.com/v1/spaces/A/messages?key={SECRET}&token={SECRET}": (
        "https://chat.googleapis.com/v1/spaces/A/messages?key=…&token=…"
    ),
    f"https://ada:{SECRET}@posthog.test/x": "https://…@posthog.test/x",
    f"https%3A%2F%2Fada%3A{SECRET}%40posthog.test": "https%3A%2F%2F…%40posthog.test",
    f"Authorization: Basic {SECRET}": "Authorization: Basic …",
    f"Bearer {SECRET}{SECRET}": "Bearer …",
}
ORDINARY = (
    "alpha_version graphs_rendered paragraphs_removed: 12",
    "alpha_internationalization of graphs_and_photographs",
    "The keyJoinedRows.first_name of heyJude12.and_others",
    "SELECT count() FROM events WHERE event = 'graphs_total_count'",
    "bearer authentication is asked for; see https://example.com/a?cursor=abcdefgh&code_of=conduct",
    "https://example.com:8080/x?y=a@b and ada@example.com, at 12:30@noon",
    "discord.com/channels and hooks.slack.com are hosts; xapp-frontend is a name",
    "con_0123456789abcdef01234567 run_0123456789abcdef01234567 2026-11-20T15:30:00Z",
    "phx_… and hdg_… were cut before",
)
LEADS = ("", " ", "key=", "key_", "%3D", "api_key%3D", "token%22%3A%22", "\\n", "a\\u0022", "\\x3d", "(", '"', "'", "é")


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_cut_whatever_stands_before_it(lead: str, key: str) -> None:
    assert without_keys(f"{lead}{key} end") == f"{lead}{KEYS[key]} end"


def test_a_key_as_long_as_posthogs_is_cut_in_the_middle_of_a_word() -> None:
    assert without_keys(f"x{KEY}") == "xphx_…"


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_and_headers_that_hold_a_secret_lose_it(address: str) -> None:
    assert without_keys(f"at {address} end") == f"at {ADDRESSES[address]} end"


def test_a_private_key_is_cut_to_its_first_line() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkq\n-----END PRIVATE KEY-----\n"
    assert without_keys(pem) == "-----BEGIN PRIVATE KEY-----…-----END PRIVATE KEY-----\n"
    cut = json.loads(without_keys(json.dumps({"private_key": pem, "id": 1})))
    assert cut == {"private_key": "-----BEGIN PRIVATE KEY-----…-----END PRIVATE KEY-----\n", "id": 1}


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert without_keys(text) == text


def test_what_operators_read_about_the_log_stays_as_it_is() -> None:
    root = Path(__file__).parents[2]
    for page in ("docs/traps.md", "docs/glossary.md", "docs/metrics.md", "docs/alerts.md", "CHANGELOG.md", "LICENSE"):
        text = (root / page).read_text(encoding="utf-8")
        assert without_keys(text) == text, page


SHAPED = st.sampled_from(
    [*KEYS, *ADDRESSES, *ORDINARY, *LEADS, "://", "@", "?sig=", "\\", '"', "\n", "%2F", "-----BEGIN PRIVATE KEY-----"]
)


@given(st.lists(st.one_of(SHAPED, st.text(max_size=8)), max_size=8))
def test_json_that_is_cut_is_json_still(parts: list[str]) -> None:
    text = "".join(parts)
    for written in (json.dumps({text: [text]}), json.dumps({"in": json.dumps({"a": text})}, ensure_ascii=False)):
        json.loads(without_keys(written))


@given(st.text(max_size=40), st.sampled_from([" ", ", ", "%20", "\n", '"', "/", "_"]), st.text(max_size=40))
def test_no_text_around_it_hides_a_key(before: str, lead: str, after: str) -> None:
    assert KEY[4:20] not in without_keys(f"{before}{lead}{KEY} {after}")


@pytest.mark.parametrize(
    "part",
    ["phx_ ", "a:b@", "://a:b", "?key=", "://", ":", "whsec_", "AIza", "eyJaaaaaa", "%3F", "Authorization: Bearer "],
)
def test_no_text_takes_long(part: str) -> None:
    text = "://" + part * (200_000 // len(part)) + "@="
    began = time.perf_counter()
    without_keys(text)
    assert time.perf_counter() - began < 1
