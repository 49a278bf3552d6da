"""What our own store will never take: the run ends and says so, and the schedule tries later and later, not for ever."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from functions.sync import outcomes
from functions.sync.main import sync_connection
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.dead_letters import DeadMessage
from hedgerow.errors import HedgerowError, RejectedError, TooLargeError
from hedgerow.messages import SyncRequested
from hedgerow.models import MetricMonth, Trouble
from hedgerow.ports import Add, Swap
from tests.crash import CrashingStore, Fuse
from tests.stage import Clock, Stage
from tests.sync_stage import SyncStage, sync_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.ports import Change, Committed, Store

EVENTS = [{"event": "paid", "distinct_id": "u", "timestamp": "2026-11-19T10:00:00Z", "properties": {}}]
SECRETIVE = "Firestore takes nothing this large: projects/the-operators/databases/(default)"


class Refusing(CrashingStore):
    """A store that takes no month of points, ever, unless `mended`."""

    def __init__(self, store: Store, error: type[HedgerowError]) -> None:
        super().__init__(store, Fuse())
        self.error = error
        self.mended = False

    async def commit(self, *changes: Change) -> Committed:
        months = [each for each in changes if isinstance(each, Add | Swap) and isinstance(each.record, MetricMonth)]
        if months and not self.mended:
            raise self.error(SECRETIVE)
        return await super().commit(*changes)


@pytest.fixture
async def memory() -> AsyncIterator[Store]:
    """A store that any of these may spoil."""
    opened = SqliteStore(":memory:")
    yield opened
    await opened.close()


async def due(stage: SyncStage) -> timedelta:
    """To the connection's next due time and the tick; how long that was."""
    connection = await stage.connection()
    assert connection.due_at is not None
    wait = connection.due_at - stage.app.now()
    stage.forward(wait + timedelta(seconds=1))
    assert await stage.tick() == 1
    return wait


async def trouble(stage: SyncStage) -> Trouble:
    found = (await stage.connection()).trouble
    assert found is not None
    return found


@pytest.mark.parametrize(("error", "code"), [(TooLargeError, "too_large"), (RejectedError, "rejected")])
async def test_the_run_fails_with_its_code_and_the_connection_says_it_in_words(
    store: Store, error: type[HedgerowError], code: str
) -> None:
    async with sync_stage(EVENTS, store=Refusing(store, error)) as stage:
        await due(stage)
        run, connection = (await stage.runs())[0], await stage.connection()
        assert run.error == connection.trouble == await trouble(stage)
        assert (run.state, (await trouble(stage)).code) == ("failed", code)
        assert "own store" in (await trouble(stage)).detail
        assert "operators" not in str(await trouble(stage)), "Google's words name the operator's project"
        assert connection.state == "connected"
        assert connection.due_at is not None
        assert connection.due_at > stage.app.now()
        assert [told.kind for told in await stage.activity()] == ["run.failed"]
        assert await stage.points() == {}


async def test_nothing_is_buried_and_six_hours_of_ticks_ask_posthog_a_handful_of_times(memory: Store) -> None:
    async with sync_stage(EVENTS, store=Refusing(memory, RejectedError), tier="scale") as stage:
        calls = Stage(stage.app, Clock(), stage.store, stage.queue)
        stage.forward(timedelta(hours=1))
        first = await stage.connection()
        assert await calls.deliver(sync_connection, SyncRequested(connection_id=first.id, due_at=first.due_at)) == 204
        for _ in range(6 * 12):
            await stage.tick()
            stage.forward(timedelta(minutes=5))
        assert (await stage.store.find(DeadMessage)).items == ()
        runs = await stage.runs()
        assert {run.state for run in runs} == {"failed"}
        assert 2 <= len(runs) <= 6
        assert sum(stage.posthog.requests.values()) <= 2 * len(runs)


async def test_the_schedule_tries_later_and_later_and_then_the_connection_needs_attention(memory: Store) -> None:
    async with sync_stage(EVENTS, store=Refusing(memory, TooLargeError), tier="scale") as stage:
        waits = [await due(stage) for _ in range(outcomes.MOST_REFUSED)]
        assert waits[1] <= timedelta(minutes=30)
        assert all(after >= before for before, after in pairwise(waits[2:]))
        assert max(waits) <= timedelta(days=1, minutes=30)
        assert timedelta(days=2) < sum(waits, timedelta()) < timedelta(days=5)
        connection = await stage.connection()
        assert (connection.state, connection.due_at) == ("needs_attention", None)
        assert (await trouble(stage)).code == "too_large"
        assert [told.kind for told in await stage.activity()].count("connection.needs_attention") == 1
        stage.forward(timedelta(days=30))
        assert await stage.tick() == 0
        assert len(await stage.runs()) == outcomes.MOST_REFUSED


async def test_a_store_that_is_mended_brings_the_connection_back_by_itself_and_counts_anew(memory: Store) -> None:
    store = Refusing(memory, RejectedError)
    async with sync_stage(EVENTS, store=store, tier="scale") as stage:
        for _ in range(4):
            await due(stage)
        assert (await stage.connection()).progress.refused == 4
        store.mended = True
        await due(stage)
        assert (await stage.runs())[0].state == "succeeded"
        assert (await stage.connection()).trouble is None
        assert (await stage.connection()).progress.refused == 0
        store.mended = False
        stage.posthog.load([{**EVENTS[0], "timestamp": stage.app.now().isoformat()}])
        await due(stage)
        assert (await stage.runs())[0].state == "failed"
        assert (await stage.connection()).state == "connected"
        assert await due(stage) <= timedelta(minutes=30)


async def test_a_person_who_brings_it_back_begins_the_count_anew(memory: Store) -> None:
    async with sync_stage(EVENTS, store=Refusing(memory, RejectedError), tier="scale") as stage:
        for _ in range(outcomes.MOST_REFUSED):
            await due(stage)
        stopped = await stage.connection()
        healed = {
            "state": "connected",
            "trouble": None,
            "due_at": stage.app.now() + timedelta(minutes=1),
            "progress": stopped.progress.model_copy(update={"failures": 0}),
        }
        await stage.store.commit(Swap(stopped.model_copy(update=healed)))
        await due(stage)
        assert (await stage.connection()).state == "connected"


async def test_a_refresh_that_is_refused_fails_at_once_and_leaves_the_schedule_as_it_is(memory: Store) -> None:
    async with sync_stage(EVENTS, store=Refusing(memory, TooLargeError)) as stage:
        before = await stage.connection()
        for _ in range(3):
            run = await stage.refresh(stage.app.now().date())
            assert run.error is not None
            assert (run.state, run.attempts, run.error.code) == ("failed", 1, "too_large")
        after = await stage.connection()
        assert (after.state, after.due_at, after.progress.refused) == ("connected", before.due_at, 0)


async def test_every_part_of_a_long_refresh_is_tried_once_and_the_whole_has_failed(memory: Store) -> None:
    async with sync_stage(EVENTS, store=Refusing(memory, TooLargeError)) as stage:
        whole = await stage.refresh(date(2026, 6, 1), date(2026, 11, 20))
        assert whole.error is not None
        assert (whole.state, whole.parts_done, whole.error.code) == ("failed", whole.parts, "too_large")
        assert {run.state for run in await stage.runs()} == {"failed"}
