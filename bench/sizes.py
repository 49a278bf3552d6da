"""How much each bench does: the promised sizes, or small ones to try a bench out with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """`rounds` of every comparison; the rest is the size of one round."""

    rounds: int
    events: int
    connections: int
    requests: int
    full: bool


FULL = Sizes(rounds=7, events=1_000_000, connections=100_000, requests=40, full=True)
SMALL = Sizes(rounds=3, events=50_000, connections=1_000, requests=10, full=False)
