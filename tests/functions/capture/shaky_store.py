"""A store between capture and the real one that fails when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from hedgerow.deliveries import Delivery
from hedgerow.errors import HedgerowError, TransientError

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.ports import Change, Committed, Page, Store, Where
    from hedgerow.records import Record

R = TypeVar("R", bound="Record")


class Shaky:
    """A store that fails as told: `down` before it does anything, `deaf` after it did it, `picky` about one event."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.down: type[Exception] | None = None
        self.deaf = 0
        self.seconds = 0.0
        self.refuses = b""
        self.commits = 0

    async def _stands(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.down is not None:
            raise self.down("The store is away.")

    async def get(self, kind: type[R], id: str) -> R | None:
        await self._stands()
        return await self._store.get(kind, id)

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        await self._stands()
        return await self._store.get_many(kind, ids)

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        await self._stands()
        return await self._store.find(kind, *where, limit=limit, cursor=cursor)

    async def count(self, kind: type[Record], *where: Where) -> int:
        await self._stands()
        return await self._store.count(kind, *where)

    async def commit(self, *changes: Change) -> Committed:
        await self._stands()
        self.commits += 1
        records = [getattr(change, "record", None) for change in changes]
        if self.refuses and any(isinstance(each, Delivery) and self.refuses in each.uuids for each in records):
            raise HedgerowError("The store refuses this one.")
        written = await self._store.commit(*changes)
        if self.deaf:
            self.deaf -= 1
            raise TransientError("The answer was lost.")
        return written

    async def close(self) -> None:
        await self._store.close()


@dataclass
class Shaking:
    """Wraps the store of an App, and keeps it."""

    store: Shaky | None = None

    def __call__(self, app: App) -> App:
        self.store = Shaky(app.store)
        return replace(app, store=self.store)

    @property
    def it(self) -> Shaky:
        assert self.store is not None
        return self.store
