"""What the queue looks like from outside: topics, who is pushed to, what waits. For the operator's eyes only.

A port beside `Queue`, because no function may look at, or needs, any of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is pushed a topic's messages, and what becomes of those that fail.

    `account` is the service account whose token a push carries, empty for none;
    `dead_topic` empty for none. `may_bury` is whether Pub/Sub itself may move messages
    there, None where that cannot be seen.
    """

    endpoint: str
    account: str = ""
    dead_topic: str = ""
    attempts: int = 0
    may_bury: bool | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it stands."""

    name: str
    exists: bool
    subscription: Subscription | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a topic, and since when; None where nothing does.

    `failures` is how often the message that failed most did, 0 where nobody counts.
    """

    waiting: int
    oldest_at: datetime | None = None
    failures: int = 0


class Inspection(Protocol):
    """A look at the queue. Raises `TransientError` when it cannot be reached."""

    async def topics(self, names: Sequence[str]) -> tuple[Topic, ...]:
        """These topics, named without the installation's prefix, in this order."""
        ...

    async def backlog(self, at: datetime) -> Mapping[str, Backlog] | None:
        """What waits at `at`, by topic, of those that anything is known of; None where nobody knows: on the emulator."""
        ...

    async def close(self) -> None:
        """Let go of channels; the queue itself stays open."""
        ...
