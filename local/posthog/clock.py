"""The time the local PostHog lives in: it starts where it is told, runs on from there, and can be moved.

The only module of the local PostHog that reads the machine's clock.
"""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A running clock with an offset; `freeze` stops it, `start` lets it run again."""

    def __init__(self, starts_at: datetime | None = None) -> None:
        self._frozen_at: datetime | None = None
        self._offset = timedelta()
        if starts_at is not None:
            self.move_to(starts_at)

    def now(self) -> datetime:
        if self._frozen_at is not None:
            return self._frozen_at
        return datetime.now(UTC) + self._offset

    def move_to(self, instant: datetime) -> None:
        """Set the clock; a frozen clock stays frozen, at the new instant."""
        if instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        instant = instant.astimezone(UTC)
        self._offset = instant - datetime.now(UTC)
        if self._frozen_at is not None:
            self._frozen_at = instant

    def advance(self, span: timedelta) -> None:
        self.move_to(self.now() + span)

    def freeze(self) -> None:
        self._frozen_at = self.now()

    def start(self) -> None:
        """Let a frozen clock run on from where it stands."""
        if self._frozen_at is not None:
            instant, self._frozen_at = self._frozen_at, None
            self.move_to(instant)


def stopwatch() -> float:
    """Seconds on a clock that nobody moves, for measuring how long something took."""
    return time.monotonic()
