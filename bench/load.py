"""Load from `wrk` (Debian's package): as fast as possible, or paced; its counts and percentiles read back.

Every request sends the next of many bodies. All are made before the clock starts, so that the
generator does the same little work whatever it sends.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.capture_bodies import lengths_of

BINARY = shutil.which("wrk")

_SCRIPT = """
local requests, count, at = {}, 0, 0
wrk.headers["Content-Type"] = "%(content_type)s"
%(encoding)s
function init(args)
  local file = io.open("%(bodies)s", "rb")
  for length in io.lines("%(lengths)s") do
    count = count + 1
    requests[count] = wrk.format("POST", "%(path)s", nil, file:read(tonumber(length)))
  end
  file:close()
  at = %(first)d %% count
  collectgarbage("stop")
end
function request()
  at = at %% count + 1
  return requests[at]
end
%(delay)s
function done(summary, latency, requests)
  io.write(string.format('\\nfigures {"requests":%%d,"seconds":%%f,"errors":%%d,"refused":%%d,"p50":%%f,"p99":%%f}\\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.errors.status, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""
# Turns of a clock, one for each request; a connection that is free takes the next and waits for it. wrk waits whole
# milliseconds. A late turn is taken at once, so that the rate is kept however long single answers take.
_PACE = """
local ffi = require("ffi")
ffi.cdef("typedef struct {long s; long ns;} instant; int clock_gettime(int, instant *);")
local instant, turn = ffi.new("instant"), 0
function delay()
  ffi.C.clock_gettime(1, instant)
  local now = tonumber(instant.s) * 1000 + tonumber(instant.ns) / 1e6
  if turn == 0 then turn = now end
  turn = turn + %(gap)f
  return math.max(0, turn - now)
end
"""


@dataclass(slots=True)
class Load:
    """What to send: bodies in a file, and how. Each run goes on behind the last one's bodies."""

    bodies: Path
    path: str = "/batch/"
    content_type: str = "application/json"
    is_gzip: bool = False
    sent: int = 0


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


def run(origin: str, load: Load, *, connections: int, seconds: int, rate: float | None = None) -> Answered:
    """Send for so many seconds; `rate` in requests a second over all connections, None for as many as go.

    `RuntimeError` unless every request was answered 2xx.
    """
    answered = attempt(origin, load, connections=connections, seconds=seconds, rate=rate)
    if answered.failures:
        raise RuntimeError(f"{answered.failures} of {answered.requests} requests failed")
    # What is under way at the end is not counted.
    if rate is not None and answered.requests < 0.97 * rate * (seconds - answered.p99):
        raise RuntimeError(f"{answered.requests} requests were answered in {seconds} s instead of {rate:.0f} a second")
    return answered


def attempt(origin: str, load: Load, *, connections: int, seconds: int, rate: float | None = None) -> Answered:
    """The same, whatever became of it."""
    if BINARY is None:
        raise RuntimeError("wrk is not installed")
    script = load.bodies.with_suffix(".lua")
    script.write_text(
        _SCRIPT
        % {
            "path": load.path,
            "content_type": load.content_type,
            "encoding": 'wrk.headers["Content-Encoding"] = "gzip"' if load.is_gzip else "",
            "bodies": load.bodies,
            "lengths": lengths_of(load.bodies),
            "first": load.sent,
            "delay": _PACE % {"gap": 1000 / rate} if rate is not None else "",
        },
        encoding="utf-8",
    )
    command = [BINARY, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), origin]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    line = next(line for line in said.splitlines() if line.startswith("figures "))
    figures = json.loads(line.removeprefix("figures "))
    load.sent += figures["requests"] + connections
    return Answered(
        rate=figures["requests"] / figures["seconds"],
        p50=figures["p50"],
        p99=figures["p99"],
        requests=figures["requests"],
        failures=figures["errors"] + figures["refused"],
    )
