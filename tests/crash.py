"""Crash points and document counts: wrappers around the ports of an App, for the fault suites and the benches.

Every call of a port is numbered. A `Fuse` dies before or after a given one; run a flow
once with a fuse that holds to learn how many there are, then once for each of
`every_fuse(len(fuse.calls))`. A `Ledger` counts documents as Firestore bills them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from hedgerow.ports import Delete, Patch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from pydantic import SecretStr

    from hedgerow.app import App
    from hedgerow.messages import Message
    from hedgerow.ports import Change, Committed, Page, Queue, Store, Vault, Where
    from hedgerow.records import Record

R = TypeVar("R", bound="Record")
T = TypeVar("T")


class Crash(BaseException):
    """The process ends here, as far as the code under test can tell: no `except Exception` sees it."""


@dataclass
class Fuse:
    """Numbers the calls of all ports from 1 and blows at number `at`, before the call or after it.

    Once blown, every later call fails too: a dead process has no `finally`.
    """

    at: int | None = None
    after: bool = False
    calls: list[str] = field(default_factory=list)
    blown: bool = False

    async def around(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call, unless this is where the process dies."""
        here = self.reach(name)
        answer = await call()
        if here:
            self.blow(name)
        return answer

    def reach(self, name: str) -> bool:
        """Number a call, and die before it where that is the place; True where the process is to die after it."""
        if self.blown:
            raise Crash(name)
        self.calls.append(name)
        here = len(self.calls) == self.at
        if here and not self.after:
            self.blow(name)
        return here

    def blow(self, name: str) -> None:
        """Die here."""
        self.blown = True
        raise Crash(name)


def every_fuse(calls: int) -> Iterator[Fuse]:
    """A fuse before and one after each of `calls` calls."""
    for at in range(1, calls + 1):
        yield Fuse(at)
        yield Fuse(at, after=True)


def armed(app: App, fuse: Fuse) -> App:
    """The same App, whose ports die where the fuse says."""
    return replace(
        app,
        store=CrashingStore(app.store, fuse),
        vault=CrashingVault(app.vault, fuse),
        queue=CrashingQueue(app.queue, fuse),
    )


class CrashingStore:
    """A store behind a fuse."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    async def get(self, kind: type[R], id: str) -> R | None:
        return await self._fuse.around(f"store.get {kind.collection}", lambda: self._store.get(kind, id))

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        return await self._fuse.around(f"store.get_many {kind.collection}", lambda: self._store.get_many(kind, ids))

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        return await self._fuse.around(
            f"store.find {kind.collection}", lambda: self._store.find(kind, *where, limit=limit, cursor=cursor)
        )

    async def count(self, kind: type[Record], *where: Where) -> int:
        return await self._fuse.around(f"store.count {kind.collection}", lambda: self._store.count(kind, *where))

    async def commit(self, *changes: Change) -> Committed:
        names = " ".join(f"{type(change).__name__}({_collection(change)})" for change in changes)
        return await self._fuse.around(f"store.commit {names}", lambda: self._store.commit(*changes))

    async def close(self) -> None:
        await self._store.close()


class CrashingVault:
    """A vault behind a fuse."""

    def __init__(self, vault: Vault, fuse: Fuse) -> None:
        self._vault = vault
        self._fuse = fuse

    async def write(self, name: str, secret: SecretStr) -> str:
        return await self._fuse.around("vault.write", lambda: self._vault.write(name, secret))

    async def read(self, reference: str) -> SecretStr:
        return await self._fuse.around("vault.read", lambda: self._vault.read(reference))

    async def versions(self, name: str) -> tuple[str, ...]:
        return await self._fuse.around("vault.versions", lambda: self._vault.versions(name))

    async def destroy(self, name: str, *, keep: str | None = None, only: Sequence[str] | None = None) -> None:
        await self._fuse.around("vault.destroy", lambda: self._vault.destroy(name, keep=keep, only=only))

    async def remove(self, name: str) -> None:
        await self._fuse.around("vault.remove", lambda: self._vault.remove(name))

    async def close(self) -> None:
        await self._vault.close()


class CrashingQueue:
    """A queue behind a fuse."""

    def __init__(self, queue: Queue, fuse: Fuse) -> None:
        self._queue = queue
        self._fuse = fuse

    async def publish(self, *messages: Message) -> None:
        topics = " ".join(sorted({message.topic for message in messages}))
        await self._fuse.around(f"queue.publish {topics}", lambda: self._queue.publish(*messages))

    async def reach(self) -> None:
        await self._queue.reach()

    async def close(self) -> None:
        await self._queue.close()


@dataclass
class Ledger:
    """Documents as Firestore bills them; `lines` tells them apart, such as "read connections"."""

    reads: int = 0
    writes: int = 0
    deletes: int = 0
    commits: int = 0
    lines: Counter[str] = field(default_factory=Counter)

    def read(self, kind: type[Record], documents: int) -> None:
        """A question that found nothing costs one read too."""
        self.reads += max(1, documents)
        self.lines[f"read {kind.collection}"] += max(1, documents)


class CountingStore:
    """A store that enters every document into a ledger."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def get(self, kind: type[R], id: str) -> R | None:
        self._ledger.read(kind, 1)
        return await self._store.get(kind, id)

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        if ids:
            self._ledger.read(kind, len(set(ids)))
        return await self._store.get_many(kind, ids)

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        page = await self._store.find(kind, *where, limit=limit, cursor=cursor)
        # The stores read one record beyond a full page to know whether anything follows.
        self._ledger.read(kind, len(page.items) + (page.next_cursor is not None))
        return page

    async def count(self, kind: type[Record], *where: Where) -> int:
        number = await self._store.count(kind, *where)
        self._ledger.read(kind, -(-number // 1000))
        return number

    async def commit(self, *changes: Change) -> Committed:
        committed = await self._store.commit(*changes)
        self._ledger.commits += bool(changes)
        for change in changes:
            if isinstance(change, Delete):
                self._ledger.deletes += 1
            else:
                self._ledger.writes += 1
            self._ledger.lines[f"{type(change).__name__.lower()} {_collection(change)}"] += 1
        return committed

    async def close(self) -> None:
        await self._store.close()


def _collection(change: Change) -> str:
    return change.kind.collection if isinstance(change, Delete | Patch) else change.record.collection
