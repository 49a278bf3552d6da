"""The metrics table: sparklines from zero, gaps as gaps, today marked; JSON and CSV untouched."""

from __future__ import annotations

import json

from hedgerow.cli.screen import number, sparkline
from tests.cli_process import Answers, hedgerow

SERIES = {
    "series": [
        {
            "name": "posthog_dau",
            "unit": "count",
            "points": [
                {"date": "2026-03-01", "value": 1200, "complete": True},
                {"date": "2026-03-02", "value": 900, "complete": True},
                {"date": "2026-03-03", "value": 300, "complete": False},
            ],
        },
        {
            "name": "posthog_session_duration",
            "unit": "seconds",
            "points": [{"date": "2026-03-02", "value": 75.5, "complete": True}],
        },
    ],
    "zones": [],
}


def test_a_sparkline_stands_on_zero_and_shows_gaps() -> None:
    assert sparkline([0, 1, 50, 100, None]) == "▁▂▅█ "
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([7, 7]) == "██"
    assert sparkline([None, None]) == "  "
    assert sparkline([]) == ""


def test_numbers_read_as_people_write_them() -> None:
    assert [number(value, "count") for value in (0, 1234567, 2.5, None)] == ["0", "1,234,567", "2.5", "–"]
    assert [number(value, "seconds") for value in (0, 59.94, 75.0, None)] == ["0.0s", "59.9s", "1m 15s", "–"]


def test_the_table_marks_the_day_that_is_not_complete(answers: Answers) -> None:
    answers.say("GET", "/v1/connections/con_1/metrics", SERIES)
    done = hedgerow("metrics", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 0
    _, heading, dau, duration, note = done.stdout.splitlines()
    assert heading.split() == ["metric", "trend", "latest", "average", "highest", "today*"]
    assert dau.split() == ["posthog_dau", "█▆▃", "900", "1,050", "1,200", "300"]
    assert duration.split() == ["posthog_session_duration", "█", "1m", "16s", "1m", "16s", "1m", "16s", "–"]
    assert "2026-03-03 is not complete" in note


def test_one_named_series_is_shown_day_by_day(answers: Answers) -> None:
    answers.say("GET", "/v1/connections/con_1/metrics", {"series": SERIES["series"][:1], "zones": []})
    done = hedgerow("metrics", "con_1", "--name", "posthog_dau", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert (
        "2026-03-03    300  not complete yet" in " ".join(done.stdout.split(" ")) or "not complete yet" in done.stdout
    )
    assert "name=posthog_dau" in answers.asked[0][1]


def test_json_and_csv_are_the_apis_own(answers: Answers) -> None:
    answers.say("GET", "/v1/connections/con_1/metrics", SERIES)
    done = hedgerow(
        "metrics", "con_1", "--json", "--from", "2026-03-01", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k"
    )
    assert json.loads(done.stdout) == SERIES
    assert "from=2026-03-01" in answers.asked[-1][1]
    answers.say("GET text/csv", "/v1/connections/con_1/metrics", "date,name\r\n2026-03-01,x\r\n")
    done = hedgerow("metrics", "con_1", "--csv", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.stdout.split() == ["date,name", "2026-03-01,x"]
    assert done.stderr == ""


def test_names_with_markup_and_line_breaks_are_text(answers: Answers) -> None:
    odd = {
        "name": "event:[bold]a[/]\nb\x1b[31m",
        "unit": "count",
        "points": [{"date": "2026-03-01", "value": 1, "complete": True}],
    }
    answers.say("GET", "/v1/connections/con_1/metrics", {"series": [odd], "zones": []})
    done = hedgerow("metrics", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 0
    assert "event:[bold]a[/]␊b␛[31m" in done.stdout
    assert "\x1b" not in done.stdout


def test_nothing_synced_says_what_to_do(answers: Answers) -> None:
    answers.say(
        "GET",
        "/v1/connections/con_1/metrics",
        {"series": [{"name": "posthog_dau", "unit": "count", "points": []}], "zones": []},
    )
    done = hedgerow("metrics", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert "hedgerow sync" in done.stdout


TWO_ZONES = [
    {"zone": "UTC", "from": "2026-03-01", "to": "2026-03-02"},
    {"zone": "Asia/Tokyo", "from": "2026-03-03", "to": "2026-03-03"},
]
WHICH = "2026-03-01 to 2026-03-02 in UTC, 2026-03-03 to 2026-03-03 in Asia/Tokyo"


def test_two_zones_are_named_below_the_table_and_below_one_series(answers: Answers) -> None:
    keys = {"HEDGEROW_URL": answers.url, "HEDGEROW_API_KEY": "k"}
    answers.say("GET", "/v1/connections/con_1/metrics", {**SERIES, "zones": TWO_ZONES})
    assert WHICH in hedgerow("metrics", "con_1", **keys).stdout.splitlines()[-1]
    answers.say("GET", "/v1/connections/con_1/metrics", {"series": SERIES["series"][:1], "zones": TWO_ZONES})
    assert WHICH in hedgerow("metrics", "con_1", "--name", "posthog_dau", **keys).stdout.splitlines()[-1]


def test_one_zone_is_no_remark(answers: Answers) -> None:
    answers.say("GET", "/v1/connections/con_1/metrics", {**SERIES, "zones": TWO_ZONES[:1]})
    done = hedgerow("metrics", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert "time zone" not in done.stdout + done.stderr


def test_two_zones_of_a_csv_are_named_beside_it(answers: Answers) -> None:
    answers.say("GET text/csv", "/v1/connections/con_1/metrics", "date,name\r\n2026-03-01,x\r\n")
    answers.say("GET", "/v1/connections/con_1/metrics", {**SERIES, "zones": TWO_ZONES})
    done = hedgerow("metrics", "con_1", "--csv", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert WHICH in done.stderr
    assert done.stdout.split() == ["date,name", "2026-03-01,x"]
