"""Writes what PostHog has not taken, durably, before anybody hears 200; many requests share one commit.

While one commit is under way the next ones gather, so that a slow disk or a far store
costs fewer, larger writes and not longer queues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from functions.capture.accept.lots import (
    MOST_COMMIT_BYTES,
    AsideState,
    Lot,
    Source,
    commits_of,
    grouped,
    lots_of,
    records_of,
)
from hedgerow.errors import ConflictError, HedgerowError, TransientError
from hedgerow.logs import log
from hedgerow.ports import Add

if TYPE_CHECKING:
    from functions.capture.accept.lots import Records
    from functions.capture.counting import Counts
    from functions.capture.events import Frozen
    from functions.capture.projects import Project
    from hedgerow.app import App
    from hedgerow.deliveries import Lane
    from hedgerow.models import Trouble
    from hedgerow.ports import Committed

    Written = tuple[list[Lot], Records]

COMMIT_SECONDS = 8.0
"""After that the store counts as down, and the SDK hears 503 while it is still there to hear it."""
MOST_WAITING_BYTES = 64 * 1024 * 1024
COMMITS_AT_ONCE = 2
THREAD_FROM_BYTES = 128 * 1024
MOST_LOTS = 10_000


class OutboxWriter:
    """The one door into the outbox of an instance."""

    def __init__(self, app: App, counts: Counts) -> None:
        self._app = app
        self._counts = counts
        self._waiting: list[Lot] = []
        self._waiting_bytes = 0
        self._commits: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[Committed]] = set()

    async def keep(
        self,
        project: Project,
        events: Sequence[Frozen],
        source: Source,
        *,
        lane: Lane = "events",
        historical: bool = False,
        state: AsideState = "pending",
        trouble: Trouble | None = None,
    ) -> None:
        """Keep the events of one source, as `commit` does."""
        await self.commit(
            lots_of(project, events, source, lane=lane, historical=historical, state=state, trouble=trouble)
        )

    async def commit(self, lots: list[Lot]) -> None:
        """Write lots together with what other requests bring; durable and counted when it returns.

        Raises `TransientError` when the store does not take them: nobody may then be told 200.
        """
        size = sum(len(lot.events) for lot in lots)
        if self._waiting_bytes + size > MOST_WAITING_BYTES:
            raise TransientError("More waits for the store than this instance may hold.")
        self._waiting += lots
        self._waiting_bytes += size
        if len(self._commits) < COMMITS_AT_ONCE:
            task = asyncio.create_task(self._write_all())
            self._commits.add(task)
            task.add_done_callback(self._commits.discard)
        await asyncio.wait([lot.done for lot in lots], timeout=COMMIT_SECONDS)
        if not all(lot.is_written for lot in lots):
            self._give_up(lots)
            raise TransientError("The store did not take the events.")

    def _give_up(self, lots: list[Lot]) -> None:
        """Nobody waits for these any more. One already on its way may still arrive, and is counted when it does."""
        for lot in lots:
            lot.done.cancel()
        self._waiting_bytes -= sum(len(lot.events) for lot in self._waiting if lot.done.cancelled())
        self._waiting = [lot for lot in self._waiting if not lot.done.cancelled()]

    async def _write_all(self) -> None:
        while self._waiting:
            lots = self._taken()
            try:
                if await self._is_broken(lots) and len(lots) > 1:
                    # What breaks the writing of one must not take the others with it.
                    for lot in lots:
                        if not lot.done.done():
                            await self._is_broken([lot])
            finally:
                for lot in lots:
                    if not lot.done.done():
                        lot.done.set_exception(TransientError("The store did not take the events."))

    async def _is_broken(self, lots: list[Lot]) -> bool:
        """Write lots; whether something nobody foresaw came in between."""
        (error,) = await asyncio.gather(self._write(lots), return_exceptions=True)
        if isinstance(error, Exception):
            log().error("capture.outbox_broken", kind=type(error).__name__, lots=len(lots))
            return True
        if error is not None:
            raise error
        return False

    def _taken(self) -> list[Lot]:
        size = number = 0
        for lot in self._waiting:
            if number and (size + len(lot.events) > MOST_COMMIT_BYTES or number >= MOST_LOTS):
                break
            size += len(lot.events)
            number += 1
        taken, self._waiting = self._waiting[:number], self._waiting[number:]
        self._waiting_bytes -= size
        return taken

    async def _write(self, lots: list[Lot]) -> None:
        groups = grouped(lots)
        size = sum(len(lot.events) for lot in lots)
        if size >= THREAD_FROM_BYTES:
            written = await asyncio.to_thread(lambda: [records_of(group) for group in groups])
        else:
            written = [records_of(group) for group in groups]
        for batch in commits_of(list(zip(groups, written, strict=True))):
            await self._write_batch(batch)

    async def _write_batch(self, batch: list[Written]) -> None:
        """One commit; when the store refuses it for good, halves of it, down to the one that it refuses."""
        error = await self._durable(batch)
        lots = batch[0][0]
        if error is None or error.transient or (len(batch) == 1 and len(lots) == 1):
            for group, _ in batch:
                self._settle(group, error)
        elif len(batch) > 1:
            await self._write_batch(batch[: len(batch) // 2])
            await self._write_batch(batch[len(batch) // 2 :])
        else:
            for half in (lots[: len(lots) // 2], lots[len(lots) // 2 :]):
                await self._write_batch([(half, records_of(half))])

    async def _durable(self, batch: list[Written]) -> HedgerowError | None:
        adding = [record for _, records in batch for record in records]
        writing = asyncio.get_running_loop().create_task(self._commit(adding))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.wait({writing}, timeout=COMMIT_SECONDS)
        if not writing.done():
            writing.add_done_callback(lambda done: self._is_late(done, batch))
            return TransientError(f"The store took longer than {COMMIT_SECONDS:g} s.")
        return _error_of(writing)

    async def _commit(self, records: Records) -> Committed:
        """One commit; what is larger than one may be goes in several, the chunks before the delivery that needs them."""
        begin = size = 0
        for at, record in enumerate(records):
            size += len(record.payload)
            if at > begin and size > MOST_COMMIT_BYTES:
                # Only a retry of the adapter's own can meet them there already.
                with suppress(ConflictError):
                    await self._app.store.commit(*map(Add, records[begin:at]))
                begin, size = at, len(record.payload)
        return await self._app.store.commit(*map(Add, records[begin:]))

    def _is_late(self, writing: asyncio.Task[Committed], batch: list[Written]) -> None:
        """What came after its requests had heard 503 is kept all the same, and counted."""
        if not writing.cancelled() and _error_of(writing) is None:
            for group, _ in batch:
                self._settle(group, None)

    def _settle(self, group: list[Lot], error: HedgerowError | None) -> None:
        for lot in group:
            if error is None:
                self._counts.add_tally(lot.project.connection, lot.source.received_at, lot.tally, lot.state)
            if lot.done.done():
                continue
            if error is None:
                lot.done.set_result(None)
            else:
                lot.done.set_exception(TransientError(f"The store did not take the events: {error.detail}"))


def _error_of(writing: asyncio.Task[Committed]) -> HedgerowError | None:
    """Why a commit did not come about, in our words; None when it did."""
    error = writing.exception()
    # A retry inside the adapter met its own first success: the ids are random, nobody else has them.
    if error is None or isinstance(error, ConflictError):
        return None
    if isinstance(error, HedgerowError):
        return error
    if isinstance(error, Exception):
        return HedgerowError(f"The store refused it ({type(error).__name__}).")
    raise error
