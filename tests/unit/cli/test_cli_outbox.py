"""`hedgerow outbox`, `event` and `reconcile`: one sentence first, exit codes for scripts, JSON untouched."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.cli_process import Answers, hedgerow

OUTBOX = "/v1/connections/con_1/outbox"
WHY = {"code": "posthog_failed", "detail": "PostHog answered 503", "hint": "Nothing to do."}
NOTHING = {"deliveries": 0, "events": 0, "bytes": 0, "oldest_accepted_at": None, "next_try_at": None, "cut": False}


def delivery(state: str = "pending", **changed: Any) -> dict[str, Any]:
    return {
        "id": "dlv_1",
        "state": state,
        "lane": "events",
        "count": 1200,
        "since": "2026-11-20T14:30:00Z",
        "tries": 3,
        "why": WHY,
        **changed,
    }


def page(*items: dict[str, Any], **totals: dict[str, Any]) -> dict[str, Any]:
    whole = dict.fromkeys(("pending", "held", "dead"), NOTHING) | totals
    return {"totals": whole, "items": list(items), "next_cursor": None}


def total(events: int, *, cut: bool = False) -> dict[str, Any]:
    return {**NOTHING, "deliveries": 1, "events": events, "oldest_accepted_at": "2026-11-20T14:30:00Z", "cut": cut}


def run(answers: Answers, *arguments: str) -> Any:
    return hedgerow(*arguments, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")


@pytest.mark.parametrize("verb", [("outbox", "con_1"), ("outbox", "list", "con_1"), ("outbox",)])
def test_the_list_says_first_what_is_wrong(answers: Answers, verb: tuple[str, ...]) -> None:
    answers.say(
        "GET", "/v1/connections", {"items": [{"id": "con_1", "name": "a", "state": "connected"}], "next_cursor": None}
    )
    answers.say("GET", OUTBOX, page(delivery(), pending=total(1200, cut=True)))
    done = run(answers, *verb)
    assert done.returncode == 0, done.stderr
    first, heading, row = done.stdout.splitlines()
    assert first.startswith("at least 1,200 events are pending, the oldest pending since 2026-11-20 14:30:00 UTC.")
    assert "every minute" in first
    assert heading.split()[:3] == ["delivery", "state", "events"]
    assert row.split()[:3] == ["dlv_1", "pending", "1,200"]
    assert "PostHog answered 503 [posthog_failed] → Nothing to do." in row


def test_every_state_there_is_has_its_advice(answers: Answers) -> None:
    answers.say("GET", OUTBOX, page(delivery("held"), held=total(1), dead=total(2), pending=total(3)))
    first, pending, held, dead = run(answers, "outbox", "con_1").stdout.splitlines()[:4]
    assert first.startswith("3 events are pending; 1 event is held; 2 events are dead, the oldest pending since")
    assert pending.startswith("→ pending is sent by itself")
    assert "outbox refuse ID" in held
    assert "mend" in dead
    answers.say("GET", OUTBOX, page(delivery("dead"), dead=total(2)))
    alone = run(answers, "outbox", "con_1", "--state", "dead").stdout.splitlines()[0]
    assert alone.startswith("2 events are dead. → dead is not sent by itself")
    assert "state=dead" in answers.asked[-1][1]
    answers.say("GET", OUTBOX, page())
    assert run(answers, "outbox", "con_1").stdout == "Nothing waits: PostHog took everything.\n"


def test_json_is_the_apis_own(answers: Answers) -> None:
    said = page(delivery())
    answers.say("GET", OUTBOX, said)
    assert json.loads(run(answers, "outbox", "con_1", "--json").stdout) == said


def test_one_in_full(answers: Answers) -> None:
    uuid = str(uuid4())
    shown = delivery(
        parcels=[
            {"received_at": "2026-11-20T14:30:00Z", "count": 1, "sdk": "posthog-js/1", "path": "/e/", "changes": ["x"]}
        ],
        attempts=[{"at": "2026-11-20T14:31:00Z", "status": 503, "code": "posthog_failed", "detail": "no"}],
        events=[{"uuid": uuid, "name": "cart\x1b[31m", "timestamp": "2026-11-20T14:29:00Z"}],
        payload="[{}]",
    )
    answers.say("GET", f"{OUTBOX}/dlv_1", shown)
    done = run(answers, "outbox", "show", "dlv_1", "--connection", "con_1", "--payload")
    assert done.returncode == 0, done.stderr
    assert "payload=true" in answers.asked[-1][1]
    assert all(each in done.stdout for each in (uuid, "cart␛[31m", "posthog-js/1", "posthog_failed: no", "[{}]"))


def released(deliveries: int, *refused: str, cursor: str | None = None) -> dict[str, Any]:
    left = [{"id": each, "code": "unreadable", "detail": "It is no JSON.", "hint": "Mend."} for each in refused]
    return {
        "deliveries": deliveries,
        "events": 10 * deliveries,
        "refused": left,
        "more": cursor is not None,
        "next_cursor": cursor,
    }


def test_a_whole_state_is_sent_again_call_by_call(answers: Answers) -> None:
    answers.say_in_turn("POST", f"{OUTBOX}/redeliver", released(100, cursor="dead.x"), released(7, "dlv_9"))
    done = run(answers, "outbox", "redeliver", "--state", "dead", "--event", "sale", "--connection", "con_1")
    assert [body for method, _, _, body in answers.asked if method == "POST"] == [
        {"state": "dead", "event": "sale"},
        {"state": "dead", "event": "sale", "cursor": "dead.x"},
    ]
    assert done.stdout.splitlines() == [
        "107 deliveries with 1,070 events are due now.",
        "dlv_9 stays: It is no JSON. [unreadable] → Mend.",
    ]
    assert done.returncode == 1


def test_ids_are_released_and_refused(answers: Answers) -> None:
    answers.say("POST", f"{OUTBOX}/redeliver", released(2))
    answers.say("POST", f"{OUTBOX}/refuse", released(1))
    again = run(answers, "outbox", "redeliver", "dlv_1", "dlv_2", "--connection", "con_1")
    every = run(answers, "outbox", "refuse", "--all", "--connection", "con_1", "--json")
    assert (again.returncode, every.returncode) == (0, 0)
    assert [asked[3] for asked in answers.asked] == [{"ids": ["dlv_1", "dlv_2"]}, {"state": "held"}]
    assert json.loads(every.stdout)["deliveries"] == 1
    one = run(answers, "outbox", "refuse", "dlv_1", "--connection", "con_1")
    assert one.stdout == "1 delivery with 10 events is refused.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("redeliver",),
        ("refuse",),
        ("redeliver", "dlv_1", "--state", "dead"),
        ("redeliver", "../x"),
        ("redeliver", "dlv_1", "--event", "a"),
        ("show", "..", "--connection", "con_1"),
        ("list", "--state", "asleep"),
    ],
)
def test_what_is_not_said_rightly_asks_nothing(answers: Answers, arguments: tuple[str, ...]) -> None:
    answers.say(
        "GET", "/v1/connections", {"items": [{"id": "con_1", "name": "a", "state": "connected"}], "next_cursor": None}
    )
    assert run(answers, "outbox", *arguments).returncode == 2
    assert {path for _, path, _, _ in answers.asked} <= {"/v1/connections?limit=1000"}


PLACE = {
    "source": "hedgerow",
    "connection_id": "con_1",
    "delivery_id": "dlv_1",
    "name": "sale",
    "summary": "It waits for PostHog: PostHog answered 503",
    "timeline": [{"at": "2026-11-20T14:30:00Z", "what": "received from posthog-js/1 on /e/"}],
    "why": WHY,
}


def test_an_event_is_told_from_the_first_sentence(answers: Answers) -> None:
    uuid = str(uuid4())
    answers.say("GET", f"/v1/connections/con_1/events/{uuid}", PLACE)
    own = run(answers, "event", uuid.upper(), "--connection", "con_1")
    assert own.stdout.splitlines()[0] == PLACE["summary"]
    assert "received from posthog-js/1" in own.stdout
    assert own.stdout.splitlines()[-1] == "→ Nothing to do."
    place = {**PLACE, "source": "posthog", "delivery_id": None, "why": None, "summary": "It is in PostHog."}
    left = {"connection_id": "con_2", "code": "capture_only", "detail": "Other: capture-only.", "hint": "Add a key."}
    answers.say("GET", f"/v1/events/{uuid}", {"items": [place], "not_asked": [left]})
    everywhere = run(answers, "event", uuid)
    assert "PostHog's own row, asked for now" in everywhere.stdout
    assert "PostHog was not asked for con_2. Other: capture-only. → Add a key." in everywhere.stdout
    assert run(answers, "event", "..").returncode == 2
    assert run(answers, "event", str(uuid4())).returncode == 4


def books(**changed: Any) -> dict[str, Any]:
    return {
        "ok": True,
        "code": "balanced",
        "detail": "The books balance.",
        "hint": "",
        "from": "2026-11-19T15:00:00Z",
        "to": "2026-11-20T16:00:00Z",
        "here": {"accepted": 1207, "delivered": 1200, "pending": 7, "held": 0, "dead": 0},
        "booked": [],
        "errors": [],
        "posthog": {"asked": True, "delivered": 1200, "arrived": 1200, "differences": [], "more": 0},
        **changed,
    }


PATH = "/v1/connections/con_1/reconciliation"


def test_books_that_balance_end_well(answers: Answers) -> None:
    booked = {"hour": "2026-11-20T14:00:00Z", "pending": 5, "held": 0, "dead": 1}
    answers.say("GET", PATH, books(booked=[booked]))
    done = run(answers, "reconcile", "con_1", "--from", "2026-11-19", "--to", "2026-11-20")
    assert done.returncode == 0, done.stderr
    assert "from=2026-11-19&to=2026-11-20" in answers.asked[-1][1]
    assert done.stdout.splitlines()[0] == "The books balance."
    assert done.stdout.splitlines()[3].split() == ["1,207", "1,200", "7", "0", "0", "1,200", "of", "1,200"]
    assert "Booked 2026-11-20 14:00:00: 5 pending, 1 dead;" in done.stdout


def test_a_difference_nothing_explains_ends_with_one(answers: Answers) -> None:
    differs = {
        "name": "sale",
        "hour": "2026-11-20T12:00:00Z",
        "delivered": 3,
        "arrived": 1,
        "difference": -2,
        "explained": False,
        "why": ["Over its billing limit."],
    }
    wrong = {
        "hour": "2026-11-20T13:00:00Z",
        "code": "negative",
        "detail": "-1 pending.",
        "hint": "Look.",
        "difference": -1,
    }
    there = {"asked": True, "delivered": 3, "arrived": 1, "differences": [differs], "more": 2}
    said = books(ok=False, code="books_wrong", detail="It is wrong.", hint="Look.", errors=[wrong], posthog=there)
    answers.say("GET", PATH, said)
    done, as_json = run(answers, "reconcile", "con_1"), run(answers, "reconcile", "con_1", "--json")
    assert (done.returncode, as_json.returncode) == (1, 1)
    assert done.stdout.splitlines()[0] == "It is wrong. → Look."
    assert "Wrong at 2026-11-20 13:00:00: -1 pending. [negative] → Look." in done.stdout
    assert "Over its billing limit." in done.stdout
    assert "-2" in done.stdout
    assert (json.loads(as_json.stdout), as_json.stderr) == (said, "")


def test_a_posthog_that_was_not_asked_is_said(answers: Answers) -> None:
    there = {
        "asked": False,
        "code": "capture_only",
        "detail": "No key.",
        "hint": "Add one.",
        "differences": [],
        "more": 0,
    }
    answers.say("GET", PATH, books(posthog=there))
    done = run(answers, "reconcile", "con_1")
    assert done.returncode == 0
    assert "PostHog was not asked: No key. [capture_only] → Add one." in done.stdout
