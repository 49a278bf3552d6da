"""What people, clocks, bugs and other runs do while a sync is asked for or under way, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from functions.sync import syncing, ticking
from hedgerow import slots
from hedgerow.errors import InvalidError, StateConflictError
from hedgerow.messages import SyncRequested
from hedgerow.models import ProjectSlot, SyncRun
from hedgerow.ports import Add, Swap
from hedgerow.records import new_id
from tests.functions.sync.due_syncs import EVENTS, due, newest
from tests.sync_stage import NOW, SyncStage, sync_stage


async def test_the_same_message_twice_and_two_ticks_at_once_make_one_run() -> None:
    async with sync_stage(EVENTS) as stage:
        connection = await stage.connection()
        assert connection.due_at is not None
        stage.forward(connection.due_at - stage.app.now() + timedelta(seconds=1))
        await asyncio.gather(*(ticking.tick(stage.app, "pro") for _ in range(3)))
        message = SyncRequested(connection_id=connection.id, due_at=connection.due_at)
        await asyncio.gather(*(syncing.sync(stage.app, message) for _ in range(3)))
        await stage.carry_out()
        assert [(run.state, run.requests) for run in await stage.runs()] == [("succeeded", 2)]


async def test_a_refresh_that_meets_a_busy_project_follows_when_the_slot_is_free() -> None:
    async with sync_stage(EVENTS) as stage:
        connection = await stage.connection()
        holder = SyncRun(
            id=new_id("run"),
            connection_id=connection.id,
            tenant_id=connection.tenant_id,
            kind="refresh",
            state="running",
            from_day=date(2026, 11, 1),
            to_day=date(2026, 11, 2),
            created_at=NOW,
            began_at=NOW,
            due_at=NOW + slots.LEASE,
        )
        slot = ProjectSlot(id=slots.slot_id(connection), holder_run_id=holder.id, until=NOW + slots.LEASE)
        await stage.store.commit(Add(holder), Add(slot))
        waiting = await stage.refresh()
        assert waiting.state == "pending"
        found = await stage.store.get(SyncRun, holder.id)
        assert found is not None
        assert found.waiting == (waiting.id,)
        stage.forward(slots.LEASE + timedelta(seconds=1))
        await stage.tick()
        assert {run.state for run in await stage.runs()} == {"succeeded"}


async def test_a_slot_whose_run_was_purged_is_free() -> None:
    async with sync_stage(EVENTS) as stage:
        connection = await stage.connection()
        gone = ProjectSlot(
            id=slots.slot_id(connection), holder_run_id="run_of_a_purged_connection", until=NOW + slots.LEASE
        )
        await stage.store.commit(Add(gone))
        assert (await stage.refresh()).state == "succeeded"


async def test_a_run_whose_connection_is_disconnected_meanwhile_writes_nothing_more() -> None:
    async with sync_stage(EVENTS) as stage:

        async def disconnected() -> None:
            connection = await stage.connection()
            await stage.store.commit(Swap(connection.model_copy(update={"state": "disconnecting", "due_at": None})))

        await while_asked(stage, disconnected)
        assert await stage.points() == {}
        run, connection = await newest(stage), await stage.connection()
        assert (run.state, connection.state) == ("failed", "disconnecting")
        assert run.error is not None
        assert run.error.code == "connection_disconnecting"


async def test_a_rename_meanwhile_is_kept_and_the_sync_goes_on() -> None:
    async with sync_stage(EVENTS) as stage:

        async def renamed() -> None:
            await stage.store.commit(Swap((await stage.connection()).model_copy(update={"name": "Renamed"})))

        await while_asked(stage, renamed)
        assert (await newest(stage)).state == "succeeded"
        assert (await stage.connection()).name == "Renamed"
        assert await stage.points()


async def test_a_bug_in_a_run_ends_it_with_a_reason_and_frees_the_project() -> None:
    async with sync_stage(EVENTS) as stage:

        async def explode() -> None:
            raise ArithmeticError("a bug")

        await while_asked(stage, explode)
        run = await newest(stage)
        assert run.error is not None
        assert (run.state, run.error.code) == ("failed", "internal")
        stage.app.http._transport.app = stage.posthog.app  # type: ignore[attr-defined]
        assert (await stage.refresh()).state == "succeeded"


async def while_asked(stage: SyncStage, act: Any) -> None:
    """A scheduled sync during whose question to PostHog something else happens."""
    inner = stage.posthog.app

    async def meddled(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["path"].endswith("/query/"):
            await act()
        await inner(scope, receive, send)  # type: ignore[arg-type]

    stage.app.http._transport.app = meddled  # type: ignore[attr-defined]
    await due(stage)


async def test_activity_tracking_off_syncs_nothing_and_says_so() -> None:
    async with sync_stage(EVENTS) as stage:
        await stage.store.commit(Swap((await stage.connection()).model_copy(update={"activity_tracking": False})))
        with pytest.raises(StateConflictError) as refused:
            await stage.refresh()
        assert refused.value.code == "activity_off"
        await due(stage)
        assert await stage.runs() == []


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (date(2026, 11, 10), date(2026, 11, 1), "window_reversed"),
        (date(2026, 11, 10), date(2026, 11, 21), "window_in_future"),
        (date(2027, 1, 1), None, "window_in_future"),
        (date(1, 1, 1), date(1, 1, 2), "window_too_old"),
        (None, date(1, 1, 1), "window_too_old"),
        (date(2023, 1, 1), date(2026, 11, 20), "window_too_long"),
    ],
)
async def test_windows_that_cannot_be_are_refused(first: date | None, last: date | None, code: str) -> None:
    async with sync_stage() as stage:
        with pytest.raises(InvalidError) as refused:
            await stage.refresh(first, last)
        assert refused.value.code == code


async def test_days_that_the_tier_does_not_keep_are_not_fetched() -> None:
    async with sync_stage(tier="basic") as stage:
        with pytest.raises(InvalidError) as refused:
            await stage.refresh(date(2026, 1, 1), date(2026, 2, 1))
        assert refused.value.code == "window_not_kept"
        assert (await stage.refresh()).state == "succeeded"


async def test_the_clock_jumping_forth_and_back_leaves_a_sound_schedule() -> None:
    async with sync_stage(EVENTS) as stage:
        await due(stage)
        stage.forward(timedelta(days=40))
        await stage.tick()
        stage.forward(timedelta(days=-40))
        await stage.tick()
        stage.forward(timedelta(days=41))
        await stage.tick()
        connection = await stage.connection()
        assert connection.due_at is not None
        assert stage.app.now() < connection.due_at <= stage.app.now() + timedelta(hours=3)
        assert (await newest(stage)).state == "succeeded"
