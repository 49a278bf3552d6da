"""The memory of `hedgerow dev` while a large backlog waits and its tick looks at it, against one without a backlog."""

from __future__ import annotations

import asyncio
import http.client
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from bench import nginx
from bench.capture_backlog import Packed, fill, opened, packed
from bench.capture_bodies import batches
from bench.capture_stage import connected
from bench.children import child
from bench.figures import Must, Row, Unit, ratio, spread, unmeasured
from bench.sizes import Sizes
from functions.capture.redelivery.backlog import is_anything_waiting
from hedgerow.settings import Settings

WHAT = "memory of `hedgerow dev` while {megabytes} MB of backlog waits, against none"
MEGABYTES = 100
"""Of payloads as they are stored: gzip, in deliveries of 1,000 events."""
MUST = Must(1.2, "ratio")
EVENTS = 1_000
SAMPLE_SECONDS = 0.2
PATIENCE_SECONDS = 120.0
_MB: Unit = "MB"


def measure(sizes: Sizes, bench: str, folder: Path) -> list[Row]:
    """A row while it waits, and one while it drains."""
    what = WHAT.format(megabytes=MEGABYTES)
    if not Path("/proc/self/status").exists():
        return [unmeasured(bench, what, "there is no /proc here", MUST)]
    port = nginx.free_port()
    origin = f"http://127.0.0.1:{port}"
    stored = asyncio.run(_filled(folder / "full", origin))
    # Several ticks: `hedgerow dev` looks every three seconds.
    seconds = 20.0 if sizes.full else 8.0
    with nginx.upstream(folder / "alive") as alive:
        asyncio.run(connected(Settings(data=folder / "idle"), alive))
        with _dev(folder / "idle", alive) as idle, _dev(folder / "full", origin) as full:
            until = time.monotonic() + seconds
            waiting = _largest({"idle": idle, "full": full}, lambda: time.monotonic() > until)
            with nginx.upstream(folder / "returned", port):
                draining = _largest({"idle": idle, "full": full}, lambda: _is_drained(folder / "full", origin))
    note = f"{stored / 1e6:.0f} MB of payloads, PostHog unreachable; the largest resident set in {seconds:g} s of ticks"
    return [
        _row(bench, what, waiting, note, MUST),
        _row(bench, "the same while it drains", draining, "the largest until nothing waited", None),
    ]


def _row(bench: str, what: str, largest: dict[str, float], note: str, must: Must | None) -> Row:
    full, idle = [largest["full"]], [largest["idle"]]
    return Row(bench, what, spread(full), _MB, spread(idle), ratio(full, idle), must, note)


async def _filled(data: Path, origin: str) -> int:
    """The bytes of the payloads that now wait; some different ones, again and again."""
    some = list(islice(packed(EVENTS), 50))
    most = round(MEGABYTES * 1e6 / (sum(len(each.payload) for each in some) / len(some)))
    written: list[Packed] = list(islice(cycle(some), most))
    await fill(data, origin, written)
    return sum(len(each.payload) for each in written)


@contextmanager
def _dev(data: Path, origin: str) -> Iterator[int]:
    """The process id of `hedgerow dev` on a folder, when it has answered an event."""
    log = data.with_suffix(".log")
    command = [sys.executable, "-m", "hedgerow.cli", "dev", "--port", "0", "--data", str(data)]
    with child(command, log, {"HEDGEROW_ALLOWED_PRIVATE_HOSTS": origin.partition("//")[2]}) as process:
        lines = iter(process.stdout or ())
        url = next((line.removeprefix("ready ").strip() for line in lines if line.startswith("ready ")), "")
        if not url:
            raise RuntimeError(log.read_text(encoding="utf-8")[-2000:])
        client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        client.request("POST", "/batch/", next(batches(1)), {"Content-Type": "application/json"})
        if client.getresponse().status != 200:
            raise RuntimeError("the event was not accepted")
        client.close()
        yield process.pid


def _largest(processes: dict[str, int], is_over: Callable[[], bool]) -> dict[str, float]:
    """The largest resident set of each in MB, looked at again and again."""
    largest = dict.fromkeys(processes, 0.0)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        for name, process in processes.items():
            largest[name] = max(largest[name], _resident(process))
        if is_over():
            return largest
        time.sleep(SAMPLE_SECONDS)
    raise RuntimeError(f"it was not over after {PATIENCE_SECONDS:g} s")


def _resident(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the server has ended")


def _is_drained(data: Path, origin: str) -> bool:
    async def look() -> bool:
        async with opened(data, origin) as app:
            return not await is_anything_waiting(app)

    return asyncio.run(look())
