"""Which events came a moment ago: a repeat of a retrying SDK gets the instant its first copy was frozen with.

Bounded by generations, in the memory of one instance. Beyond it PostHog itself removes
doubles, which agree in uuid, name, id and day.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from functions.capture.events import Frozen

MOST = 50_000
"""Events of one generation; two are kept, about 10 MB together."""
PATIENCE_SECONDS = 10.0


@dataclass(slots=True, eq=False)
class Visit:
    """The events of one request, from their arrival until it is known what became of them."""

    keys: list[int]
    events: Sequence[Frozen]
    repeated: set[int]
    """The `id()` of those that came before."""
    over: asyncio.Event | None = None

    @property
    def first(self) -> set[int]:
        """Which of its events came here first: what becomes of them is decided in this request."""
        pairs = zip(self.keys, self.events, strict=True)
        return {key for key, event in pairs if id(event) not in self.repeated}


class Recents:
    """Instants by connection, uuid, name and distinct_id: all four, or two tenants could meet.

    An event counts as come when its request was accepted: `end` takes back what was not.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        # In a tuple stands the instant of an event that was not accepted after all.
        self._young: dict[int, datetime | tuple[datetime]] = {}
        self._old: dict[int, datetime | tuple[datetime]] = {}
        self._open: set[Visit] = set()

    def begin(self, connection_id: str, events: Sequence[Frozen]) -> Visit:
        """Note the events of a request; those that came before get their first instant again."""
        keys = [hash((connection_id, event.uuid, event.name, event.distinct_id)) for event in events]
        young, old = self._young, self._old
        visit = Visit(keys, events, set())
        if young.keys().isdisjoint(keys) and old.keys().isdisjoint(keys) and len(set(keys)) == len(keys):
            young.update(zip(keys, [event.at for event in events], strict=True))
            self._turn()
        else:
            visit.repeated = {id(event) for key, event in zip(keys, events, strict=True) if self._repeats(key, event)}
        self._open.add(visit)
        return visit

    async def known(self, visit: Visit) -> None:
        """Wait for requests under way that brought the same events first: what they do not bring home is no repeat."""
        waiting = {key: each for key, each in zip(visit.keys, visit.events, strict=True) if id(each) in visit.repeated}
        # Twice in one request: both go the same way.
        for key in visit.first & waiting.keys():
            del waiting[key]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (other := self._first_with(visit, set(waiting))) is not None:
                    other.over = other.over or asyncio.Event()
                    await other.over.wait()
        except TimeoutError:
            # To keep an event twice is the smaller evil.
            visit.repeated -= {id(event) for event in waiting.values()}
            return
        for key, event in waiting.items():
            if isinstance(self._young.get(key) or self._old.get(key), tuple):
                visit.repeated.discard(id(event))
                self._young[key] = event.at

    def end(self, visit: Visit, refused: Iterable[Frozen] = ()) -> None:
        """The request is answered. The next copy of what was refused is the first that counts, at the same instant."""
        ids = {id(event) for event in refused} - visit.repeated
        if ids:
            for key, event in zip(visit.keys, visit.events, strict=True):
                if id(event) in ids:
                    self._young[key] = (event.at,)
        self._open.discard(visit)
        if visit.over is not None:
            visit.over.set()

    def _first_with(self, visit: Visit, keys: set[int]) -> Visit | None:
        """Another open request that decides about one of these events."""
        return next(
            (
                each
                for each in self._open
                if each is not visit and not keys.isdisjoint(each.keys) and not keys.isdisjoint(each.first)
            ),
            None,
        )

    def _repeats(self, key: int, event: Frozen) -> bool:
        first = self._young.get(key) or self._old.get(key)
        if first is None:
            self._young[key] = event.at
            self._turn()
            return False
        was_refused = isinstance(first, tuple)
        at = first[0] if isinstance(first, tuple) else first
        if at != event.at:
            from functions.capture.wire.timestamps import written

            event.at = at
            event.body["timestamp"] = written(at)
        if was_refused:
            self._young[key] = at
        return not was_refused

    def _turn(self) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
