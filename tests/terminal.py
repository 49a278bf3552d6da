"""The command at a terminal of its own, 80 columns wide."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from tests.cli_process import Answers


def at_a_terminal(answers: Answers, *arguments: str, typed: str = "", **variables: str) -> str:
    """What the command prints at a terminal of 80 columns, where this is typed."""
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    called = {"HEDGEROW_URL": answers.url, "HEDGEROW_API_KEY": "k", "TERM": "xterm-256color", **variables}
    command = [sys.executable, "-m", "hedgerow.cli", *arguments]
    with subprocess.Popen(command, env={**kept, **called}, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        said = b""
        try:
            while part := os.read(ours, 65_536):
                said += part
        except OSError:
            pass  # Linux says so when the last writer has gone.
        finally:
            os.close(ours)
        process.wait(timeout=20)
    return said.decode().replace("\r\n", "\n")
