"""A tick that the platform ends half-way: what it published stays published, and the next one does the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from functions.sync import ticking
from hedgerow.adapters.embedded import Wanted
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection
from hedgerow.ports import Add, Patch, Swap
from tests.crash import Crash, Fuse, armed
from tests.sync_stage import NOW, SyncStage, sync_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DUE = ticking.PAGE + 50


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
    first = next(number for number, call in enumerate(calls.calls, start=1) if call.startswith("queue.publish"))
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
    with pytest.raises(Crash):
        await ticking.tick(armed(stage.app, Fuse(2, after=True)), "scale")
    begun = await taken(stage)
    assert await ticking.tick(stage.app, "scale") == DUE
    again = await taken(stage)
    assert set(begun) < set(again)
    assert len(set(again)) == DUE


async def taken(stage: SyncStage) -> list[str]:
    """The keys of the messages that wait, oldest first; they wait no more."""
    keys: list[str] = []
    done: list[int] = []
    while waiting := await stage.queue.exchange(done, [Wanted(SyncRequested.topic, 0, 1_000)]):
        keys += [message.key for message in waiting]
        done = [message.id for message in waiting]
    return keys
