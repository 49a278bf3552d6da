"""Measuring several things in turn: every round does each once, so that a slow minute of the machine meets all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

Timed = Callable[[], Awaitable[float]]
Measured = Callable[[], float]


async def in_turn(rounds: int, timed: Mapping[str, Timed]) -> dict[str, list[float]]:
    """Figures by name, one for each round, after one round that is not counted.

    Each entry measures itself, so that it may set its stage first.
    """
    figures: dict[str, list[float]] = {name: [] for name in timed}
    for name, is_counted in _turns(rounds, list(timed)):
        figure = await timed[name]()
        if is_counted:
            figures[name].append(figure)
    return figures


def one_by_one(rounds: int, measured: Mapping[str, Measured]) -> dict[str, list[float]]:
    """The same for what is measured from outside, by other processes."""
    figures: dict[str, list[float]] = {name: [] for name in measured}
    for name, is_counted in _turns(rounds, list(measured)):
        figure = measured[name]()
        if is_counted:
            figures[name].append(figure)
    return figures


def _turns(rounds: int, names: list[str]) -> Iterator[tuple[str, bool]]:
    """Whose turn it is, and whether it counts. Every second round goes the other way round: what comes after what must not matter."""
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            yield name, number > 0


def timing(work: Callable[[], Awaitable[object]]) -> Timed:
    """`work`, timed as a whole."""

    async def timed() -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    return timed
