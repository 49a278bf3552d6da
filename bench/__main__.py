"""`python -m bench [name…]`: measure, print the table, write build/bench.json.

Ends with 0 even when a promise is missed: a measurement reports. `--strict` makes a miss,
and a row that could not be measured, an exit code of 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import report, table
from bench.children import ROOT, child
from bench.figures import Row, unmeasured
from bench.machine import described

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = (
    *("requests", "billed", "costs", "reading", "combined", "ticks", "moving"),
    *("capture", "capture_far", "capture_down", "capture_drain"),
    *("starts", "imports", "demo"),
    *("backtesting", "alert_speed", "detection", "late_data", "told"),
)
JSON, LOG, PAGE = ROOT / "build/bench.json", ROOT / "build/bench.log", ROOT / "docs/benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """0; with `--strict` 1 when a promise is missed or not measured."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    machine = described()
    print(f"Measuring {', '.join(asked.names or NAMES)} on {machine}.", flush=True)
    rows: list[Row] = []
    for name in asked.names or NAMES:
        began = time.perf_counter()
        rows += _measured(name, small=asked.small)
        print(f"  {name}: {time.perf_counter() - began:.0f} s", flush=True)
    print()
    table.show(rows)
    report.write(JSON, report.as_json(rows, machine, full=not asked.small))
    print(f"\nWritten to {JSON.relative_to(ROOT)}; what the functions logged is in {LOG.relative_to(ROOT)}.")
    if asked.publish is not None:
        size = "" if not asked.small else " Small sizes: a trial, not the promise."
        page = PAGE.read_text(encoding="utf-8")
        report.write(
            PAGE, report.published(page, rows, f"Taken on {machine}.{size} {asked.remark}".rstrip(), asked.publish)
        )
    return _verdict(rows, strict=asked.strict)


def _measured(name: str, *, small: bool) -> list[Row]:
    """A bench's rows, from a process of its own: none warms or burdens the next, and what stops one is a row."""
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder) / "rows.json", Path(folder) / "log"
        command = [sys.executable, "-m", "bench.one", name, str(file), *(["small"] if small else [])]
        with child(command, log, {}) as process:
            try:
                process.wait()
            except KeyboardInterrupt:
                # It has emulators and servers to end.
                process.send_signal(signal.SIGINT)
                process.wait(timeout=20)
                raise
        said = log.read_text(encoding="utf-8", errors="replace")
        with LOG.open("a", encoding="utf-8") as kept:
            kept.write(said)
        if process.returncode != 0:
            last = said.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            return [unmeasured(name, name, last[0][:300])]
        return report.rows_of(file.read_text(encoding="utf-8"))


def _verdict(rows: Sequence[Row], *, strict: bool) -> int:
    broken = [row for row in rows if row.verdict in {"MISSED", "NOT MEASURED"}]
    for row in broken:
        print(f"{row.verdict}: {row.what}{': ' + row.note if row.figure is None else ''}")
    if not broken:
        print("Every promise is met.")
    return 1 if broken and strict else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what the README promises.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"one or more of {', '.join(NAMES)}; none: all")
    parser.add_argument("--small", action="store_true", help="small sizes and few rounds, to try a bench out")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a promise is missed or not measured")
    parser.add_argument(
        "--publish",
        nargs="?",
        const="",
        metavar="BLOCK",
        help="write the figures into docs/benchmarks.md, or a block of it",
    )
    parser.add_argument("--remark", default="", help="a sentence beside published figures")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
