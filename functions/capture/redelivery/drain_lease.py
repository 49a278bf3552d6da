"""One drain at a time: a record that says who is at it and until when.

Losing it costs nothing but doubled sending: every outcome is committed against the version that was read.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from hedgerow import claims
from hedgerow.errors import ConflictError, TransientError
from hedgerow.ports import Add, Swap
from hedgerow.records import Instant, Record

if TYPE_CHECKING:
    from hedgerow.app import App

LEASE = timedelta(seconds=25)
"""A tick that was killed holds up the next one no longer than this."""
RENEW_SECONDS = 6.0
ID = "redelivery"


class DrainLease(Record):
    """Who drains, one record for the installation."""

    collection = "drain_leases"

    holder: str | None = None
    until: Instant | None = None


class Lease:
    """The lease of one tick. `is_lost` once somebody else took it over."""

    def __init__(self, app: App, record: DrainLease) -> None:
        self._app = app
        self._record = record
        self.is_lost = False

    @classmethod
    async def take(cls, app: App) -> Lease | None:
        """The lease, or None while another tick is at it."""
        me, now = secrets.token_hex(6), app.now()
        held = await app.store.get(DrainLease, ID)
        if held is not None and claims.claim(held.holder, held.until, me, now) == "busy":
            return None
        mine = DrainLease(id=ID, version=held.version if held else 0, holder=me, until=now + LEASE)
        try:
            written = await app.store.commit(Swap(mine) if held else Add(mine))
        except ConflictError:
            return None
        return cls(app, written.of(mine))

    async def keep(self) -> None:
        """Renew until cancelled, or until it is lost."""
        while not self.is_lost:
            await asyncio.sleep(RENEW_SECONDS)
            # A store that did not answer may next time: the lease has time left.
            with suppress(TransientError):
                await self._write(self._record.model_copy(update={"until": self._app.now() + LEASE}))

    async def release(self) -> None:
        """Let the next tick begin at once."""
        if not self.is_lost:
            await self._write(self._record.model_copy(update={"holder": None, "until": None}))

    async def _write(self, record: DrainLease) -> None:
        try:
            self._record = (await self._app.store.commit(Swap(record))).of(record)
        except ConflictError:
            self.is_lost = True
