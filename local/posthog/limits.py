"""PostHog's limits on the private API: requests in a sliding window, and queries at one time.

Rates carry Retry-After; the refusal for concurrency carries none. Both can be shrunk or lifted.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from local.posthog.clock import Clock, stopwatch
from local.posthog.errors import throttled, too_many_at_once

Throttle = Literal["private", "clickhouse", "query", "local_evaluation"]

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int


_RATES: dict[Throttle, tuple[Rate, ...]] = {
    "private": (Rate(480, MINUTE), Rate(4800, HOUR)),
    "clickhouse": (Rate(240, MINUTE), Rate(1200, HOUR)),
    "query": (Rate(240, MINUTE), Rate(2400, HOUR)),
    "local_evaluation": (Rate(600, MINUTE),),
}


@dataclass(slots=True)
class Limits:
    """The counters of one installation. `query_seconds` makes each query hold its slot that long."""

    clock: Clock
    rates: dict[Throttle, tuple[Rate, ...]] = field(default_factory=lambda: dict(_RATES))
    concurrency: int | None = 3
    longest_wait: float = 30.0
    query_seconds: float = 0.0
    execution_seconds: float = 10.0
    _seen: dict[tuple[str, str, int], deque[float]] = field(default_factory=dict)
    _running: dict[str, int] = field(default_factory=dict)

    def lift(self) -> None:
        """No rate limits and no concurrency limit, as on a self-hosted PostHog."""
        self.rates = {}
        self.concurrency = None

    def restore(self) -> None:
        self.rates = dict(_RATES)
        self.concurrency, self.longest_wait, self.query_seconds = 3, 30.0, 0.0
        self.execution_seconds = 10.0
        self._seen.clear()

    def shrink(self, throttle: Throttle, *rates: Rate) -> None:
        self.rates[throttle] = rates

    def count(self, throttle: Throttle, key: str) -> None:
        """Count a request against a key; raises the 429 with its waiting time."""
        now = self.clock.now().timestamp()
        for rate in self.rates.get(throttle, ()):
            seen = self._seen.setdefault((throttle, key, rate.seconds), deque())
            while seen and not 0 <= now - seen[0] < rate.seconds:
                seen.popleft()
            if len(seen) >= rate.requests:
                raise throttled(max(1, math.ceil(rate.seconds - (now - seen[0]))))
            seen.append(now)

    @asynccontextmanager
    async def slot(self, organization_id: str, task: str) -> AsyncIterator[None]:
        """One of the places for running queries; waits in line, then raises the 429."""
        started = stopwatch()
        while self.concurrency is not None and self._running.get(organization_id, 0) >= self.concurrency:
            if stopwatch() - started >= self.longest_wait:
                raise too_many_at_once(organization_id, task, self.concurrency)
            # The back-off PostHog draws from; the jitter keeps waiters apart.
            await asyncio.sleep(min(random.uniform(0.134, 1.7), max(0.05, self.longest_wait)))  # noqa: S311
        self._running[organization_id] = self._running.get(organization_id, 0) + 1
        try:
            if self.query_seconds:
                await asyncio.sleep(self.query_seconds)
            yield
        finally:
            self._running[organization_id] -= 1
