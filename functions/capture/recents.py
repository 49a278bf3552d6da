"""Which events came a moment ago: a repeat of a retrying SDK gets the instant its first copy was frozen with.

Bounded by generations, in the memory of one instance. Beyond it PostHog itself removes
doubles, which agree in uuid, name, id and day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from functions.capture.events import Frozen

MOST = 50_000
"""Events of one generation; two are kept, about 10 MB together."""


class Recents:
    """Instants by connection, uuid, name and distinct_id: all four, or two tenants could meet."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._young: dict[int, datetime] = {}
        self._old: dict[int, datetime] = {}
        self._refused: set[int] = set()

    def repeats(self, connection_id: str, events: Sequence[Frozen]) -> set[int]:
        """Note the events of a request; the `id()` of those that came before, which get their first instant again."""
        keys = [hash((connection_id, event.uuid, event.name, event.distinct_id)) for event in events]
        young, old = self._young, self._old
        if young.keys().isdisjoint(keys) and old.keys().isdisjoint(keys) and len(set(keys)) == len(keys):
            young.update(zip(keys, [event.at for event in events], strict=True))
            self._turn()
            return set()
        return {id(event) for key, event in zip(keys, events, strict=True) if self._repeats(key, event)}

    def _repeats(self, key: int, event: Frozen) -> bool:
        first = self._young.get(key) or self._old.get(key)
        if first is None:
            self._young[key] = event.at
            self._turn()
            return False
        if first != event.at:
            from functions.capture.timestamps import written

            event.at = first
            event.body["timestamp"] = written(first)
        if key in self._refused:
            self._refused.discard(key)
            return False
        return True

    def not_accepted(self, connection_id: str, events: list[Frozen]) -> None:
        """These were refused after all: their next copy is the first that counts, at the instant of this one."""
        if len(self._refused) < self._most:
            self._refused.update(_key(connection_id, event) for event in events)

    def _turn(self) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}


def _key(connection_id: str, event: Frozen) -> int:
    return hash((connection_id, event.uuid, event.name, event.distinct_id))
