"""`hedgerow catalog`: the file it keeps, what it sends, what CI is told, and the functions it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from functions.capture.catalogue.catalog_python import python_of
from functions.capture.catalogue.catalog_shape import document_of
from functions.capture.catalogue.catalog_shipped import shipped
from functions.capture.catalogue.catalog_typescript import typescript_of
from tests.cli_process import Answers, hedgerow

PATH = "/v1/connections/con_1/catalog"
CART: dict[str, Any] = {
    "name": "cart.paid",
    "policy": "observe",
    "properties": {"total": {"type": "integer", "required": True}},
}
DOCUMENT: dict[str, Any] = {"version": 3, "naming": "noun.verb", "unknown": "observe", "events": [CART]}


def saved(folder: Path, document: object) -> str:
    file = folder / "catalog.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def run(answers: Answers, *arguments: str) -> subprocess.CompletedProcess[str]:
    return hedgerow("catalog", *arguments, HEDGEROW_URL=answers.url, HEDGEROW_API_KEY="k")


def test_show_lists_events_with_what_is_required(answers: Answers) -> None:
    answers.say("GET", PATH, {**DOCUMENT, "default": True, "updated_at": None})
    done = run(answers, "show", "con_1")
    assert done.returncode == 0
    assert "Version 3, the shipped one; naming: noun.verb" in done.stdout
    assert "cart.paid" in done.stdout
    assert "total*: integer" in done.stdout
    run(answers, "show", "con_1", "--version", "2")
    assert answers.asked[-1][1] == f"{PATH}?version=2"


def test_report_says_what_broke_and_what_was_meant(answers: Answers) -> None:
    days = {"2026-11-19": 1, "2026-11-20": 2}
    told = {
        "from": "2026-10-22",
        "to": "2026-11-20",
        "zone": "UTC",
        "version": 3,
        "unknown": [{"name": "cart_paid", "events": 3, "days": days, "looks_like": "cart.paid"}],
        "violations": [{"event": "cart.paid", "events": 3, "days": days, "words": {"missing:total": 3}}],
        "unlisted": [],
        "missing": [{"property": "currency", "where": "where money is meant", "events": 3, "days": days}],
        "naming": {"follows": "noun.verb", "share": 0.75, "names": 4},
    }
    answers.say("GET", f"{PATH}/report", told)
    said = run(answers, "report", "con_1").stdout
    assert "looks like cart.paid" in said
    assert "missing:total 3×" in said
    assert "recommended where money is meant" in said
    assert "on every event" not in said
    assert "75% of 4 names follow noun.verb" in said


def test_pull_writes_what_was_learnt_and_keeps_what_the_file_says(answers: Answers, tmp_path: Path) -> None:
    learnt = {
        **DOCUMENT,
        "version": 4,
        "events": [
            {"name": "cart.paid", "properties": {"total": {"type": "string"}, "coupon": {"type": "string"}}},
            {"name": "cart.seen", "properties": {}},
        ],
    }
    answers.say("POST", f"{PATH}/learn", {"catalog": learnt, "notes": ["a note"]})
    file = tmp_path / "catalog.json"
    first = run(answers, "pull", "con_1", "--file", str(file))
    assert first.returncode == 0, first.stderr
    assert [event["name"] for event in json.loads(file.read_text())["events"]] == ["cart.paid", "cart.seen"]
    assert "a note" in first.stderr
    saved(tmp_path, DOCUMENT)
    again = run(answers, "pull", "con_1", "--file", str(file))
    kept = json.loads(file.read_text())
    assert kept["version"] == 4
    assert kept["events"][0]["properties"] == {
        "total": {"type": "integer", "required": True},
        "coupon": {"type": "string"},
    }
    assert "  + cart.seen" in again.stdout
    assert "  + cart.paid" not in again.stdout


def test_pull_stored_asks_posthog_nothing(answers: Answers, tmp_path: Path) -> None:
    answers.say("GET", PATH, {**DOCUMENT, "default": False, "updated_at": "2026-11-20T00:00:00+00:00"})
    file = tmp_path / "catalog.json"
    assert run(answers, "pull", "con_1", "--stored", "--file", str(file)).returncode == 0
    assert json.loads(file.read_text()) == DOCUMENT
    assert [asked[0] for asked in answers.asked] == ["GET"]


def test_push_sends_the_file_and_writes_the_new_version_into_it(answers: Answers, tmp_path: Path) -> None:
    answers.say("PUT", PATH, {**DOCUMENT, "version": 4, "default": False, "updated_at": None})
    file = saved(tmp_path, DOCUMENT)
    done = run(answers, "push", "con_1", "--file", file)
    assert done.returncode == 0, done.stderr
    assert answers.asked[-1][3] == DOCUMENT
    assert json.loads(Path(file).read_text())["version"] == 4
    again = run(answers, "push", "con_1", "--file", file)
    assert again.stdout.startswith("Nothing differs; version 4 stands")


def test_push_of_an_old_version_is_refused_and_leaves_the_file(answers: Answers, tmp_path: Path) -> None:
    problem = {"code": "version_changed", "detail": "Version 5 stands.", "hint": "Read it again."}
    answers.say("PUT", PATH, problem, 409)
    file = saved(tmp_path, DOCUMENT)
    done = run(answers, "push", "con_1", "--file", file)
    assert done.returncode == 4
    assert "version_changed" in done.stderr
    assert json.loads(Path(file).read_text()) == DOCUMENT
    nameless = saved(tmp_path, {name: value for name, value in DOCUMENT.items() if name != "version"})
    assert run(answers, "push", "con_1", "--file", nameless).returncode == 2


LINES = """\
{"event": "cart.paid", "properties": {"total": 5}}

{"event": "cart.paid", "properties": {"total": "5"}}
{"event": "cart_paid"}
{"event": "$pageview"}
nonsense
[1]
"""


def test_check_tells_ci_which_lines_break_the_catalogue(tmp_path: Path) -> None:
    file, events = saved(tmp_path, DOCUMENT), tmp_path / "events.jsonl"
    events.write_text(LINES)
    done = hedgerow("catalog", "check", str(events), "--file", file)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{events}:3: cart.paid: `total` is of another type than the catalogue says",
        f"{events}:4: cart_paid: the catalogue does not know it; it looks like cart.paid; the name is not noun.verb",
        f"{events}:6: is not JSON",
        f"{events}:7: has no `event`",
        "6 events checked against version 3: 3 broke it.",
    ]


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ('{"event": "cart.paid", "properties": {"total": 5}}', (), 0),
        ('[{"event": "cart.paid", "properties": {"total": 5}}]', (), 0),
        ('{"api_key": "x", "batch": [{"event": "cart.paid", "properties": {}}]}', (), 1),
        ('{"event": "cart.seen"}', (), 0),
        ('{"event": "cart.seen"}', ("--strict",), 1),
        ('{"event": "$pageview"}', ("--strict",), 0),
        ("", (), 0),
        ("[" * 100_000, (), 1),
    ],
)
def test_checks_exit_code_is_the_verdict(tmp_path: Path, text: str, options: tuple[str, ...], code: int) -> None:
    events = tmp_path / "events.json"
    events.write_text(text)
    done = hedgerow("catalog", "check", str(events), "--file", saved(tmp_path, DOCUMENT), *options)
    assert done.returncode == code, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"events": [CART, CART]}, "`events` names cart.paid twice"),
        ({"events": [{**CART, "polcy": "tag"}]}, "is no word of a catalogue"),
        ([], "is no JSON object"),
    ],
)
def test_check_alone_looks_at_the_catalogue_itself(tmp_path: Path, document: object, said: str) -> None:
    done = hedgerow("catalog", "check", "--file", saved(tmp_path, document))
    assert done.returncode == 1
    assert said in done.stderr


def test_check_warns_of_two_names_for_one_event(tmp_path: Path) -> None:
    file = saved(tmp_path, {**DOCUMENT, "events": [CART, {**CART, "name": "cart_paid"}]})
    done = hedgerow("catalog", "check", "--file", file)
    assert done.returncode == 0
    assert "cart_paid and cart.paid are both in the catalogue" in done.stderr


def test_check_against_a_connection_takes_its_catalogue(answers: Answers, tmp_path: Path) -> None:
    answers.say("GET", PATH, {**DOCUMENT, "unknown": "refuse", "default": False, "updated_at": None})
    events = tmp_path / "events.json"
    events.write_text('{"event": "cart.seen"}')
    assert run(answers, "check", str(events), "--connection", "con_1").returncode == 1


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hedgerow.cli", "catalog", "check"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "hedgerow catalog pull" in done.stderr


def test_types_writes_modules_and_prints_them(tmp_path: Path) -> None:
    file = saved(tmp_path, document_of(shipped()))
    python, typescript = tmp_path / "events.py", tmp_path / "events.ts"
    done = hedgerow("catalog", "types", "--python", str(python), "--typescript", str(typescript), "--file", file)
    assert done.returncode == 0, done.stderr
    assert python.read_text() == python_of(shipped())
    assert typescript.read_text() == typescript_of(shipped())
    assert hedgerow("catalog", "types", "--python", "-", "--file", file).stdout == python_of(shipped())
    assert hedgerow("catalog", "types", "--file", file).returncode == 2
