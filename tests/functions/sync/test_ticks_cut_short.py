"""A tick that the platform ends half-way: what it published stays published, and the next one does the rest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest

from functions.sync import ticking
from hedgerow.adapters.embedded import Wanted
from hedgerow.drafts import SecretDraft
from hedgerow.errors import NewerRecordError
from hedgerow.messages import PurgeRequested, SyncRequested
from hedgerow.models import Connection, SyncRun
from hedgerow.ports import Add, Page, Patch, Swap, Where
from hedgerow.records import Record
from tests.crash import Crash, CrashingStore, Fuse, armed
from tests.sync_stage import NOW, SyncStage, sync_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.ports import Store

R = TypeVar("R", bound=Record)
DUE = ticking.PAGE + 50
LEFT = ticking.RUNS_PAGE + 5


@pytest.fixture
async def stage() -> AsyncIterator[SyncStage]:
    """A page of due connections and some more, the oldest due first."""
    async with sync_stage(tier="scale") as made:
        one = await made.connection()
        await made.store.commit(Swap(one.model_copy(update={"due_at": None})))
        for begin in range(0, DUE, 500):
            numbers = range(begin, min(begin + 500, DUE))
            await made.store.commit(
                *(
                    Add(
                        one.model_copy(
                            update={
                                "id": f"con_{number:05}",
                                "version": 0,
                                "due_at": NOW - timedelta(days=1, seconds=-number),
                            }
                        )
                    )
                    for number in numbers
                )
            )
        yield made


async def test_what_a_tick_did_not_reach_is_published_by_the_next(stage: SyncStage) -> None:
    calls = Fuse()
    assert await ticking.tick(armed(stage.app, calls), "scale") == DUE
    whole = await taken(stage)
    first = calls.calls.index("queue.publish sync-requested") + 1
    with pytest.raises(Crash):
        await ticking.tick(armed(stage.app, Fuse(first, after=True)), "scale")
    begun = await taken(stage)
    assert begun == whole[: ticking.PAGE]
    # Those are synced meanwhile: their runs move their due times.
    for id in (key.partition("@")[0] for key in begun):
        found = await stage.store.get(Connection, id)
        assert found is not None
        await stage.store.commit(Patch(Connection, id, found.version, {"due_at": NOW + timedelta(minutes=30)}))
    assert await ticking.tick(stage.app, "scale") == DUE - ticking.PAGE
    assert await taken(stage) == whole[ticking.PAGE :]


async def test_before_those_are_synced_the_next_tick_asks_for_the_same_runs_again(stage: SyncStage) -> None:
    calls = Fuse()
    await ticking.tick(armed(stage.app, calls), "scale")
    await taken(stage)
    first = calls.calls.index("queue.publish sync-requested") + 1
    with pytest.raises(Crash):
        await ticking.tick(armed(stage.app, Fuse(first, after=True)), "scale")
    begun = await taken(stage)
    assert await ticking.tick(stage.app, "scale") == DUE
    again = await taken(stage)
    assert set(begun) < set(again)
    assert len(set(again)) == DUE


class Hanging(CrashingStore):
    """A store that never answers for the second page of due connections: every tick is cut before its end."""

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        if kind is ticking.DueConnection and cursor is not None:
            await asyncio.Event().wait()
        return await super().find(kind, *where, limit=limit, cursor=cursor)


class Refusing(CrashingStore):
    """A store that holds a record of a newer release in one collection."""

    def __init__(self, store: Store, collection: str) -> None:
        super().__init__(store, Fuse())
        self._refused = collection

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        if kind.collection == self._refused:
            raise NewerRecordError(kind.collection, "x", stored=2, known=1)
        return await super().find(kind, *where, limit=limit, cursor=cursor)


async def test_what_a_crash_left_is_found_by_ticks_that_never_come_to_their_end(stage: SyncStage) -> None:
    await leave_lying(stage)
    cut = replace(stage.app, store=Hanging(stage.store, Fuse()))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ticking.tick(cut, "scale"), 5)
    runs = [f"run_{state}_{number}" for state in ("pending", "running") for number in range(LEFT)]
    keys = await taken(stage)
    assert len(keys) == len(set(keys))
    asked = {key for key in keys if "@" not in key}
    assert len(keys) - len(asked) == ticking.PAGE
    assert asked == {*runs, "con_leaving", "con_draft"}


@pytest.mark.parametrize("collection", ["connections", "sync_runs", "secret_drafts"])
async def test_what_fails_in_one_walk_keeps_no_other_from_its_work(stage: SyncStage, collection: str) -> None:
    await leave_lying(stage)
    with pytest.raises(NewerRecordError):
        await ticking.tick(replace(stage.app, store=Refusing(stage.store, collection)), "scale")
    asked = {key.partition("_")[0] if "@" in key else key.rstrip("0123456789") for key in await taken(stage)}
    everything = {
        "connections": {"con", "con_leaving"},
        "sync_runs": {"run_pending_", "run_running_"},
        "secret_drafts": {"con_draft"},
    }
    assert asked == set[str]().union(*(found for name, found in everything.items() if name != collection))


async def leave_lying(stage: SyncStage) -> None:
    """More runs of either kind than a page, an unfinished disconnection, and the draft of an attempt that died."""
    since, one = NOW - timedelta(hours=1), await stage.connection()
    for state in ("pending", "running"):
        await stage.store.commit(
            *(
                Add(
                    SyncRun(
                        id=f"run_{state}_{number}",
                        connection_id=one.id,
                        tenant_id=one.tenant_id,
                        kind="refresh",
                        state=state,
                        from_day=NOW.date(),
                        to_day=NOW.date(),
                        created_at=since,
                        due_at=since,
                    )
                )
                for number in range(LEFT)
            )
        )
    leaving = {"id": "con_leaving", "version": 0, "state": "disconnecting", "due_at": None}
    await stage.store.commit(
        Add(one.model_copy(update=leaving)), Add(SecretDraft(id="draft_x", connection_id="con_draft", due_at=since))
    )


async def taken(stage: SyncStage) -> list[str]:
    """The keys of the messages that wait, syncs before purges, oldest first; they wait no more."""
    keys: list[str] = []
    done: list[int] = []
    wanted = [Wanted(topic, 0, 1_000) for topic in (SyncRequested.topic, PurgeRequested.topic)]
    while waiting := await stage.queue.exchange(done, wanted):
        keys += [message.key for message in waiting]
        done = [message.id for message in waiting]
    return keys
