"""Capture before a PostHog 300 ms away: the tail with a thousand requests in flight, and at a steady pace."""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path

from bench import load
from bench.capture_bodies import bodies
from bench.capture_stage import connected, far_away, serving
from bench.figures import Row, compared, unmeasured
from bench.load import Load
from bench.rounds import one_by_one
from bench.sizes import Sizes
from hedgerow.settings import Settings

NAME = "capture_far"
AWAY_SECONDS = 0.3
IN_FLIGHT = 1_000
PACE = 500.0
WAITING = 400
"""Connections of the paced load: with 150 answers under way, one is always free for the next turn."""


def measure(sizes: Sizes) -> list[Row]:
    """Two rows of p99."""
    if not load.is_there():
        return [unmeasured(NAME, "capture before a far PostHog", "wrk (apt-get install wrk) is not here")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with far_away(AWAY_SECONDS, folder) as upstream:
            asyncio.run(connected(Settings(data=folder / "data"), upstream))
            # The budget is not what is measured: on a loaded machine a thousand in flight may take over a second.
            with (
                serving("ours", upstream, folder, HEDGEROW_FORWARD_SECONDS="8") as (ours, _),
                serving("bare", upstream, folder) as (bare, _),
            ):
                return _rows(sizes, {"ours": ours, "bare": bare, "upstream": upstream}, bodies(folder / "bodies"))


def _rows(sizes: Sizes, origins: dict[str, str], files: dict[str, Path]) -> list[Row]:
    seconds = 10 if sizes.full else 4
    rounds = 5 if sizes.full else 3
    sent = Load(files["one"])

    def crowd(origin: str) -> float:
        return load.run(origin, sent, connections=IN_FLIGHT, seconds=seconds).p99

    def pace(origin: str) -> float:
        return load.run(origin, sent, connections=WAITING, seconds=seconds, rate=PACE).p99

    crowded = one_by_one(rounds, {who: partial(crowd, origins[who]) for who in ("ours", "bare")})
    paced = one_by_one(rounds, {who: partial(pace, origins[who]) for who in ("ours", "upstream")})
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
