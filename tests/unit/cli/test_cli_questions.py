"""What cannot be taken back is asked for at a terminal, and never by silence."""

from __future__ import annotations

import pytest

from tests.cli_process import Answers, hedgerow
from tests.terminal import at_a_terminal

PATH = "/v1/connections/con_1/disconnect"
ENDED = {
    "state": "disconnected",
    "purge": False,
    "refuse_traffic": False,
    "history_kept_until": None,
    "traffic_last_hour": 0,
    "receipt": None,
}


@pytest.fixture(autouse=True)
def ending(answers: Answers) -> None:
    answers.say("POST", PATH, ENDED)


def test_a_no_at_the_terminal_leaves_the_connection_alone(answers: Answers) -> None:
    said = at_a_terminal(answers, "disconnect", "con_1", typed="n\n")
    assert "destroy its credential?" in said
    assert "Nothing was done." in said
    assert answers.asked == []


@pytest.mark.parametrize(("options", "typed"), [((), "y\n"), (("--yes",), "")])
def test_a_yes_disconnects(answers: Answers, options: tuple[str, ...], typed: str) -> None:
    assert "con_1 is disconnected" in at_a_terminal(answers, "disconnect", "con_1", *options, typed=typed)
    assert len(answers.asked) == 1


def test_a_script_is_not_asked_before_its_history_stays(answers: Answers) -> None:
    done = hedgerow("disconnect", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 0
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    ("changed", "told", "untold"),
    [
        ({}, "pass straight through to PostHog, for 30 days", "401"),
        ({"refuse_traffic": True}, "hears 401", "pass straight through"),
        ({"traffic_last_hour": 0}, "hedgerow outbox con_1", "came in"),
    ],
)
def test_what_becomes_of_traffic_and_of_what_waits_is_said(
    answers: Answers, changed: dict[str, object], told: str, untold: str
) -> None:
    answers.say("POST", PATH, {**ENDED, "traffic_last_hour": 1, **changed})
    said = hedgerow("disconnect", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k").stdout
    assert told in said
    assert untold not in said
    assert "1 events" not in said


@pytest.mark.parametrize("command", ["disconnect con_1 --purge", "tenants delete ten_1"])
def test_a_closed_input_at_a_question_is_told_of_yes(answers: Answers, command: str) -> None:
    keys = {"HEDGEROW_URL": answers.url, "HEDGEROW_API_KEY": "k", "HEDGEROW_ADMIN_KEY": "k"}
    done = hedgerow(*command.split(), **keys)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert answers.asked == []
