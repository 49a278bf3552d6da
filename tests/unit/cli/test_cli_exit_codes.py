"""Exit codes are what scripts read: each one, on purpose."""

from __future__ import annotations

import pytest

from tests.cli_process import Answers, hedgerow

PROBLEM = {"code": "some_code", "detail": "It was refused.", "hint": "Do this next."}


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 4), (403, 4), (404, 4), (409, 4), (422, 4), (400, 1), (413, 1), (429, 1), (500, 1), (503, 1)],
)
def test_a_refusal_shows_code_detail_and_hint(answers: Answers, status: int, code: int) -> None:
    answers.say("GET", "/v1/connections", PROBLEM, status)
    done = hedgerow("connections", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == code
    assert done.stdout == ""
    for said in PROBLEM.values():
        assert said in done.stderr


def test_a_server_that_is_not_there_is_3() -> None:
    done = hedgerow("connections", HEDGEROW_URL="http://127.0.0.1:9", HEDGEROW_API_KEY="k")
    assert done.returncode == 3
    assert "hedgerow dev" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("connect",),
        ("tick",),
        ("metrics", "--csv", "--json"),
        ("dev", "--now", "noon"),
        ("dev", "--port", "x"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    assert hedgerow(*arguments, HEDGEROW_API_KEY="k").returncode == 2


def test_a_missing_key_is_wrong_usage_and_names_its_variable(answers: Answers) -> None:
    done = hedgerow("connections", HEDGEROW_URL=answers.url)
    assert done.returncode == 2
    assert "HEDGEROW_API_KEY" in done.stderr
    assert answers.asked == []


def test_an_address_without_a_scheme_is_wrong_usage() -> None:
    assert hedgerow("connections", HEDGEROW_URL="localhost:8080", HEDGEROW_API_KEY="k").returncode == 2


def test_another_server_behind_the_address_is_a_failure(answers: Answers) -> None:
    answers.say("GET", "/v1/metrics/catalog", "<html>hello</html>")
    done = hedgerow("metrics", "--catalog", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 1
    assert "HEDGEROW_URL" in done.stderr


def test_keys_that_are_not_enough_fail_the_test_and_say_why(answers: Answers) -> None:
    verdict = {
        "name": "query",
        "ok": False,
        "required": True,
        "code": "scope_missing",
        "detail": "No query:read.",
        "hint": "Add it.",
    }
    answers.say("POST", "/v1/connections/test", {"ok": False, "capabilities": [verdict]})
    done = hedgerow(
        "connect",
        "--host",
        "http://h",
        "--test",
        stdin="phx_abcdefghijk\n",
        HEDGEROW_URL=answers.url,
        HEDGEROW_API_KEY="k",
    )
    assert done.returncode == 1
    assert "No query:read. → Add it." in done.stdout


def test_the_only_connection_need_not_be_named(answers: Answers) -> None:
    one = {"id": "con_1", "name": "Shop", "state": "connected"}
    gone = {"id": "con_2", "name": "Old", "state": "disconnected"}
    answers.say("GET", "/v1/connections", {"items": [gone, one], "next_cursor": None})
    answers.say("GET", "/v1/connections/con_1/changes", {"items": [], "next_cursor": None})
    assert hedgerow("changes", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k").returncode == 0
    answers.say("GET", "/v1/connections", {"items": [one, {**one, "id": "con_3"}], "next_cursor": None})
    several = hedgerow("changes", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert several.returncode == 2
    assert "con_3" in several.stderr


def test_output_into_a_pipe_has_no_colour_codes(answers: Answers) -> None:
    verdict = {"name": "reach", "ok": False, "required": True, "code": "c", "detail": "d", "hint": "h"}
    answers.say("POST", "/v1/connections/test", {"ok": False, "capabilities": [verdict]})
    arguments = ("connect", "--host", "http://h", "--test")
    done = hedgerow(*arguments, stdin="phx_abcdefghijk", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert "\x1b" not in done.stdout + done.stderr
