"""Two tenants connected to one PostHog project: each run is carried out under its own connection, and none is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from functions.sync import refreshing, syncing
from hedgerow import slots
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncRun, Tenant
from hedgerow.ports import Add, Delete, Swap
from hedgerow.records import new_id
from hedgerow.runs import scheduled_id
from tests.crash import Crash, Fuse, armed
from tests.sync_stage import SyncStage, sync_stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hedgerow.ports import Store

EVENTS = [{"event": "paid", "distinct_id": "u", "timestamp": "2026-11-19T10:00:00Z", "properties": {}}]


async def beside(stage: SyncStage) -> SyncStage:
    """The same installation as another tenant sees it, who has connected the same project with a key of their own."""
    first, tenant = await stage.connection(), Tenant(id=new_id("ten"), name="B", tier="pro", created_at=stage.app.now())
    id, key = new_id("con"), stage.posthog.add_key()
    theirs = {
        "id": id,
        "tenant_id": tenant.id,
        "version": 0,
        "secret_ref": await stage.app.vault.write(id, SecretStr(key)),
    }
    await stage.store.commit(Add(tenant), Add(first.model_copy(update=theirs)))
    return replace(stage, tenant=tenant, connection_id=id)


async def due(stage: SyncStage) -> SyncRequested:
    """Four hours later, what a tick asks for."""
    stage.forward(timedelta(hours=4))
    connection = await stage.connection()
    assert connection.due_at is not None
    assert connection.due_at < stage.app.now()
    return SyncRequested(connection_id=connection.id, due_at=connection.due_at)


async def sync_while(stage: SyncStage, message: SyncRequested, act: Callable[[], Awaitable[object]]) -> None:
    """A sync during whose question to PostHog something else happens, once."""
    inner, left = stage.posthog.app, [act]

    async def meddled(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["path"].endswith("/query/") and left:
            await left.pop()()
        await inner(scope, receive, send)  # type: ignore[arg-type]

    transport: Any = stage.app.http._transport
    transport.app = meddled
    await syncing.sync(stage.app, message)
    transport.app = inner


async def run_of(stage: SyncStage, id: str) -> SyncRun:
    found = await stage.store.get(SyncRun, id)
    assert found is not None
    return found


async def test_a_refresh_that_waits_for_another_tenants_sync_brings_its_own_months(store: Store) -> None:
    async with sync_stage(EVENTS, store=store) as ours:
        theirs = await beside(ours)
        message = await due(theirs)
        wanted: list[SyncRun] = []

        async def refresh() -> None:
            wanted.append(
                await refreshing.refresh(ours.app, await ours.connection(), date(2026, 11, 1), ours.app.now().date())
            )
            await ours.carry_out()

        await sync_while(theirs, message, refresh)
        assert (await run_of(ours, wanted[0].id)).state == "pending"
        assert await ours.points() == {}
        await ours.carry_out()
        run = await run_of(ours, wanted[0].id)
        assert (run.state, run.connection_id) == ("succeeded", ours.connection_id)
        points = await ours.points()
        assert points["event:paid", date(2026, 11, 19)].value == 1
        assert {point.write.run_id for point in points.values()} == {run.id}
        assert {point.write.run_id for point in (await theirs.points()).values()} == {
            each.id for each in await theirs.runs()
        }


async def test_a_scheduled_run_that_died_and_waits_for_another_tenants_sync_keeps_its_connection_scheduled() -> None:
    async with sync_stage(EVENTS) as ours:
        theirs = await beside(ours)
        await due(ours)
        connection = await ours.connection()
        assert connection.due_at is not None
        mine = scheduled_id(connection.id, connection.due_at)
        dying = armed(ours.app, Fuse(at=3, after=True))
        with pytest.raises(Crash):
            await syncing.sync(dying, SyncRequested(connection_id=connection.id, due_at=connection.due_at))
        assert (await run_of(ours, mine)).state == "running"
        ours.forward(slots.LEASE + timedelta(minutes=1))

        async def ask_again() -> None:
            await syncing.sync(ours.app, SyncRequested(connection_id=connection.id, run_id=mine))

        other = await theirs.connection()
        await sync_while(theirs, SyncRequested(connection_id=other.id, due_at=other.due_at), ask_again)
        ours.forward(timedelta(minutes=3))
        await ours.carry_out()
        assert (await run_of(ours, mine)).state == "succeeded"
        assert {point.write.run_id for point in (await ours.points()).values()} == {mine}
        connection = await ours.connection()
        assert connection.due_at is not None
        assert connection.due_at > ours.app.now()


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "purged"])
async def test_a_message_that_names_another_connection_begins_and_ends_no_run(is_there: bool) -> None:
    async with sync_stage(EVENTS) as ours:
        theirs = await beside(ours)
        run = await refreshing.refresh(ours.app, await ours.connection(), None, None)
        if not is_there:
            await theirs.store.commit(Delete(Connection, theirs.connection_id))
        await syncing.sync(ours.app, SyncRequested(connection_id=theirs.connection_id, run_id=run.id))
        assert (await run_of(ours, run.id)).state == "pending"
        assert await theirs.points() == await ours.points() == {}
        await ours.carry_out()
        assert (await run_of(ours, run.id)).state == "succeeded"
        assert await ours.points()


@pytest.mark.parametrize("state", ["succeeded", "failed"])
async def test_a_connection_whose_slot_is_over_yet_stands_due_is_scheduled_anew_by_a_tick(
    store: Store, state: str
) -> None:
    async with sync_stage(EVENTS, store=store) as stage:
        message = await due(stage)
        assert message.due_at is not None
        connection, now = await stage.connection(), stage.app.now()
        over = SyncRun(
            id=scheduled_id(connection.id, message.due_at),
            connection_id=connection.id,
            tenant_id=connection.tenant_id,
            kind="scheduled",
            state="succeeded" if state == "succeeded" else "failed",
            from_day=now.date(),
            to_day=now.date(),
            created_at=now,
            finished_at=now,
        )
        await stage.store.commit(Add(over))
        assert await stage.tick() == 1
        connection = await stage.connection()
        assert connection.due_at is not None
        assert now < connection.due_at <= now + timedelta(hours=3)
        stage.forward(timedelta(hours=3))
        assert await stage.tick() == 1
        assert [run.state for run in await stage.runs()] == ["succeeded", state]
        assert await stage.points()


async def test_a_sync_that_a_new_zone_stopped_is_due_again() -> None:
    async with sync_stage(EVENTS) as stage:
        message = await due(stage)

        async def move() -> None:
            await stage.store.commit(Swap((await stage.connection()).model_copy(update={"timezone": "Asia/Tokyo"})))

        await sync_while(stage, message, move)
        assert [run.state for run in await stage.runs()] == ["failed"]
        await stage.tick()
        connection = await stage.connection()
        assert connection.due_at is not None
        assert connection.due_at > stage.app.now()


async def test_a_run_that_ended_just_now_leaves_its_connections_time_alone() -> None:
    async with sync_stage(EVENTS) as stage:
        message = await due(stage)
        await syncing.sync(stage.app, message)
        before = await stage.connection()
        for _ in range(2):
            await syncing.sync(stage.app, message)
            await syncing.sync(stage.app, SyncRequested(connection_id=before.id, run_id=(await stage.runs())[0].id))
        assert await stage.connection() == before
