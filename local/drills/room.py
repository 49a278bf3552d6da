"""The room a drill is played in: a small shop's PostHog, Hedgerow beside it, connected and well.

Owns the servers, what breaks them, and the waiting; the story is each drill's own.
"""

from __future__ import annotations

import json
import random
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from hedgerow.wiring import utc_now
from local.stage import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from local.stage import Stage

DAYS = 30
EVENTS = 1_500
LONGEST_WAIT = 60.0


@dataclass
class Room:
    """Two servers and one connection."""

    stage: Stage
    posthog: dict[str, str]
    connection: str

    @classmethod
    def begin(cls, stage: Stage) -> Room:
        """Start both servers and connect."""
        room = cls(stage, _start_posthog(stage), "")
        stage.variables["HEDGEROW_ADMIN_KEY"] = f"hdg_admin_{secrets.token_urlsafe(32)}"
        stage.variables["HEDGEROW_ALLOWED_PRIVATE_HOSTS"] = httpx.URL(room.posthog["host"]).netloc.decode()
        # The operator's commands work on the same folder as the server.
        stage.variables["HEDGEROW_DATA"] = str(room.data)
        room.start_hedgerow("0")
        key = stage.read("tenants", "create", "Drill Ltd", "--tier", "scale", shown=False)
        stage.variables["HEDGEROW_API_KEY"] = key.partition("HEDGEROW_API_KEY=")[2].strip()
        stage.variables["HEDGEROW_POSTHOG_PERSONAL_API_KEY"] = room.posthog["personal_api_key"]
        stage.variables["HEDGEROW_POSTHOG_PROJECT_TOKEN"] = room.posthog["project_token"]
        connected = json.loads(
            stage.read("connect", "--host", room.posthog["host"], "--name", "Drill shop", "--json", shown=False)
        )
        room.connection = connected["id"]
        room.until(lambda: room.last_run("succeeded"), "The first sync did not end.")
        say(f"Hedgerow at {room.url} with one connection, {room.connection}, synced and well.")
        return room

    @property
    def data(self) -> Path:
        """The folder the server keeps everything in."""
        return self.stage.folder / "hedgerow"

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self.stage.variables["HEDGEROW_URL"]

    def start_hedgerow(self, port: str) -> None:
        """Start the server; with port "0" on a free one."""
        for line in self.stage.serve("dev", "--port", port, "--data", str(self.data)):
            if line.startswith("ready "):
                self.stage.variables["HEDGEROW_URL"] = line.split()[1]
                return
        raise StepError("Hedgerow did not start.")

    def kill_hedgerow(self) -> None:
        """End the server as a crash does, without a word."""
        server = next(each for each in reversed(self.stage.servers) if each.name == "dev")
        server.process.kill()
        server.process.wait(timeout=10)

    def restart_hedgerow(self) -> None:
        """Start it again on the same port and folder."""
        self.start_hedgerow(str(httpx.URL(self.url).port))

    def switch_posthog(self, *, off: bool) -> None:
        """Close every connection to PostHog, or take them again."""
        self.control("off", {"off": off})

    def control(self, verb: str, body: dict[str, object]) -> dict[str, Any]:
        """One call to the local PostHog's control."""
        answer = httpx.post(f"{self.posthog['host']}/_local/{verb}", json=body, timeout=30, trust_env=False)
        answer.raise_for_status()
        answered: dict[str, Any] = answer.json()
        return answered

    def capture(self, number: int) -> str:
        """Send events as an SDK does, one request; Hedgerow must take them. The uuid of the newest."""
        now = utc_now()
        batch = [_event(now - timedelta(seconds=back), f"shopper_{back % 7}") for back in range(number)]
        body = {"api_key": self.posthog["project_token"], "batch": batch}
        answer = httpx.post(f"{self.url}/batch/", json=body, timeout=30, trust_env=False)
        if answer.status_code != 200:
            raise StepError(f"Hedgerow answered {number} events with {answer.status_code}.")
        say(f"POST {self.url}/batch/ → {answer.status_code}, {number} events taken")
        return str(batch[0]["uuid"])

    def last_run(self, state: str) -> bool:
        """Whether the newest run is in this state."""
        runs = json.loads(self.stage.read("runs", "--json", shown=False))["items"]
        return bool(runs) and runs[0]["state"] == state

    def findings(self) -> list[dict[str, Any]]:
        """What the doctor finds now, without a word on the screen."""
        found: list[dict[str, Any]] = json.loads(self.stage.read("doctor", "--json", shown=False, exits=None))[
            "findings"
        ]
        return [each for each in found if each["severity"] in {"problem", "warning"}]

    def sees(self, *codes: str) -> None:
        """Wait until the doctor finds these, then show what an engineer on call sees."""
        self.until(
            lambda: set(codes) <= {each["code"] for each in self.findings()},
            f"The doctor did not find {', '.join(codes)}",
        )
        self.stage.run("doctor", exits=None)

    def is_well_again(self, *codes: str) -> None:
        """Wait until the doctor finds none of these any more, then show it."""
        self.until(
            lambda: not set(codes) & {each["code"] for each in self.findings()},
            f"The doctor still finds {', '.join(codes)}",
        )
        self.stage.run("doctor", exits=None)

    def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Look again and again, for a minute."""
        end = time.monotonic() + LONGEST_WAIT
        while not holds():
            if time.monotonic() > end:
                raise StepError(otherwise)
            time.sleep(0.3)


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(line, flush=True)


def act(line: str) -> None:
    """What happens next in the story."""
    print(f"\n── {line}", flush=True)


def _start_posthog(stage: Stage) -> dict[str, str]:
    events = stage.folder / "events.jsonl"
    dice, now = random.Random(7), utc_now()  # noqa: S311 - the same drill each time
    with events.open("w", encoding="utf-8") as lines:
        for _ in range(EVENTS):
            at = now - timedelta(seconds=dice.randrange(DAYS * 86_400))
            lines.write(json.dumps(_event(at, f"shopper_{dice.randrange(40)}")) + "\n")
    first = stage.serve(
        "posthog", "--port", "0", "--data", str(stage.folder / "posthog"), "--events", str(events)
    ).readline()
    if not first:
        raise StepError("The local PostHog did not start.")
    said: dict[str, str] = json.loads(first)
    return said


def _event(at: datetime, who: str) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid4()),
        "event": "order.placed",
        "distinct_id": who,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "properties": {"amount_minor": 1_900, "currency": "EUR"},
    }
