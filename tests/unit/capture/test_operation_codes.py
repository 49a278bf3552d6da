"""What PostHog said, as the envelope says it: every code of every operation."""

from __future__ import annotations

import pytest

from functions.capture.operating import identified
from functions.capture.operating.operation_answers import of_failing, of_keeping, of_outcome, of_parameters, status_code
from functions.capture.operating.operation_forms import FORMS
from hedgerow.posthog.ingestion import Outcome, judge

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
UUID = "0196b1c4-0000-7000-8000-000000000001"
CODES = {
    # status: what page and identity say, what the others say
    200: (200, 200),
    204: (200, 200),
    302: (302, 500),
    400: (400, 500),
    401: (401, 500),
    403: (403, 500),
    404: (404, 500),
    413: (413, 500),
    429: (429, 429),
    500: (500, 500),
    502: (502, 500),
    503: (503, 500),
    504: (504, 500),
}


@pytest.mark.parametrize("operation", FORMS)
@pytest.mark.parametrize("status", CODES)
def test_each_status_of_posthog_in_each_operation(operation: str, status: int) -> None:
    answer = of_outcome(operation, judge(status, JSON, b'{"status":1}'), UUID, [])
    passing, fixed = CODES[status]
    assert answer.status == 200
    assert answer.headers == {"Hedgerow-Event-Id": UUID}
    assert answer.envelope["StatusCode"] == (passing if operation in {"page", "identity"} else fixed)
    assert answer.envelope["OriginalStatusCode"] == status
    assert answer.envelope["Data"] == {"status": 1}
    assert (answer.envelope["ErrorMessage"] == "") == (answer.envelope["StatusCode"] == 200)


@pytest.mark.parametrize("operation", FORMS)
@pytest.mark.parametrize("code", ["posthog_slow", "posthog_unreachable", "posthog_broke_off", "address_refused"])
def test_without_an_answer_only_a_page_tells_a_timeout(operation: str, code: str) -> None:
    envelope = of_outcome(operation, Outcome("failed", code, "Nothing came."), UUID, []).envelope
    assert envelope["StatusCode"] == (504 if (operation, code) == ("page", "posthog_slow") else 500)
    assert (envelope["OriginalStatusCode"], envelope["Data"]) == (0, {})
    assert envelope["ErrorMessage"].startswith("Nothing came. ")


@pytest.mark.parametrize("operation", FORMS)
def test_another_sites_page_is_no_success(operation: str) -> None:
    envelope = of_outcome(operation, judge(200, HTML, b"<html>Welcome"), UUID, []).envelope
    assert (envelope["StatusCode"], envelope["OriginalStatusCode"]) == (500, 200)
    assert envelope["Data"] == {"raw_content": "<html>Welcome"}
    assert "another site" in envelope["ErrorMessage"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"status":"Ok"}', {"status": "Ok"}),
        (b"", {}),
        (b" \n", {}),
        (b"1", {"raw_content": "1"}),
        (b"ok \xff", {"raw_content": "ok \ufffd"}),
        (b'{"half', {"raw_content": '{"half'}),
    ],
)
def test_what_posthog_said_is_handed_on(body: bytes, said: dict[str, object]) -> None:
    assert of_outcome("event", judge(200, JSON, body), UUID, []).envelope["Data"] == said


def test_a_long_answer_is_cut() -> None:
    said = of_outcome("event", judge(500, {}, b"x" * 100_000), UUID, []).envelope["Data"]["raw_content"]
    assert said == "x" * 16_000


def test_a_limit_says_how_long_to_wait_and_what_else_to_do() -> None:
    outcome = judge(429, {"Retry-After": "7"}, b"")
    message = of_outcome("event", outcome, UUID, []).envelope["ErrorMessage"]
    assert "7 s" in message
    assert "?mode=durable" in message


def test_a_refusal_carries_posthogs_words() -> None:
    outcome = judge(400, {}, b"failed to parse request: invalid uuid")
    message = of_outcome("screen", outcome, UUID, []).envelope["ErrorMessage"]
    assert message.startswith("PostHog refused the event (400): failed to parse request: invalid uuid.")


def test_the_other_answers() -> None:
    assert of_parameters("why").envelope["StatusCode"] == -1
    assert of_parameters("why").headers == {}
    kept = of_keeping(UUID, ["one.", "two."])
    assert kept.body == b'{"Data":{"status":1},"OriginalStatusCode":0,"StatusCode":200,"ErrorMessage":""}'
    assert kept.headers == {"Hedgerow-Event-Id": UUID, "Hedgerow-Warning": "one. two."}
    assert of_failing(UUID, "why").envelope["StatusCode"] == 500
    assert status_code("page", Outcome("delivered", "delivered", status=200)) == 200


@pytest.mark.parametrize(
    ("persons", "said"),
    [
        ({}, None),
        ({"alias": ("p1", True)}, None),
        ({"known": ("p1", True)}, None),
        ({"alias": ("p1", True), "known": ("p1", True)}, None),
        ({"alias": ("p1", False), "known": ("p2", True)}, None),
        ({"alias": ("p1", False), "known": ("p2", False)}, None),
        ({"alias": ("p1", True), "known": ("p2", False)}, identified.EXCHANGE),
        ({"alias": ("p1", True), "known": ("p2", True)}, identified.NEITHER),
    ],
)
def test_an_alias_of_an_identified_person_is_told(persons: dict[str, tuple[str, bool]], said: str | None) -> None:
    assert identified.judge(persons, "known", "alias") == said


def test_warnings_are_fit_for_a_header() -> None:
    for said in (identified.SAME, identified.EXCHANGE, identified.NEITHER):
        assert said.isascii()
        assert said.isprintable()


def test_questions_are_few_and_come_back() -> None:
    questions = identified.Questions()
    assert [questions.may_ask("con_1", 0.0) for _ in range(22)] == [True] * 20 + [False] * 2
    assert questions.may_ask("con_2", 0.0)
    assert not questions.may_ask("con_1", 5.0)
    assert questions.may_ask("con_1", 6.1)
    questions.rest("con_2", 10.0, 60.0)
    assert not questions.may_ask("con_2", 69.0)
    assert questions.may_ask("con_2", 70.1)
