"""`hedgerow schedules` as a process, on the folder of an embedded installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from functions.api.timetable import planned
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.cli.operations.schedules.keeping import STOPS
from hedgerow.schedules import kept, note_call

if TYPE_CHECKING:
    from pathlib import Path

SCALE = "hedgerow-sync-tick-scale"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    store = SqliteStore(tmp_path / "store.db")
    await note_call(store, SCALE, NOON, 503, None)
    await store.close()
    return tmp_path


def hedgerow(folder: Path | None, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command on a folder, or without one on what the variables name."""
    place = () if folder is None else ("--data", str(folder))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    return subprocess.run(
        [sys.executable, "-m", "hedgerow.cli", "schedules", *arguments, *place],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def known_in(folder: Path) -> Any:
    store = SqliteStore(folder / "store.db")
    found = await kept(store)
    await store.close()
    return found


def test_the_list_shows_every_schedule_with_its_last_answer(folder: Path) -> None:
    said = hedgerow(folder)

    assert said.returncode == 0
    assert {plan.name for plan in planned("hedgerow-")} <= set(said.stdout.split())
    line = next(line for line in said.stdout.splitlines() if SCALE in line)
    assert "every 5 minutes" in line
    assert "failing" in line
    assert "2026-11-21 12:00:00" in line
    assert "503" in line


async def test_a_pause_says_what_stops_and_how_to_go_on(folder: Path) -> None:
    paused = hedgerow(folder, "pause", "sync_tick-scale")
    listed = hedgerow(folder, "list")
    shown = json.loads(hedgerow(folder, "list", "--json").stdout)

    assert "do not sync by themselves" in paused.stdout
    assert f"hedgerow schedules resume {SCALE}" in paused.stdout
    assert f"hedgerow schedules resume {SCALE}" in listed.stdout
    job = next(item for item in shown["items"] if item["name"] == SCALE)
    assert (job["state"], job["next_at"], job["last_status"]) == ("paused", None, 503)
    assert "do not sync" in job["stops"]
    assert shown["missing"] == []
    assert (await known_in(folder))[SCALE].paused

    assert "next call" in hedgerow(folder, "resume", SCALE).stdout
    assert not (await known_in(folder))[SCALE].paused


async def test_run_keeps_the_wish_and_says_where_to_look_and_that_nobody_serves_the_folder(folder: Path) -> None:
    said = hedgerow(folder, "run", "sync-tick-scale")

    assert said.returncode == 3
    assert "hedgerow schedules list" in said.stdout
    assert f"No server runs on {folder}" in said.stderr
    assert f"hedgerow dev --data {folder}" in said.stderr
    assert (await known_in(folder))[SCALE].wanted_at is not None


@pytest.mark.parametrize("verb", ["pause", "resume", "run"])
def test_an_unknown_name_is_refused_with_the_nearest(folder: Path, verb: str) -> None:
    said = hedgerow(folder, verb, "sync-tik-scale")

    assert said.returncode == 4
    assert "There is no schedule sync-tik-scale" in said.stderr
    assert f"Did you mean {SCALE}?" in said.stderr


def test_the_cloud_without_a_region_says_which_variable() -> None:
    cloud = {"HEDGEROW_QUEUE": "pubsub", "HEDGEROW_PROJECT": "hedge", "HEDGEROW_STORE": "firestore"}
    said = hedgerow(None, "list", **cloud)

    assert said.returncode == 3
    assert "wrong_region" in said.stderr
    assert "HEDGEROW_REGION" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_cloud_without_credentials_says_what_to_do(tmp_path: Path) -> None:
    cloud = {
        "HEDGEROW_QUEUE": "pubsub",
        "HEDGEROW_PROJECT": "hedge",
        "HEDGEROW_STORE": "firestore",
        "HEDGEROW_REGION": "europe-west1",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "no-such-file.json"),
    }
    said = hedgerow(None, "list", **cloud)

    assert said.returncode == 3
    assert "no_credentials" in said.stderr
    assert "gcloud auth application-default login" in said.stderr
    assert "Traceback" not in said.stderr


def test_what_a_pause_stops_is_known_of_every_schedule() -> None:
    assert {plan.target for plan in planned("")} == set(STOPS)
