"""Writes what PostHog has not taken, durably, before anybody hears 200; many requests share one commit.

While one commit is under way the next ones gather, so that a slow disk or a far store
costs fewer, larger writes and not longer queues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from functions.capture.lots import (
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
from hedgerow.ports import Add

if TYPE_CHECKING:
    from functions.capture.counting import Counts
    from functions.capture.events import Frozen
    from functions.capture.lots import Records
    from functions.capture.projects import Project
    from hedgerow.app import App
    from hedgerow.deliveries import Lane
    from hedgerow.models import Trouble

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
        results = await asyncio.gather(*(lot.done for lot in lots), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _write_all(self) -> None:
        while self._waiting:
            lots = self._taken()
            try:
                await self._write(lots)
            finally:
                for lot in lots:
                    if not lot.done.done():
                        lot.done.set_exception(TransientError("The store did not take the events."))

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
            error = await self._durable([record for _, records in batch for record in records])
            for group, records in batch:
                # One that the store refuses must not take the others with it.
                alone = error is not None and not error.transient and len(batch) > 1
                self._settle(group, await self._durable(records) if alone else error)

    async def _durable(self, records: Records) -> HedgerowError | None:
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._app.store.commit(*(Add(record) for record in records))
        except ConflictError:
            # A retry inside the adapter met its own first success: the ids are random, nobody else has them.
            return None
        except TimeoutError:
            return TransientError(f"The store took longer than {COMMIT_SECONDS:g} s.")
        except HedgerowError as error:
            return error
        return None

    def _settle(self, group: list[Lot], error: HedgerowError | None) -> None:
        for lot in group:
            if error is not None:
                lot.done.set_exception(TransientError(f"The store did not take the events: {error.detail}"))
                continue
            self._counts.add_tally(lot.project.connection, lot.source.received_at, lot.tally, lot.state)
            lot.done.set_result(None)
