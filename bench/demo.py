"""How long `make demo` takes once everything is installed, when it succeeds."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.children import child
from bench.figures import Must, Row, spread, unmeasured
from bench.sizes import Sizes

NAME = "demo"
WHAT = "`make demo`, after installation"
MUST = Must(90, "figure")
PATIENCE_SECONDS = 300


def measure(sizes: Sizes) -> list[Row]:
    """One row; the demo runs once, because it is long and nothing is compared."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "demo.log"
        began = time.perf_counter()
        with child([sys.executable, "-m", "local.demo"], log, {"SERVE": ""}) as process:
            try:
                told, _ = process.communicate(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                return [unmeasured(NAME, WHAT, f"it did not end within {PATIENCE_SECONDS} s", MUST)]
        took = time.perf_counter() - began
        if process.returncode != 0:
            last = (log.read_text(encoding="utf-8") or told).strip().splitlines()[:1]
            return [
                unmeasured(NAME, WHAT, f"it ended with exit code {process.returncode}: {' '.join(last)[:200]}", MUST)
            ]
    return [Row(NAME, WHAT, spread([took]), "s", must=MUST)]
