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


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Seconds of a processor that the process and all of its session have used so far, of every thread; Linux only.

    Other work on the machine lengthens these far less than the clock's.
    """
    used = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        # A process or a thread may be over before it is read.
        with suppress(FileNotFoundError, ProcessLookupError):
            session = status.read_text(encoding="utf-8").rpartition(")")[2].split()[3]
            if int(session) == process.pid:
                for thread in status.parent.glob("task/*/schedstat"):
                    used += int(thread.read_text(encoding="utf-8").split()[0])
    return used / 1e9


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process and all it started, and wait: nothing of it may run beside the next measurement."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
