"""What a request asks for, which token it names, and when two of them ask the same."""

from __future__ import annotations

import gzip
from base64 import b64encode
from urllib.parse import quote

import pytest

from functions.capture.through.asking import Asked, is_plain, kind_of, question_of, token_of

BODY = b'{"token":"phc_body","distinct_id":"u1"}'


def asked(target: str, body: bytes = b"", method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Asked:
    path, _, query = target.partition("?")
    return Asked(method, path, query.encode(), list(headers), body, None)


@pytest.mark.parametrize(
    ("method", "target", "kind"),
    [
        ("POST", "/flags", "flags"),
        ("POST", "/flags/?v=4", "flags"),
        ("POST", "/decide?v=3", "flags"),
        ("GET", "/flags/definitions?token=phc_a&send_cohorts", "definitions"),
        ("GET", "/flags/definitions/", "definitions"),
        ("GET", "/api/feature_flag/local_evaluation/?token=phc_a", "definitions"),
        ("GET", "/array/phc_a/config", "config"),
        ("GET", "/array/phc_a/config.js", "config"),
        ("GET", "/array/phc_a/array.js", "config"),
        ("GET", "/api/surveys/?token=phc_a", "lists"),
        ("GET", "/api/web_experiments", "lists"),
        ("GET", "/api/early_access_features/", "lists"),
        ("GET", "/static/1.2.3/recorder.js", "static"),
        ("GET", "/api/projects/@current/feature_flags/a-flag/remote_config?token=phc_a", "payload"),
        ("POST", "/i/v1/logs", "other"),
        ("GET", "/flags", "other"),
        ("HEAD", "/static/array.js", "other"),
        ("POST", "/api/projects/@current/messaging/send/email/", "other"),
        ("GET", "/flagship", "other"),
    ],
)
def test_what_a_request_asks_for(method: str, target: str, kind: str) -> None:
    assert kind_of(asked(target, method=method)) == kind


JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"application/x-www-form-urlencoded")
PLAIN = (b"content-type", b"text/plain")
GZIP = (b"content-encoding", b"gzip")


@pytest.mark.parametrize(
    ("request_", "token"),
    [
        (asked("/flags?v=2", BODY, "POST", (JSON,)), "phc_body"),
        (asked("/flags/?v=2", BODY.replace(b'"token"', b'"api_key"'), "POST"), "phc_body"),
        (asked("/flags", BODY.replace(b'"token"', b'"$token"'), "POST"), "phc_body"),
        (asked("/flags", gzip.compress(BODY, mtime=0), "POST", (PLAIN,)), "phc_body"),
        (asked("/flags", gzip.compress(BODY, mtime=0), "POST", (JSON, GZIP)), "phc_body"),
        (asked("/flags?compression=base64", b"data=" + quote(b64encode(BODY)).encode(), "POST", (FORM,)), "phc_body"),
        (asked("/decide/?v=3", b"data=" + quote(b64encode(BODY)).encode(), "POST", (FORM,)), "phc_body"),
        (asked("/flags?token=phc_query", BODY, "POST"), "phc_query"),
        (asked("/api/surveys?api_key=phc_query"), "phc_query"),
        (asked("/array/phc_path/config.js"), "phc_path"),
        (asked("/array/phc_path/"), "phc_path"),
        (asked("/i/v1/logs", BODY, "POST", ((b"authorization", b"Bearer phc_bearer"),)), "phc_bearer"),
        (asked("/flags/definitions", headers=((b"authorization", b"Bearer phx_personal"),)), None),
        (asked("/i/v1/logs", BODY, "POST"), None),
        (asked("/flags", b"[1]", "POST"), None),
        (asked("/flags", b'{"token":7}', "POST"), None),
        (asked("/flags", b"\x1f\x8b broken", "POST"), None),
        (asked("/flags", b"", "POST"), None),
        (asked("/static/array.js"), None),
    ],
)
def test_the_token_of_a_request(request_: Asked, token: str | None) -> None:
    assert token_of(request_) == token


def _key(request_: Asked, upstream: str = "https://eu.i.posthog.com") -> str | None:
    return question_of(request_, kind_of(request_), upstream)


SAME = [
    (asked("/flags?v=2", BODY, "POST"), asked("/flags/?v=2&_=1700&ver=1.2&ip=1&compression=gzip-js", BODY, "POST")),
    (asked("/flags", BODY, "POST"), asked("/flags", b'{"sent_at":"x","distinct_id":"u1","token":"phc_body"}', "POST")),
    (asked("/flags", BODY, "POST"), asked("/flags", gzip.compress(BODY, mtime=0), "POST")),
    (
        asked("/flags", BODY, "POST", ((b"user-agent", b"Mozilla/5.0 (X11)"),)),
        asked("/flags", BODY, "POST", ((b"user-agent", b"Mozilla/5.0 (Windows)"),)),
    ),
    (asked("/api/surveys/?token=a&_=1"), asked("/api/surveys?_=2&token=a")),
    (asked("/api/surveys/?token=a"), asked("/api/surveys/?token=a", headers=((b"origin", b"https://a.example"),))),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_question(one: Asked, other: Asked) -> None:
    assert _key(one) is not None
    assert _key(one) == _key(other)


DIFFERENT = [
    (asked("/flags?v=2", BODY, "POST"), asked("/flags?v=1", BODY, "POST")),
    (asked("/flags?v=2", BODY, "POST"), asked("/decide?v=2", BODY, "POST")),
    (asked("/flags", BODY, "POST"), asked("/flags?config=true", BODY, "POST")),
    (asked("/flags", BODY, "POST"), asked("/flags", BODY.replace(b"u1", b"u2"), "POST")),
    (asked("/flags", BODY, "POST"), asked("/flags", BODY, "POST", ((b"user-agent", b"posthog-node/5"),))),
    (asked("/flags", BODY, "POST"), asked("/flags", BODY, "POST", ((b"origin", b"https://a.example"),))),
    (
        asked("/flags?config=true", BODY, "POST", ((b"origin", b"https://a.example"),)),
        asked("/flags?config=true", BODY, "POST", ((b"origin", b"https://b.example"),)),
    ),
    (asked("/array/a/config"), asked("/array/b/config")),
    (asked("/array/a/config"), asked("/array/a/config", headers=((b"origin", b"https://a.example"),))),
    (asked("/api/surveys?token=a"), asked("/api/surveys?token=b")),
    (
        asked("/flags/definitions?token=a", headers=((b"authorization", b"Bearer one"),)),
        asked("/flags/definitions?token=a", headers=((b"authorization", b"Bearer two"),)),
    ),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_different_question(one: Asked, other: Asked) -> None:
    assert _key(one) != _key(other)


def test_the_same_words_to_another_upstream_are_another_question() -> None:
    assert _key(asked("/array/a/config")) != _key(asked("/array/a/config"), "https://us.i.posthog.com")


def test_a_body_that_cannot_be_read_is_no_question() -> None:
    assert _key(asked("/flags", b"not json", "POST")) is None


def test_what_only_sdks_write_is_plain() -> None:
    assert is_plain(asked("/flags/definitions?token=a&send_cohorts&_=1"))
    assert not is_plain(asked("/api/surveys?token=a&x=1"))
