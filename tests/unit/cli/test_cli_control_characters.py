"""No text of a server, whatever it holds, is obeyed by the terminal it is shown at."""

from __future__ import annotations

import json

from tests.cli_process import Answers, hedgerow

HOSTILE = "shop\x1b]0;owned\x07\x9b2J\rgone"
SHOWN = "shop␛]0;owned␇␡2J␍gone"


def _has_no_control(text: str) -> bool:
    return not any((ord(character) < 0x20 and character != "\n") or 0x7F <= ord(character) < 0xA0 for character in text)


def test_what_a_refusal_says_to_standard_error_are_cleaned(answers: Answers) -> None:
    problem = {"code": HOSTILE, "detail": HOSTILE, "hint": HOSTILE}
    answers.say("GET", "/v1/connections", problem, 422)
    done = hedgerow("connections", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.stderr.count(SHOWN) == 3
    assert _has_no_control(done.stderr)


def test_names_in_a_hint_are_cleaned(answers: Answers) -> None:
    both = [{"id": f"con_{number}", "name": HOSTILE, "state": "connected"} for number in (1, 2)]
    answers.say("GET", "/v1/connections", {"items": both, "next_cursor": None})
    done = hedgerow("changes", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 2
    assert done.stderr.count(SHOWN) == 2
    assert _has_no_control(done.stderr)


def test_a_series_name_over_its_column_is_cleaned_and_no_markup(answers: Answers) -> None:
    name = f"[red]{HOSTILE}"
    series = {"name": name, "unit": "count", "points": [{"date": "2026-11-01", "value": 3, "complete": True}]}
    answers.say("GET", "/v1/connections/con_1/metrics", {"series": [series], "zones": []})
    done = hedgerow("metrics", "con_1", "--name", "x", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert f"[red]{SHOWN}" in done.stdout
    assert _has_no_control(done.stdout)


def test_json_keeps_its_value_and_no_control_character(answers: Answers) -> None:
    listed = {"first": None, "items": [{"id": "con_1", "name": HOSTILE}], "next_cursor": None}
    answers.say("GET", "/v1/connections", listed)
    done = hedgerow("connections", "list", "--json", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert json.loads(done.stdout) == listed
    assert _has_no_control(done.stdout)
