"""Capture before a PostHog 300 ms away: the tail with a thousand requests in flight, and at a steady pace."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import load, nginx
from bench.capture_stage import bodies, connected, serving
from bench.capturing import checked, in_turn
from bench.children import child
from bench.figures import Row, compared, unmeasured
from bench.load import Load
from bench.sizes import Sizes

NAME = "capture_far"
AWAY_SECONDS = 0.3
IN_FLIGHT = 1_000
PACE = 500.0


def measure(sizes: Sizes) -> list[Row]:
    """Two rows of p99."""
    if not load.is_there():
        return [unmeasured(NAME, "capture before a far PostHog", "wrk (apt-get install wrk) is not here")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with child([sys.executable, "-m", "bench.slow_upstream", str(AWAY_SECONDS)], folder / "far.log", {}) as far:
            upstream = far.stdout.readline().strip() if far.stdout else ""
            nginx.wait_for(int(upstream.rpartition(":")[2]), far.poll)
            asyncio.run(connected(folder / "data", upstream))
            # The budget is not what is measured: on a loaded machine a thousand in flight may take longer than one second.
            with (
                serving("ours", upstream, folder, HEDGEROW_FORWARD_SECONDS="8") as (ours, _),
                serving("bare", upstream, folder) as (bare, _),
            ):
                sent = Load(bodies(folder / "bodies")["one"])
                return _rows(sizes, {"ours": ours, "bare": bare, "upstream": upstream}, sent)


def _rows(sizes: Sizes, origins: dict[str, str], sent: Load) -> list[Row]:
    seconds = 10.0 if sizes.full else 4.0
    rounds = 5 if sizes.full else 2

    def crowd(who: str) -> Callable[[], float]:
        return lambda: checked(load.run(origins[who], sent, connections=IN_FLIGHT, seconds=seconds)).p99

    def pace(who: str) -> Callable[[], float]:
        # So many connections that each is free again when its next turn comes.
        return lambda: (
            checked(load.run(origins[who], sent, connections=250, seconds=seconds, rate=PACE, away=AWAY_SECONDS)).p99
        )

    crowded = in_turn(rounds, {who: crowd(who) for who in ("ours", "bare")})
    paced = in_turn(rounds, {who: pace(who) for who in ("ours", "upstream")})
    return [
        compared(NAME, "p99 with 1,000 in flight, PostHog 300 ms away", crowded["ours"], crowded["bare"], limit=1.6),
        compared(
            NAME,
            "p99 at a paced 500/s, PostHog 300 ms away, against PostHog itself",
            paced["ours"],
            paced["upstream"],
            limit=1.2,
        ),
    ]
