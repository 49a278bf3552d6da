"""The crash wrappers themselves: they die exactly where they say, and count exactly what was asked."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.sealed import SealedVault
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import ConflictError
from hedgerow.messages import PurgeRequested
from hedgerow.ports import Add, Delete, Swap, Where
from tests.contract.specimens import Leaf
from tests.crash import CountingStore, Crash, CrashingQueue, CrashingStore, CrashingVault, Fuse, Ledger, every_fuse


async def flow(fuse: Fuse, found: list[tuple[bool, int]]) -> None:
    """Read, write, publish; then note what a survivor finds: is the record there, how many messages wait."""
    store, queue = SqliteStore(":memory:"), EmbeddedQueue(":memory:")
    mine, ours = CrashingStore(store, fuse), CrashingQueue(queue, fuse)
    vault = CrashingVault(SealedVault(store, b"k" * 32), fuse)
    try:
        await mine.get(Leaf, "x")
        await vault.write("con_1", SecretStr("phx_1"))
        await mine.commit(Add(Leaf(id="x")))
        await ours.publish(PurgeRequested(connection_id="con_1"))
    finally:
        found.append((await store.get(Leaf, "x") is not None, await queue.waiting()))
        await store.close()
        await queue.close()


async def test_a_fuse_that_holds_numbers_the_calls() -> None:
    fuse = Fuse()
    found: list[tuple[bool, int]] = []

    await flow(fuse, found)

    assert found == [(True, 1)]
    assert fuse.calls == [
        "store.get leaves",
        "vault.write",
        "store.commit Add(leaves)",
        "queue.publish purge-requested",
    ]


async def test_each_fuse_dies_before_or_after_its_call() -> None:
    found: list[tuple[bool, int]] = []
    for fuse in every_fuse(4):
        with pytest.raises(Crash):
            await flow(fuse, found)

    nothing, written = (False, 0), (True, 0)
    assert found == [nothing] * 5 + [written] * 2 + [(True, 1)]


async def test_the_dead_make_no_further_calls() -> None:
    fuse = Fuse(1)
    store = CrashingStore(SqliteStore(":memory:"), fuse)
    with pytest.raises(Crash):
        await store.get(Leaf, "x")

    with pytest.raises(Crash):
        await store.commit(Add(Leaf(id="x")))

    assert fuse.calls == ["store.get leaves"]


async def test_a_ledger_counts_documents_as_they_are_billed() -> None:
    ledger = Ledger()
    store = CountingStore(SqliteStore(":memory:"), ledger)
    leaves = [Leaf(id=id) for id in "abc"]
    committed = await store.commit(*map(Add, leaves))
    await store.get(Leaf, "nothing")
    await store.get_many(Leaf, ["a", "a", "b"])
    await store.find(Leaf, limit=2)
    await store.find(Leaf, Where("tree", "==", "yew"))
    await store.count(Leaf)
    with pytest.raises(ConflictError):
        await store.commit(Add(leaves[0]))
    await store.commit(Swap(committed.of(leaves[0])), Delete(Leaf, "b"))
    await store.close()

    assert (ledger.reads, ledger.writes, ledger.deletes, ledger.commits) == (1 + 2 + 3 + 1 + 1, 4, 1, 2)
    assert ledger.lines == {"add leaves": 3, "swap leaves": 1, "delete leaves": 1, "read leaves": 8}
