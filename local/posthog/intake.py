"""Batches on their way into a project's storage: those that wait together are stored together.

A part of ClickHouse for each request would be slow; one for all that came while the last was
written is fast, and each batch is still stored whole before its request is answered.
"""

from collections import deque
from concurrent.futures import Future

from local.posthog.arrivals import Arrival
from local.posthog.clock import Clock
from local.posthog.errors import ClickHouseError
from local.posthog.storage import Storage


class Intake:
    """The waiting batches of one project, in order of arrival."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._waiting: deque[tuple[list[Arrival], Future[None]]] = deque()

    def add(self, arrivals: list[Arrival]) -> "Future[None]":
        """Queue a batch; the future is done once it is stored. Some later `drain` must follow."""
        stored: Future[None] = Future()
        self._waiting.append((arrivals, stored))
        return stored

    def drain(self) -> None:
        """Store everything that waits, on the engine's thread; nothing to do is fine."""
        batches = []
        while self._waiting:
            batches.append(self._waiting.popleft())
        if not batches:
            return
        together = [arrival for arrivals, _ in batches for arrival in arrivals]
        failure: Exception | None = None
        try:
            self._storage.store(together, self._clock.now())
        except (RuntimeError, ValueError, ClickHouseError) as fault:
            failure = fault
        for _, stored in batches:
            if failure is None:
                stored.set_result(None)
            else:
                stored.set_exception(failure)
