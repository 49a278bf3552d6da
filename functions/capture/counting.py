"""Counts what was accepted and what became of it; written at most once a second and instance, inside a request.

A killed instance loses at most its last second of counts, never an event; reconciliation books them.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from hedgerow.deliveries import hour_of
from hedgerow.errors import ConflictError, HedgerowError
from hedgerow.logs import log
from hedgerow.ports import Add, Swap
from hedgerow.tallies import OTHER_NAMES, CaptureCount, CountRow, added, count_id

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.models import Connection

FLUSH_SECONDS = 1.0
MOST_RECORDS = 150
MOST_NAME = 200
MOST_NAMES = 2_000
MOST_MARKS = 300
LONGEST_MARK = 300
FLUSH_WAIT_SECONDS = 2.0
"""How long a request waits for its counts to be written; a store that takes longer goes on without it."""
_OTHER_MARKS = "…"
MOST_TOTALS = 1_000
MOST_DOTS = 3
"""A mark without blanks and with no more dots is a total, such as `privacy.email.masked`."""

_Key = tuple[str, str, datetime]
Tallies = dict[_Key, Counter[tuple[str, int, str]]]
Marks = dict[_Key, Counter[str]]
State = Literal["delivered", "pending", "held", "dead"]


@dataclass(slots=True)
class _Writing:
    """Counts on their way into the store, with the records that hold them."""

    keys: list[_Key]
    tallies: Tallies
    marks: Marks
    records: list[CaptureCount]


class Counts:
    """Counts of this instance that are not written yet, and the records it writes them to."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._instance = secrets.token_hex(6)
        self._tallies: Tallies = {}
        self._marks: Marks = {}
        self._records: dict[_Key, CaptureCount] = {}
        self._flushed = 0.0
        self._flushing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsure: _Writing | None = None

    def add_tally(
        self, connection: Connection, now: datetime, tally: Mapping[tuple[str, int], int], state: State
    ) -> None:
        """Events accepted now, all in the same state."""
        counter = self._tallies.setdefault((connection.tenant_id, connection.id, hour_of(now)), Counter())
        for (name, shift), number in tally.items():
            key = (name[:MOST_NAME], shift, state)
            counter[key if key in counter or len(counter) < MOST_NAMES else (OTHER_NAMES, 0, state)] += number

    def mark(self, connection: Connection, mark: str, now: datetime, number: int = 1) -> None:
        """Anything else that happened to events of a connection, by a dotted name."""
        key = (connection.tenant_id, connection.id, hour_of(now))
        self._marks.setdefault(key, Counter())[mark[:LONGEST_MARK]] += number

    def stranger(self, token: str, now: datetime) -> None:
        """A request whose token belongs to nobody here; only its last four characters are kept, as far as they print."""
        last = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in token[-4:])
        counter = self._tallies.setdefault(("", "", hour_of(now)), Counter())
        key = (last, 0, "dead")
        counter[key if key in counter or len(counter) < MOST_NAMES else (OTHER_NAMES, 0, "dead")] += 1

    async def flush_if_due(self) -> None:
        """Write what was counted, if nothing was written for a second; else see to it that it will be."""
        if not self._tallies and not self._marks and self._unsure is None:
            return
        left = self._flushed + FLUSH_SECONDS - time.monotonic()
        if left <= 0 and self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
            await asyncio.wait({self._flushing}, timeout=FLUSH_WAIT_SECONDS)
        elif self._timer is None and self._flushing is None:
            # For the last events of a burst. Where the platform stops the clock between requests the next one writes.
            self._timer = asyncio.get_running_loop().call_later(max(left, 0.01), self._on_timer)

    async def flush(self) -> None:
        """Write what was counted now. A store that does not answer costs nothing: the counts stay for the next time."""
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await asyncio.shield(self._flushing)

    def _on_timer(self) -> None:
        self._timer = None
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        self._flushed = time.monotonic()
        try:
            unsure, self._unsure = self._unsure, None
            if unsure is not None and not await self._write(unsure):
                return
            for _ in range(20):
                keys = list({**self._tallies, **self._marks})[:MOST_RECORDS]
                if not keys or not await self._write(self._taken(keys)):
                    return
        finally:
            self._flushing = None

    def _taken(self, keys: list[_Key]) -> _Writing:
        tallies = {key: self._tallies.pop(key) for key in keys if key in self._tallies}
        marks = {key: self._marks.pop(key) for key in keys if key in self._marks}
        records = [self._record(key, tallies.get(key, Counter()), marks.get(key, Counter())) for key in keys]
        return _Writing(keys, tallies, marks, records)

    async def _write(self, writing: _Writing) -> bool:
        try:
            written = await self._app.store.commit(
                *(Swap(record) if record.version else Add(record) for record in writing.records)
            )
        except HedgerowError as error:
            log().warning("capture.counts_wait", code=error.code, detail=error.detail)
            if isinstance(error, ConflictError):
                # Its own earlier write, answered as an error: what stands there now is what to add to.
                await self._read_again(writing)
            else:
                # It may have been written all the same. The very same once more tells.
                self._unsure = writing
            return False
        for key, record in zip(writing.keys, writing.records, strict=True):
            self._records[key] = written.of(record)
        self._forget_old_hours()
        return True

    async def _read_again(self, writing: _Writing) -> None:
        """After a conflict: keep what was written after all, put back what was not."""
        tallies, marks = writing.tallies, writing.marks
        try:
            found = await self._app.store.get_many(CaptureCount, [record.id for record in writing.records])
        except HedgerowError:
            self._unsure = writing
            return
        for key, record, stands in zip(writing.keys, writing.records, found, strict=True):
            if stands is None:
                self._records.pop(key, None)
            else:
                self._records[key] = stands
                if (stands.rows, stands.marks) == (record.rows, record.marks):
                    tallies.pop(key, None)
                    marks.pop(key, None)
        self._put_back(tallies, marks)

    def _put_back(self, tallies: Tallies, marks: Marks) -> None:
        for key, tally in tallies.items():
            self._tallies.setdefault(key, Counter()).update(tally)
        for key, some in marks.items():
            self._marks.setdefault(key, Counter()).update(some)

    def _record(self, key: _Key, tally: Counter[tuple[str, int, str]], marks: Counter[str]) -> CaptureCount:
        tenant_id, connection_id, hour = key
        before = self._records.get(key)
        rows = tuple(
            CountRow.model_validate({"name": name, "shift": shift, "accepted": number, state: number})
            for (name, shift, state), number in tally.items()
        )
        if before is None:
            before = CaptureCount(
                id=count_id(connection_id, hour, self._instance),
                tenant_id=tenant_id,
                connection_id=connection_id,
                hour=hour,
            )
        return before.model_copy(update={"rows": added(before.rows, rows), "marks": _bounded(before.marks, marks)})

    def _forget_old_hours(self) -> None:
        if len(self._records) > MOST_RECORDS:
            newest = max(hour for _, _, hour in self._records)
            self._records = {key: record for key, record in self._records.items() if key[2] == newest}


def _bounded(before: dict[str, int], more: Counter[str]) -> dict[str, int]:
    """Marks added up. Names that users write are part of some, so their number is bounded; totals have room of theirs."""
    sums = dict(before)
    room = {True: MOST_TOTALS, False: MOST_MARKS}
    for name in sums:
        room[_is_total(name)] -= 1
    for name, number in more.items():
        key, is_total = name, _is_total(name)
        if name not in sums:
            key = name if room[is_total] > 0 else _OTHER_MARKS
            room[is_total] -= 1
        sums[key] = sums.get(key, 0) + number
    return sums


def _is_total(mark: str) -> bool:
    return " " not in mark and mark.count(".") <= MOST_DOTS
