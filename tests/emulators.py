"""Google's emulators for the length of a run: started on free ports, ended with everything they began.

Each yields "host:port". They keep everything in memory; a fresh project id isolates one
test from the next. `EmulatorMissingError` says what to install.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60
END_SECONDS = 20
# Runs a command, and ends it with all its children when whoever holds our standard input lets go or is killed.
# gcloud makes itself the head of a process group of its own, and leaves its Java child behind when it alone is ended.
UNTIL_LET_GO = """
exec 3<&0
"$@" </dev/null 3<&- & child=$!
(cat <&3 >/dev/null; kill -KILL -$child $child 2>/dev/null) &
wait $child
"""
HOW_TO_GET_THEM = """\
Install Java 17 or newer and the Google Cloud CLI (https://cloud.google.com/sdk/docs/install), then:
    gcloud components install cloud-firestore-emulator pubsub-emulator beta"""


class EmulatorMissingError(Exception):
    """An emulator could not be started; the text says why."""


@contextmanager
def firestore_emulator(port: int | None = None) -> Iterator[str]:
    """Firestore in native mode, on a free port or on one that is known to be free again."""
    with _emulator(["gcloud", "emulators", "firestore", "start"], "Dev App Server is now running", port) as host:
        yield host


@contextmanager
def pubsub_emulator(port: int | None = None) -> Iterator[str]:
    """Pub/Sub with push subscriptions, on a free port or on one that is known to be free again."""
    command = ["gcloud", "beta", "emulators", "pubsub", "start", "--project=hedgerow-tests"]
    with (
        tempfile.TemporaryDirectory() as folder,
        _emulator([*command, f"--data-dir={folder}"], "Server started", port) as host,
    ):
        yield host


@contextmanager
def _emulator(command: list[str], ready: str, port: int | None) -> Iterator[str]:
    for program in ("gcloud", "java"):
        if shutil.which(program) is None:
            raise EmulatorMissingError(f"{program} is not installed")
    host = f"127.0.0.1:{port or _free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "emulator.log"
        with said.open("wb") as file:
            process = subprocess.Popen(
                ["sh", "-c", UNTIL_LET_GO, "sh", *command, f"--host-port={host}"],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
                start_new_session=True,
            )
        try:
            _wait_until(ready, said, process)
            yield host
        finally:
            process.communicate(timeout=END_SECONDS)


def _wait_until(ready: str, said: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while ready not in (text := said.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > until:
            last = " / ".join(text.strip().splitlines()[-5:])
            raise EmulatorMissingError(f"it did not start: {last}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
