"""Load from `wrk` (Debian's package): as fast as possible, or paced; its counts and percentiles read back."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BINARY = shutil.which("wrk")

_SCRIPT = """
wrk.method = "POST"
wrk.path = "%(path)s"
wrk.headers["Content-Type"] = "%(content_type)s"
%(encoding)s
local file = io.open("%(body)s", "rb")
wrk.body = file:read("*all")
file:close()
%(delay)s
function done(summary, latency, requests)
  io.write(string.format('\\nfigures {"requests":%%d,"seconds":%%f,"errors":%%d,"refused":%%d,"p50":%%f,"p99":%%f}\\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.errors.status, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: a body in a file, and how."""

    body: Path
    path: str = "/batch/"
    content_type: str = "application/json"
    is_gzip: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back. Times in seconds."""

    rate: float
    p50: float
    p99: float
    requests: int
    failures: int


def is_there() -> bool:
    """Is wrk installed?"""
    return BINARY is not None


def run(
    origin: str, load: Load, *, connections: int, seconds: float, rate: float | None = None, away: float = 0.0
) -> Answered:
    """Send for so many seconds; `rate` in requests a second over all connections, None for as many as go.

    `away`: how long an answer takes at least, which the pauses of a paced load leave room for.
    """
    if BINARY is None:
        raise RuntimeError("wrk is not installed")
    pace = ""
    if rate is not None:
        # Each connection waits between its requests, so that all together keep the rate.
        pace = f"function delay() return {max(0.0, connections / rate - away) * 1000:.3f} end"
    script = load.body.with_suffix(".lua")
    script.write_text(
        _SCRIPT
        % {
            "path": load.path,
            "content_type": load.content_type,
            "encoding": 'wrk.headers["Content-Encoding"] = "gzip"' if load.is_gzip else "",
            "body": load.body,
            "delay": pace,
        },
        encoding="utf-8",
    )
    command = [BINARY, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s", "-s", str(script), origin]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    line = next(line for line in said.splitlines() if line.startswith("figures "))
    figures = json.loads(line.removeprefix("figures "))
    return Answered(
        rate=figures["requests"] / figures["seconds"],
        p50=figures["p50"],
        p99=figures["p99"],
        requests=figures["requests"],
        failures=figures["errors"] + figures["refused"],
    )
