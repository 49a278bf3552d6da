"""A bill: documents, messages and secrets as Google counts them, and ports that enter them.

Firestore bills a document read (also one that is missing), at least one for each question,
one write or delete for each changed document. A precondition reads nothing, and a commit
that fails is taken to cost nothing: Google's price list says neither (unverified).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from hedgerow.adapters.sealed import SealedVault
from tests.crash import CountingStore, Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from hedgerow.app import App
    from hedgerow.messages import Message
    from hedgerow.ports import Queue, Vault

VaultKind = Literal["secret_manager", "sealed"]
VAULTS: tuple[VaultKind, ...] = ("secret_manager", "sealed")


@dataclass(frozen=True, slots=True)
class Operations:
    """Billed operations of one thing done, or the mean of many."""

    reads: float = 0
    writes: float = 0
    deletes: float = 0
    messages: float = 0
    accesses: float = 0

    def __add__(self, other: Operations) -> Operations:
        return Operations(*(mine + its for mine, its in zip(self.numbers, other.numbers, strict=True)))

    def __sub__(self, other: Operations) -> Operations:
        return self + other.times(-1)

    def times(self, number: float) -> Operations:
        """That many of it."""
        return Operations(*(mine * number for mine in self.numbers))

    @property
    def numbers(self) -> tuple[float, ...]:
        """In the order of the fields."""
        return (self.reads, self.writes, self.deletes, self.messages, self.accesses)


def mean(some: Sequence[Operations]) -> Operations:
    """The mean of at least one."""
    return sum(some, Operations()).times(1 / len(some))


def most(some: Sequence[Operations]) -> Operations:
    """The most of each."""
    return Operations(*map(max, zip(*(one.numbers for one in some), strict=True)))


@dataclass
class Bill(Ledger):
    """A ledger of documents, with messages published and secrets accessed."""

    messages: int = 0
    accesses: int = 0

    @property
    def so_far(self) -> Operations:
        """Everything entered."""
        return Operations(self.reads, self.writes, self.deletes, self.messages, self.accesses)

    @property
    def stored(self) -> int:
        """How often a month of points was written."""
        return sum(self.lines[f"{word} {months}"] for word in ("add", "swap") for months in _MONTHS)


_MONTHS = ("metric_months", "hour_months")


class CountingQueue:
    """A queue that enters every message."""

    def __init__(self, queue: Queue, bill: Bill) -> None:
        self._queue = queue
        self._bill = bill

    async def publish(self, *messages: Message) -> None:
        await self._queue.publish(*messages)
        self._bill.messages += len(messages)
        for message in messages:
            self._bill.lines[f"publish {message.topic}"] += 1

    async def reach(self) -> None:
        await self._queue.reach()

    async def close(self) -> None:
        await self._queue.close()


class CountingVault:
    """Secret Manager's bill: one access for each reading."""

    def __init__(self, vault: Vault, bill: Bill) -> None:
        self._vault = vault
        self._bill = bill

    async def write(self, name: str, secret: SecretStr) -> str:
        return await self._vault.write(name, secret)

    async def read(self, reference: str) -> SecretStr:
        self._bill.accesses += 1
        return await self._vault.read(reference)

    async def versions(self, name: str) -> tuple[str, ...]:
        return await self._vault.versions(name)

    async def destroy(self, name: str, *, keep: str | None = None, only: Sequence[str] | None = None) -> None:
        await self._vault.destroy(name, keep=keep, only=only)

    async def remove(self, name: str) -> None:
        await self._vault.remove(name)

    async def close(self) -> None:
        await self._vault.close()


def billed(app: App, bill: Bill, vault: VaultKind = "secret_manager") -> App:
    """The same App with every billed operation entered; its vault as Secret Manager, or sealed in the store."""
    store = CountingStore(app.store, bill)
    kept: Vault = CountingVault(app.vault, bill) if vault == "secret_manager" else SealedVault(store, bytes(32))
    return replace(app, store=store, queue=CountingQueue(app.queue, bill), vault=kept)
