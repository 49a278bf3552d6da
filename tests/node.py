"""PostHog's JavaScript SDKs, the TypeScript compiler and a browser: installed from the lock file once, or said to be missing.

`PartMissingError` says what a machine lacks; the fixtures in `conftest.py` skip loudly or fail on it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "sdk"
MODULES = FOLDER / "node_modules"
INSTALL_SECONDS = 300
OLDEST_NODE = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_NODE = f"Install Node.js {OLDEST_NODE} or newer with npm; the tests run `npm ci` in tests/sdk by themselves."
HOW_TO_GET_A_BROWSER = "Install Chromium, on Debian: apt-get install chromium."


class PartMissingError(Exception):
    """A part the suite needs is not on this machine; the text says why, `how` what to do."""

    def __init__(self, why: str, how: str) -> None:
        super().__init__(why)
        self.how = how


def node_modules() -> Path:
    """The folder of the packages in `package-lock.json`, installed when it is not up to date."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise PartMissingError(f"{program} is not installed", HOW_TO_GET_NODE)
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    major = said.removeprefix("v").partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        raise PartMissingError(f"node is {said or 'silent'}", HOW_TO_GET_NODE)
    lock = FOLDER / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = MODULES / ".installed"
    # Several test processes may start at once; the first installs, the others wait for it.
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install()
            stamp.write_text(wanted)
    return MODULES


def _install() -> None:
    try:
        done = subprocess.run(
            ["npm", "ci"], cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise PartMissingError(f"`npm ci` took over {INSTALL_SECONDS} s", HOW_TO_GET_NODE) from None
    if done.returncode:
        last = " / ".join(done.stderr.strip().splitlines()[-5:])
        raise PartMissingError(f"`npm ci` failed: {last}", HOW_TO_GET_NODE)


def browser() -> str:
    """The path of a Chromium."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise PartMissingError("chromium is not installed", HOW_TO_GET_A_BROWSER)
