"""Servers of the command line as processes: started, read until they are ready, always ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Served:
    """A running server, and what it printed before it was ready."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str]

    @property
    def admin_key(self) -> str:
        """The key it printed."""
        return next(line.partition("=")[2] for line in self.lines if line.startswith("HEDGEROW_ADMIN_KEY="))

    def end(self, signal_number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; the exit code and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=10), time.monotonic() - began


@contextmanager
def dev(data: Path, *options: str, **variables: str) -> Iterator[Served]:
    """`hedgerow dev` on a free port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEDGEROW_")}
    with (
        (data.parent / f"{data.name}.log").open("a") as log,
        subprocess.Popen(
            [sys.executable, "-m", "hedgerow.cli", "dev", "--port", "0", "--data", str(data), *options],
            env={**kept, **variables},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while not lines or not lines[-1].startswith("ready "):
                line = process.stdout.readline()
                assert line, f"it ended before it was ready; see {log.name}"
                lines.append(line.rstrip("\n"))
            yield Served(process, lines[-1].removeprefix("ready "), lines)
        finally:
            process.kill()


@contextmanager
def posthog(data: Path, *options: str) -> Iterator[dict[str, str]]:
    """`hedgerow posthog` on a free port; its first line."""
    with subprocess.Popen(
        [sys.executable, "-m", "hedgerow.cli", "posthog", "--port", "0", "--data", str(data), *options],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=10)
