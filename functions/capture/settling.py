"""Writes what became of deliveries, many in one commit, each together with what it moves in the counts.

Either all of an outcome is written or none: after a crash the same payload is sent again,
the same rows in PostHog, and is counted once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hedgerow.deliveries import Delivery, DeliveryChunk, chunk_id
from hedgerow.delivery import Moves, Split, Step, move, rows_of
from hedgerow.errors import ConflictError
from hedgerow.ports import Add, Change, Delete, Swap
from hedgerow.tallies import CaptureCount, added, count_id

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.app import App

INSTANCE = "redelivery"
"""One drain at a time writes these counts: one record for a connection and hour, however many ticks."""
MOST_CHANGES = 500
MOST_BYTES = 6 * 1024 * 1024
"""Of one commit, about: Firestore takes 10 MiB."""
GATHER_SECONDS = 0.1
ENOUGH = 400
MOST_WAITING = 1_000
MOST_COUNTS = 500
_TRIES = 8

_Key = tuple[str, str, "datetime"]


@dataclass(slots=True)
class Settled:
    """The outcome of one delivery: what is written, about how many bytes, and what moves in the counts."""

    id: str
    version: int
    key: _Key
    changes: list[Change]
    weight: int
    moves: Moves


def settled(before: Delivery, step: Step) -> Settled:
    """The step of a delivery as changes; the delivery itself is not held on to."""
    moves: Moves = Counter()
    gone: list[Change] = [Delete(DeliveryChunk, chunk_id(before.id, number)) for number in range(1, before.chunks + 1)]
    changes: list[Change]
    if isinstance(step, Split):
        records: list[Delivery | DeliveryChunk] = []
        for part in step.parts:
            records += [part.delivery, *part.chunks]
        changes = [Delete(Delivery, before.id, before.version), *gone, *(Add(record) for record in records)]
        weight = sum(_weight(record) for record in records)
        for part in step.parts:
            move(moves, part.delivery.tally, before.state, part.delivery.state)
    else:
        changes = [Swap(step), *(gone if step.state == "delivered" else ())]
        weight = _weight(step)
        move(moves, step.tally, before.state, step.state)
    return Settled(
        before.id, before.version, (before.tenant_id, before.connection_id, before.hour), changes, weight, moves
    )


def _weight(record: Delivery | DeliveryChunk) -> int:
    """About the bytes it takes at rest."""
    beside = len(record.uuids) + 100 * len(record.tally) if isinstance(record, Delivery) else 0
    return len(record.payload) + beside + 2_000


class Settling:
    """The group commit of a tick. `run` it beside the sending; `flush` waits until all is on disk."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: list[Settled] = []
        self._weight = 0
        self._counts: OrderedDict[str, CaptureCount] = OrderedDict()
        self._came = asyncio.Event()
        self._enough = asyncio.Event()
        self._all_written = asyncio.Event()
        self._all_written.set()
        self._room = asyncio.Event()
        self._room.set()
        self._is_hurried = False

    async def put(self, outcome: Settled) -> None:
        """Hand an outcome over; waits while too much is not written yet."""
        self._waiting.append(outcome)
        self._weight += outcome.weight
        self._all_written.clear()
        self._came.set()
        if len(self._waiting) >= ENOUGH:
            self._enough.set()
        if self._is_full():
            self._room.clear()
            await self._room.wait()

    async def flush(self) -> None:
        """Until everything handed over is written."""
        self._is_hurried = True
        self._enough.set()
        await self._all_written.wait()
        self._is_hurried = False

    async def run(self) -> None:
        """Write what is handed over, until cancelled."""
        while True:
            await self._came.wait()
            if not self._is_hurried:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), GATHER_SECONDS)
            await self._write(self._taken())
            if not self._waiting:
                self._came.clear()
                self._all_written.set()

    def _is_full(self) -> bool:
        return len(self._waiting) >= MOST_WAITING or self._weight >= MOST_BYTES

    def _taken(self) -> list[Settled]:
        changes = weight = number = 0
        keys: set[_Key] = set()
        for each in self._waiting:
            keys.add(each.key)
            changes += len(each.changes)
            weight += each.weight
            if number and (changes + len(keys) > MOST_CHANGES or weight > MOST_BYTES):
                break
            number += 1
        taken, self._waiting = self._waiting[:number], self._waiting[number:]
        if len(self._waiting) < ENOUGH:
            self._enough.clear()
        self._weight -= sum(each.weight for each in taken)
        if not self._is_full():
            self._room.set()
        return taken

    async def _write(self, group: list[Settled]) -> None:
        """Write a group, or, when somebody else was at one of them, each half on its own."""
        for _ in range(_TRIES):
            try:
                await self._commit(group)
            except ConflictError:
                # Ours, theirs or a count's: all that was remembered is read anew.
                self._counts.clear()
                if len(group) > 1:
                    middle = len(group) // 2
                    await self._write(group[:middle])
                    await self._write(group[middle:])
                    return
                if await self._is_over(group[0]):
                    return
            else:
                return

    async def _is_over(self, one: Settled) -> bool:
        """Whether the delivery is no longer as it was read: written already, purged, or changed by hand.

        What was changed by hand and still waits is sent again: the same rows in PostHog.
        """
        stands = await self._app.store.get(Delivery, one.id)
        return stands is None or stands.version != one.version

    async def _commit(self, group: list[Settled]) -> None:
        moves: dict[_Key, Moves] = {}
        for each in group:
            if each.moves:
                mine = moves.setdefault(each.key, Counter())
                for place, number in each.moves.items():
                    mine[place] += number
        counts = await self._counted(moves)
        changes = [change for each in group for change in each.changes]
        written = await self._app.store.commit(
            *changes, *(Swap(record) if record.version else Add(record) for record in counts)
        )
        for record in counts:
            self._counts[record.id] = written.of(record)
            self._counts.move_to_end(record.id)
        while len(self._counts) > MOST_COUNTS:
            self._counts.popitem(last=False)

    async def _counted(self, moves: dict[_Key, Moves]) -> list[CaptureCount]:
        """The records of these connections and hours, with the moves entered."""
        ids = {key: count_id(key[1], key[2], INSTANCE) for key in moves}
        unknown = [id for id in ids.values() if id not in self._counts]
        found = await self._app.store.get_many(CaptureCount, unknown) if unknown else []
        known = {**self._counts, **{record.id: record for record in found if record is not None}}
        counts: list[CaptureCount] = []
        for (tenant_id, connection_id, hour), moved in moves.items():
            id = ids[tenant_id, connection_id, hour]
            before = known.get(id) or CaptureCount(id=id, tenant_id=tenant_id, connection_id=connection_id, hour=hour)
            counts.append(before.model_copy(update={"rows": added(before.rows, rows_of(moved))}))
        return counts
