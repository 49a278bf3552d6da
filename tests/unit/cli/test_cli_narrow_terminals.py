"""At 80 columns ids and dates stay whole; NO_COLOR and narrow encodings are kept to."""

from __future__ import annotations

from typing import Any

import pytest

from hedgerow.cli.sheets import Sheet
from tests.cli_process import Answers, hedgerow
from tests.terminal import at_a_terminal

ID = "run_0123456789abcdef01234567"
WINDOW = "2026-03-01 to 2026-03-30"
RUN: dict[str, Any] = {
    "id": ID,
    "kind": "refresh",
    "state": "succeeded",
    "from": "2026-03-01",
    "to": "2026-03-30",
    "part": 0,
    "parts": 9,
    "points": 1231,
    "days_changed": [],
    "requests": 2,
    "finished_at": "2026-03-30T10:00:00Z",
    "error": None,
}


def test_runs_at_80_columns_keep_ids_and_windows_in_one_piece(answers: Answers) -> None:
    answers.say("GET", "/v1/connections/con_1/runs", {"items": [RUN, {**RUN, "part": 2}], "next_cursor": None})
    said = at_a_terminal(answers, "runs", "con_1", NO_COLOR="1")
    assert said.count(ID) == said.count(WINDOW) == 2
    assert max(map(len, said.splitlines())) <= 80
    assert "all 9" in said
    assert "2/9" in said
    assert "Too narrow for: kind" in said


def test_one_run_is_a_block_where_its_line_does_not_fit(answers: Answers) -> None:
    answers.say("GET", f"/v1/connections/con_1/runs/{ID}", RUN)
    said = at_a_terminal(answers, "runs", "con_1", "--run", ID, NO_COLOR="1")
    assert said.splitlines()[0] == ID
    assert "  ended (UTC)  2026-03-30 10:00:00" in said


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_sends_no_escape_code_at_all(answers: Answers, variables: dict[str, str], coloured: bool) -> None:
    answers.say("GET", "/v1/connections/con_1/runs", {"items": [{**RUN, "state": "failed"}], "next_cursor": None})
    assert ("\x1b" in at_a_terminal(answers, "runs", "con_1", **variables)) is coloured
    answers.say("GET", "/v1/connections/con_1", {"timezone": "UTC"})
    answers.say("POST", "/v1/connections/con_1/refresh", {**RUN, "state": "pending", "parts": 1})
    answers.say("GET", f"/v1/connections/con_1/runs/{ID}", {**RUN, "parts": 1})
    assert ("\x1b" in at_a_terminal(answers, "sync", "con_1", **variables)) is coloured


def test_an_ascii_output_shows_marks_instead_of_failing(answers: Answers) -> None:
    points = [{"date": "2026-03-01", "value": 1, "complete": True}]
    answer = {"series": [{"name": "event:größe", "unit": "count", "points": points}], "zones": []}
    answers.say("GET", "/v1/connections/con_1/metrics", answer)
    keys = {"HEDGEROW_URL": answers.url, "HEDGEROW_API_KEY": "k", "PYTHONIOENCODING": "ascii"}
    done = hedgerow("metrics", "con_1", **keys)
    assert done.returncode == 0, done.stderr
    assert "event:gr??e" in done.stdout
    assert "gr\\u00f6\\u00dfe" in hedgerow("metrics", "con_1", "--json", **keys).stdout


def test_columns_are_left_out_in_their_order_and_fluid_ones_shrink_first() -> None:
    made = Sheet(("id", "text", "more"), fluid=frozenset({"text"}), spare=("more",))
    made.rows.append((("x" * 20, "word " * 20, "m" * 10), None))
    assert made.fitting(64) == ("id", "text", "more")
    assert made.fitting(63) == ("id", "text")
    assert made.fitting(51) == ()
    assert all(line.startswith(("x", "  text  ", "  more  ", "        ")) for line in made.blocks(51))
