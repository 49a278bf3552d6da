"""Sets up `.venv`: an environment of its own, the locked requirements, the `hedgerow` command.

Runs on the system's Python with nothing but its standard library, writes nothing outside
the clone, and leaves a mark only when everything succeeded, so that an interrupted
installation is taken up again.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements-dev.txt"
MARK = VENV / ".installed"


def main() -> int:
    """0 when `.venv` is complete; 1 with one line saying what is missing."""
    if sys.version_info < OLDEST:
        newer = _newer_python()
        if newer is not None:
            return subprocess.run([newer, __file__], check=False).returncode
        return _fail(
            f"Hedgerow needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]} "
            f"({sys.executable}), and no newer one is on the PATH."
        )
    began = time.monotonic()
    python = _scripts() / "python"
    if not _works(python):
        _say(f"Making an environment in .venv with Python {sys.version.split()[0]}.")
        if subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False).returncode != 0:
            return _fail("Python could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv")
    count = sum(1 for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line.split("#")[0])
    _say(
        f"Installing {count} packages, each checked against the hash in {LOCK.name}. The first time takes a minute or two."
    )
    if not _pip(python, "--require-hashes", "-r", str(LOCK)):
        return _fail(
            "The packages could not be installed; what pip says is above. Run `make install` to go on from here."
        )
    _add_command(python)
    MARK.write_text("Written when every step of local/install.py had succeeded.\n", encoding="utf-8")
    _say(f"Installed in {time.monotonic() - began:.0f} s: the command is .venv/bin/hedgerow.")
    return 0


def _newer_python() -> str | None:
    """Where `python3` is an old one, a newer one often stands beside it under its full name."""
    names = [f"python{OLDEST[0]}.{minor}" for minor in range(OLDEST[1] + 3, OLDEST[1] - 1, -1)]
    return next((path for path in map(shutil.which, names) if path is not None), None)


def _scripts() -> Path:
    return VENV / ("Scripts" if os.name == "nt" else "bin")


def _works(python: Path) -> bool:
    """An environment from another Python, or from before the clone was moved, is made anew."""
    if not python.exists():
        return False
    program = f"import pip, sys; assert sys.version_info >= {OLDEST}; assert sys.prefix == {str(VENV)!r}"
    return subprocess.run([str(python), "-c", program], check=False, capture_output=True).returncode == 0


def _pip(python: Path, *arguments: str) -> bool:
    command = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
    return subprocess.run(command, check=False).returncode == 0


def _add_command(python: Path) -> None:
    """Put the clone on the environment's path and the command beside its Python.

    What an editable build would do, without a build tool: those are not in the
    environment of Python 3.12 and later, and would be the one thing fetched unchecked.
    """
    purelib = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(purelib, "hedgerow-clone.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    command = _scripts() / "hedgerow"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} -m hedgerow.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(line: str) -> int:
    print(line, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
