"""Measuring several things in turn: every round does each once, so that a slow minute of the machine meets all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

Timed = Callable[[], Awaitable[float]]


async def in_turn(rounds: int, timed: Mapping[str, Timed]) -> dict[str, list[float]]:
    """Seconds by name, one for each round, after one round that is not counted.

    Each entry times itself, so that it may set its stage first. Every second round goes
    the other way round: what comes after what must not matter.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    names = list(timed)
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            took = await timed[name]()
            if number:
                seconds[name].append(took)
    return seconds


def timing(work: Callable[[], Awaitable[object]]) -> Timed:
    """`work`, timed as a whole."""

    async def timed() -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    return timed
