"""`hedgerow dead` and `hedgerow doctor` as a person calls them: in process, on a folder, with exit codes a script may trust."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from functions.api import timetable
from hedgerow import wiring
from hedgerow.cli.operations.doctor.codes import CODES
from hedgerow.cli.operations.doctor.findings import found
from hedgerow.dead_letters import DeadMessage
from hedgerow.messages import RunEnded
from hedgerow.ports import Add
from hedgerow.schedules import note_call
from hedgerow.settings import Settings
from tests.cli_process import Answers, hedgerow
from tests.functions.doctor.room import served

ROOT = Path(__file__).parents[3]
MESSAGE = RunEnded(connection_id="con_1", run_id="run_1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with two dead messages, one of which cannot be read."""

    async def make() -> None:
        app = wiring.build(Settings(data=tmp_path))
        good = DeadMessage(
            id="dead_1",
            topic=MESSAGE.topic,
            body=MESSAGE.model_dump_json(),
            reason="Delivered 10 times.",
            at=datetime(2026, 11, 1, tzinfo=UTC),
            code="given_up",
            key="run_1",
            attempts=10,
            is_whole=True,
        )
        bad = good.model_copy(update={"id": "dead_2", "body": "{\x1b[2J", "code": "unreadable", "attempts": None})
        await app.store.commit(Add(good), Add(bad))
        for plan in timetable.planned(app.settings.schedule_prefix):
            await note_call(app.store, plan.name, wiring.utc_now(), 200, None)
        await wiring.close(app)

    asyncio.run(make())
    return tmp_path


def test_dead_messages_are_listed_shown_redelivered_and_dropped(folder: Path, tmp_path: Path) -> None:
    at = ("--data", str(folder))
    listed = json.loads(hedgerow("dead", "list", "--json", *at).stdout)
    assert {each["id"]: each["state"] for each in listed["items"]} == {"dead_1": "dead", "dead_2": "dead"}
    assert "dead_1" in hedgerow("dead", *at).stdout
    shown = hedgerow("dead", "show", "dead_2", *at).stdout
    assert "\x1b" not in shown
    assert re.search(r"^key +run_1$", shown, re.MULTILINE)
    assert re.search(r"^code +unreadable$", shown, re.MULTILINE)
    assert re.search(r"^tries +not said by the queue$", shown, re.MULTILINE)
    assert re.search(r"^died \(UTC\) +2026-11-01 00:00:00$", shown, re.MULTILINE)

    redelivered = hedgerow("dead", "redeliver", "--all", *at)
    assert redelivered.returncode == 1
    assert redelivered.stdout.startswith("Redelivered 1 message.")
    assert "dead_2 (run-ended): It is no RunEnded" in redelivered.stderr

    mended = tmp_path / "mended.json"
    mended.write_text(MESSAGE.model_dump_json())
    assert hedgerow("dead", "redeliver", "dead_2", "--body", str(mended), *at).returncode == 0
    assert hedgerow("dead", "redeliver", "--all", *at).stdout.startswith("Redelivered 0 messages.")

    unasked = hedgerow("dead", "drop", "dead_1", *at)
    assert unasked.returncode == 2
    assert hedgerow("dead", "drop", "dead_1", "dead_2", "--yes", *at).stdout == "Dropped 2 dead messages.\n"
    assert hedgerow("dead", "list", *at).stdout == "No dead messages.\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("redeliver",), 2),
        (("redeliver", "dead_1", "--all"), 2),
        (("redeliver", "--all", "--body", "none.json"), 2),
        (("redeliver", "dead_1", "--body", "none.json"), 2),
        (("redeliver", "dead_404"), 4),
        (("show", "dead_404"), 4),
        (("drop", "dead_404", "--yes"), 4),
    ],
)
def test_a_wrong_call_says_so_in_one_line(folder: Path, words: tuple[str, ...], code: int) -> None:
    said = hedgerow("dead", *words, "--data", str(folder))
    assert said.returncode == code
    assert "Traceback" not in said.stderr
    assert said.stdout == ""


def test_the_doctor_says_what_is_wrong_since_when_and_what_mends_it(folder: Path, answers: Answers) -> None:
    answers.say("GET", "/health", {"status": "alive"})
    answers.say("GET", "/ready", {"status": "ready"})
    answers.say("GET", "/v1/tenants", {"items": []})
    here = {"HEDGEROW_URL": answers.url, "HEDGEROW_ADMIN_KEY": "hdg_admin"}
    with served(folder):
        said = hedgerow("doctor", "--data", str(folder), HEDGEROW_TOPIC_PREFX="x-", **here)
        report = json.loads(hedgerow("doctor", "--json", "--data", str(folder), **here).stdout)

    lines = said.stdout.splitlines()
    assert said.returncode == 1
    assert lines[0] == f"Looked at: the folder {folder}; its server {answers.url}"
    (redelivered, dropped) = sorted((lines[1:3], lines[3:5]), key=lambda pair: "redeliver --topic" not in pair[1])
    assert redelivered[0].startswith("problem  run-ended: 1 dead message;")
    assert "Since 2026-11-01 00:00:00 UTC" in redelivered[0]
    assert redelivered[1] == (
        "         → hedgerow dead list --topic run-ended; mend the cause, then hedgerow dead redeliver --topic run-ended"
    )
    assert "hedgerow dead drop dead_2" in dropped[1]
    assert lines[5].startswith("warning  HEDGEROW_TOPIC_PREFX")
    assert lines[-1].startswith("2 problems, 1 warning. Fine: connections, ")
    assert len(lines) == 8

    problem, _ = [each for each in report["findings"] if each["severity"] == "problem"]
    assert set(problem) == {"code", "severity", "subject", "what", "since", "command", "tenant"}
    assert (report["problems"], report["warnings"], problem["code"]) == (2, 0, "dead.messages")
    assert report["looked_at"] == lines[0].removeprefix("Looked at: ")

    assert hedgerow("dead", "drop", "dead_1", "dead_2", "--yes", "--data", str(folder)).returncode == 0
    with served(folder):
        well = hedgerow("doctor", "--verbose", "--data", str(folder), **here)
    assert well.returncode == 0
    assert well.stdout.splitlines()[-1].startswith("Nothing is wrong. Fine: ")


def test_a_folder_without_an_installation_is_not_reached(tmp_path: Path) -> None:
    said = hedgerow("doctor", "--data", str(tmp_path / "none"))
    assert said.returncode == 3
    assert "hedgerow dev" in said.stdout
    assert said.stdout.startswith(f"Looked at: the folder {tmp_path / 'none'}\n")
    assert "Not looked at: manifest, server, store, queue, same installation, " in said.stdout
    assert "Fine:" not in said.stdout
    misspelt = hedgerow("doctor", "--json", HEDGEROW_STORE="mysql")
    assert misspelt.returncode == 3
    (finding,) = json.loads(misspelt.stdout)["findings"]
    assert finding["code"] == "settings.invalid"
    assert "HEDGEROW_STORE" in finding["what"]


def test_a_folder_beside_a_project_is_refused(folder: Path) -> None:
    said = hedgerow("dead", "list", "--data", str(folder), HEDGEROW_STORE="firestore", HEDGEROW_PROJECT="p")
    assert said.returncode == 4
    assert "only one of them can be meant" in said.stderr


def test_the_page_and_the_code_have_the_same_codes() -> None:
    page = (ROOT / "docs/operations/doctor.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (\w+) \|", page, re.MULTILINE))
    meanings = dict(re.findall(r"^\| `([a-z_.]+)` \| \w+ \| ([^|]+) \|", page, re.MULTILINE))

    assert rows == {code: severity for code, (severity, _) in CODES.items()}
    assert meanings == {code: meaning for code, (_, meaning) in CODES.items()}


def test_every_code_is_used_and_no_other() -> None:
    source = "".join(
        path.read_text() for path in (ROOT / "hedgerow/cli/operations/doctor").glob("*.py") if path.stem != "codes"
    )
    quoted = set(re.findall(r'"([a-z]+\.[a-z_]+)"', source))
    assert set(CODES) - quoted <= {"ok", "unknown"}
    with pytest.raises(KeyError):
        found("store.nothing", "x", "y")


def test_a_schedule_that_no_server_will_call_is_said(folder: Path) -> None:
    words = ("schedules", "run", "sync-tick-pro", "--data", str(folder))
    with served(folder):
        assert hedgerow(*words).returncode == 0

    said = hedgerow(*words)

    assert said.returncode == 3
    assert "No server runs on" in said.stderr
    assert f"hedgerow dev --data {folder}" in said.stderr
