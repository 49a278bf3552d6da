"""Documents a scheduled sync with nothing new reads and writes, as Firestore bills them, on both stores.

Counted at the Store, from the push of the message to its acknowledgement: claim, slot,
connection, months, the sealed vault's record, the end. What the tick read is not in it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from bench.day import Cost, a_day
from bench.figures import Must, Row, counted, unmeasured
from bench.installation import NOW
from bench.sizes import Sizes
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from tests.emulators import EmulatorMissingError, firestore_emulator

NAME = "documents"
READ, WRITTEN, COMMITS = 5, 4, 2
# Thirty days up to 1 March begin on 31 January: three months, the most any window touches.
FIRST_OF_MARCH = datetime(2027, 3, 1, 0, 5, tzinfo=UTC)


def measure(sizes: Sizes) -> list[Row]:
    """Reads, writes and commits on SQLite and on Firestore's emulator; the reads also on the year's worst day."""
    rows = asyncio.run(_on_sqlite())
    try:
        with firestore_emulator() as host:
            rows += asyncio.run(_on_firestore(host))
    except EmulatorMissingError as missing:
        what = "documents read per idle scheduled sync, Firestore emulator"
        rows.append(unmeasured(NAME, what, str(missing), Must(READ, "figure")))
    return rows


async def _on_sqlite() -> list[Row]:
    store = SqliteStore(":memory:")
    try:
        rows = _rows("SQLite", (await a_day(store, NOW)).idle)
        worst = (await a_day(store, FIRST_OF_MARCH)).idle
    finally:
        await store.close()
    note = f"the most of {len(worst)} on 1 March after a short February, when 30 days touch three months; otherwise at most two"
    read = [cost.reads for cost in worst]
    return [
        *rows,
        counted(NAME, "documents read per idle scheduled sync, worst day of the year", read, limit=READ, note=note),
    ]


async def _on_firestore(host: str) -> list[Row]:
    store = FirestoreStore(f"bench-{uuid4().hex[:12]}", emulator_host=host)
    try:
        return _rows("Firestore emulator", (await a_day(store, NOW)).idle)
    finally:
        await store.close()


def _rows(store: str, idle: tuple[Cost, ...]) -> list[Row]:
    note = f"the most of {len(idle)} idle syncs of a day; the sealed vault's record is one of the reads"
    return [
        counted(
            NAME,
            f"documents read per idle scheduled sync, {store}",
            [cost.reads for cost in idle],
            limit=READ,
            note=note,
        ),
        counted(
            NAME, f"documents written per idle scheduled sync, {store}", [cost.writes for cost in idle], limit=WRITTEN
        ),
        counted(NAME, f"commits per idle scheduled sync, {store}", [cost.commits for cost in idle], limit=COMMITS),
    ]
