"""Runs an SDK's script as a process of its own, in this process's place of a customer's back end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tests.sdk.hosts import Site

Sdk = Literal["python", "node"]
Protocol = Literal["v0", "v1"]
FOLDER = Path(__file__).resolve().parent
SECONDS = 60
COMMANDS: dict[Sdk, list[str]] = {
    "python": [sys.executable, str(FOLDER / "scripts" / "python_sdk.py")],
    "node": ["node", str(FOLDER / "scripts" / "node_sdk.mjs")],
}


@dataclass(frozen=True)
class Said:
    """What a script said at its end: the SDK's own instant of each event by uuid, and what it was answered."""

    own: dict[str, datetime]
    heard: dict[str, Any]


@dataclass
class Running:
    """A script on its way."""

    process: subprocess.Popen[str]

    def end(self) -> Said:
        """Wait for its end, which must be a good one."""
        output, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, errors[-3_000:]
        said = json.loads(output.splitlines()[-1])
        return Said({each: datetime.fromisoformat(at) for each, at in said["own"].items()}, said["heard"])


def start(sdk: Sdk, site: Site, act: str, *, protocol: Protocol = "v0", **asked: Any) -> Running:
    """Start an act of an SDK against a site."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTHOG_")}
    if protocol == "v1":
        kept["POSTHOG_CAPTURE_MODE"] = "v1"
    given = {
        "act": act,
        "host": site.host,
        "token": site.token,
        "personal_api_key": site.personal_api_key,
        **asked,
    }
    return Running(
        subprocess.Popen(
            [*COMMANDS[sdk], json.dumps(given)],
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )


def run(sdk: Sdk, site: Site, act: str, *, protocol: Protocol = "v0", **asked: Any) -> Said:
    """Run an act to its end."""
    return start(sdk, site, act, protocol=protocol, **asked).end()
