"""What a person sees while a run is followed: its end, a wait for PostHog, a zone that moved."""

from __future__ import annotations

from typing import Any

from tests.cli_process import Answers, hedgerow

PATH = "/v1/connections/con_1"
RUN: dict[str, Any] = {
    "id": "run_1",
    "kind": "refresh",
    "state": "pending",
    "from": "2026-03-01",
    "to": "2026-03-07",
    "part": 1,
    "parts": 1,
    "created_at": "2026-03-07T10:00:00Z",
    "finished_at": None,
    "attempts": 0,
    "rows": 0,
    "points": 0,
    "days_changed": [],
    "requests": 0,
    "error": None,
    "retry_at": None,
}
DONE = {**RUN, "state": "succeeded", "points": 3, "requests": 2}


def _sync(answers: Answers) -> str:
    done = hedgerow("sync", "con_1", HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_sync_that_moved_the_zone_says_so(answers: Answers) -> None:
    answers.say("POST", f"{PATH}/refresh", RUN)
    answers.say("GET", f"{PATH}/runs/run_1", DONE)
    answers.say_in_turn("GET", PATH, {"timezone": "UTC"}, {"timezone": "Asia/Tokyo"})
    assert "time zone changed from UTC to Asia/Tokyo" in _sync(answers)
    answers.say_in_turn("GET", PATH, {"timezone": "UTC"})
    assert "time zone" not in _sync(answers)


def test_a_wait_for_posthog_is_said_once_and_names_the_tick(answers: Answers) -> None:
    trouble = {"code": "posthog_rate_limited", "detail": "PostHog asked for quiet.", "hint": ""}
    waiting = {**RUN, "attempts": 1, "error": trouble, "retry_at": "2026-03-07T10:12:52Z"}
    answers.say("POST", f"{PATH}/refresh", RUN)
    answers.say("GET", PATH, {"timezone": "UTC"})
    answers.say_in_turn("GET", f"{PATH}/runs/run_1", RUN, waiting, waiting, DONE)
    said = _sync(answers)
    assert said.count("PostHog asked for quiet; tried again at the first tick after 10:12:52 UTC") == 1
