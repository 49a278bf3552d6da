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

from hedgerow.deliveries import Delivery, DeliveryChunk, DeliveryState, TallyRow, WaitingDelivery, chunk_id
from hedgerow.delivery import Moves, Split, Step, move, rows_of
from hedgerow.errors import ConflictError
from hedgerow.ports import Add, Change, Delete, Patch, Swap
from hedgerow.tallies import CaptureCount, added, count_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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

_PATCH_BYTES = 2_000

_Key = tuple[str, str, "datetime"]
_Way = tuple[tuple[TallyRow, ...], DeliveryState, DeliveryState]


@dataclass(slots=True)
class Settled:
    """The outcome of one delivery: what is written, about how many bytes, and the ways of its events in the counts.

    `word` and `number` are for the tick's answer: events by what became of them, deliveries that failed or were split.
    """

    id: str
    version: int
    key: _Key
    changes: list[Change]
    weight: int
    ways: tuple[_Way, ...]
    word: str = "failed"
    number: int = 1


def settled(before: Delivery, step: Step) -> Settled:
    """The step of a delivery as changes; the delivery itself is not held on to."""
    gone = _chunks_gone(before)
    changes: list[Change]
    ways: tuple[_Way, ...]
    if isinstance(step, Split):
        records: list[Delivery | DeliveryChunk] = []
        for part in step.parts:
            records += [part.delivery, *part.chunks]
        changes = [Delete(Delivery, before.id, before.version), *gone, *(Add(record) for record in records)]
        weight = sum(_weight(record) for record in records)
        word, number = "split", 1
        ways = tuple((part.delivery.tally, before.state, part.delivery.state) for part in step.parts)
    else:
        changes, weight = [Swap(step), *(gone if step.state == "delivered" else ())], _weight(step)
        word, number = (step.state, step.count) if step.state != before.state else ("failed", 1)
        ways = ((step.tally, before.state, step.state),)
    return Settled(before.id, before.version, _key(before), changes, weight, ways, word, number)


def patched(before: WaitingDelivery, values: Mapping[str, object]) -> Settled:
    """Some fields' new values as changes; the mapping may be of many deliveries."""
    patch = Patch(Delivery, before.id, before.version, values)
    if values.get("state") != "delivered":
        return Settled(before.id, before.version, _key(before), [patch], _PATCH_BYTES, ())
    way: _Way = (before.tally, before.state, "delivered")
    changes: list[Change] = [patch, *_chunks_gone(before)] if before.chunks else [patch]
    return Settled(before.id, before.version, _key(before), changes, _PATCH_BYTES, (way,), "delivered", before.count)


def vanished(before: WaitingDelivery) -> Settled:
    """A delivery of a connection that was purged: it goes as everything else of it went."""
    changes: list[Change] = [Delete(Delivery, before.id, before.version), *_chunks_gone(before)]
    return Settled(before.id, before.version, _key(before), changes, _PATCH_BYTES, (), "purged", before.count)


def _key(delivery: Delivery | WaitingDelivery) -> _Key:
    return delivery.tenant_id, delivery.connection_id, delivery.hour


def _chunks_gone(delivery: Delivery | WaitingDelivery) -> list[Change]:
    return [Delete(DeliveryChunk, chunk_id(delivery.id, number)) for number in range(1, delivery.chunks + 1)]


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

    async def put(self, outcomes: Sequence[Settled]) -> None:
        """Hand outcomes over; waits while too much is not written yet."""
        if not outcomes:
            return
        self._waiting += outcomes
        self._weight += sum(each.weight for each in outcomes)
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
        ways: dict[tuple[_Key, DeliveryState, DeliveryState], list[TallyRow]] = {}
        for each in group:
            for tally, from_state, to_state in each.ways:
                ways.setdefault((each.key, from_state, to_state), []).extend(tally)
        moves: dict[_Key, Moves] = {}
        for (key, from_state, to_state), rows in ways.items():
            move(moves.setdefault(key, Counter()), rows, from_state, to_state)
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
