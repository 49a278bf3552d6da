"""The user's journey by the command line, on the embedded store and on Google's emulators: the same words, the same numbers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.journeys.local_servers import Served, dev, posthog

ADMIN = "the-operators-own-key"
DAYS = 40


def _events(file: Path) -> None:
    """Three people, one event a day each, and one of them twice on every fifth day."""
    now = datetime.now(UTC).replace(microsecond=0)
    with file.open("w") as lines:
        for age in range(DAYS, 0, -1):
            for person in range(3):
                for copy in range(2 if person == 0 and age % 5 == 0 else 1):
                    at = (now - timedelta(days=age)).replace(hour=10 + copy)
                    event = {"uuid": str(uuid4()), "event": "$pageview", "distinct_id": f"person_{person}"}
                    lines.write(json.dumps({**event, "timestamp": at.isoformat(), "properties": {}}) + "\n")


class Terminal:
    """A user at a terminal with these variables set."""

    def __init__(self, **variables: str) -> None:
        self.variables = variables

    def run(self, *arguments: str, exits: int = 0) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
        done = subprocess.run(
            [sys.executable, "-m", "hedgerow.cli", *arguments],
            env={**kept, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == exits, f"{arguments}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}"
        return done.stdout


@pytest.fixture(params=["embedded", "emulators"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Served, dict[str, str]]]:
    options: tuple[str, ...] = ()
    variables = {"HEDGEROW_ADMIN_KEY": ADMIN}
    if request.param == "emulators":
        options = ("--emulators",)
        variables |= {
            "FIRESTORE_EMULATOR_HOST": request.getfixturevalue("firestore_host"),
            "PUBSUB_EMULATOR_HOST": request.getfixturevalue("pubsub_host"),
            "HEDGEROW_PROJECT": request.getfixturevalue("project"),
        }
    _events(tmp_path / "events.jsonl")
    with posthog(tmp_path / "posthog", "--events", str(tmp_path / "events.jsonl")) as there:
        variables["HEDGEROW_ALLOWED_PRIVATE_HOSTS"] = there["host"].removeprefix("http://")
        with dev(tmp_path / "hedgerow", *options, **variables) as server:
            yield server, there
            code, seconds = server.end()
            assert code == 0
            assert seconds < 5


def test_connect_sync_read_prove_disconnect(served: tuple[Served, dict[str, str]]) -> None:
    server, there = served
    user = Terminal(HEDGEROW_URL=server.url, HEDGEROW_ADMIN_KEY=ADMIN)
    tenant = json.loads(user.run("tenants", "create", "Acme", "--tier", "pro", "--json"))
    user.variables["HEDGEROW_API_KEY"] = tenant["api_key"]
    user.variables["HEDGEROW_POSTHOG_PERSONAL_API_KEY"] = there["personal_api_key"]
    user.variables["HEDGEROW_POSTHOG_PROJECT_TOKEN"] = there["project_token"]

    user.run("connect", "--host", there["host"], "--test")
    assert "points stored" in user.run("connect", "--host", there["host"])
    assert "already" in _refusal_of(user, "connect", "--host", there["host"])

    series = json.loads(user.run("metrics", "--json", "--name", "posthog_dau", "--name", "posthog_events"))["series"]
    dau, events = ({point["date"]: point["value"] for point in each["points"]} for each in series)
    today = datetime.now(UTC).date()
    assert len(dau) == 30
    for age in range(1, 30):
        day = str(today - timedelta(days=age))
        assert (dau[day], events[day]) == (3, 4 if age % 5 == 0 else 3)

    late = (datetime.now(UTC) - timedelta(days=3)).replace(hour=12)
    event = {"event": "$pageview", "distinct_id": "late", "uuid": str(uuid4()), "timestamp": late.isoformat()}
    sent = httpx.post(f"{there['host']}/i/v0/e/", json={**event, "api_key": there["project_token"]}, trust_env=False)
    assert sent.status_code == 200
    assert str(late.date()) in user.run("sync")
    changes = json.loads(user.run("changes", "--json"))["items"]
    moved = {each["metric"]: (each["old"], each["new"]) for each in changes if each["day"] == str(late.date())}
    assert moved["posthog_dau"] == (3, 4)
    assert {each["day"] for each in changes} == {str(today - timedelta(days=age)) for age in (3, 2, 1)}
    assert "Equal, day by day." in user.run("prove")
    assert "select" in user.run("explain", "--name", "posthog_dau", "--date", str(late.date())).lower()
    assert len(re.findall(r"^run_", user.run("runs"), re.MULTILINE)) == 2

    user.run("tick", "pro")
    user.run("disconnect")
    assert json.loads(user.run("connections", "show", "--json"))["has_personal_api_key"] is False
    assert json.loads(user.run("metrics", "--json", "--name", "posthog_dau"))["series"][0]["points"]
    user.run("sync", exits=4)
    user.run("disconnect")
    assert "Receipt" in user.run("disconnect", "--purge", "--yes")
    assert "deleted" in user.run("tenants", "delete", tenant["id"], "--yes")


def _refusal_of(user: Terminal, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    done = subprocess.run(
        [sys.executable, "-m", "hedgerow.cli", *arguments],
        env={**kept, **user.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    return done.stderr
