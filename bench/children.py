"""Child processes of the benches: their environment, and their certain end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from local.environment import with_variables

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def child(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command in the repository's root, none of its own settings inherited; errors go to `log`.

    At the end of the block the whole group is ended: gunicorn has workers.
    """
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=with_variables(PYTHONPATH=str(ROOT), **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process and all it started, and wait: nothing of it may run beside the next measurement."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
