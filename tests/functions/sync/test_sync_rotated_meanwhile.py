"""A key is replaced while a run is under way with the old one: nothing said of the old key is held against the new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from pydantic import SecretStr

from functions.sync import syncing, visit
from hedgerow.errors import ConflictError
from hedgerow.messages import SyncRequested
from hedgerow.ports import Swap
from tests.crash import Fuse, armed
from tests.sync_stage import SyncStage, sync_stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hedgerow.ports import Store

T = TypeVar("T")
EVENTS = [{"event": "paid", "distinct_id": "u", "timestamp": "2026-11-19T10:00:00Z", "properties": {}}]


@dataclass
class Meanwhile(Fuse):
    """Before port calls whose name begins so, somebody else does something, up to so many times."""

    before: str = ""
    work: Callable[[], Awaitable[object]] | None = None
    times: int = 1

    async def around(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if self.work is not None and name.startswith(self.before) and self.times > 0:
            self.times -= 1
            await self.work()
        return await super().around(name, call)


async def rotate(stage: SyncStage, key: str | None = None) -> None:
    """As a rotation does it: the new key is written, swapped in, the old one destroyed; and deleted at PostHog."""
    connection = await stage.connection()
    old = await stage.app.vault.read(connection.secret_ref or "")
    reference = await stage.app.vault.write(connection.id, SecretStr(key or stage.posthog.add_key()))
    await stage.store.commit(Swap(connection.model_copy(update={"secret_ref": reference})))
    await stage.app.vault.destroy(connection.id, keep=reference)
    if key is None:
        stage.posthog.revoke_key(old.get_secret_value())


async def due(stage: SyncStage) -> SyncRequested:
    stage.forward(timedelta(hours=4))
    connection = await stage.connection()
    assert connection.due_at is not None
    return SyncRequested(connection_id=connection.id, due_at=connection.due_at)


def while_asked(stage: SyncStage, act: Callable[[], Awaitable[object]]) -> None:
    """From now on, once: before PostHog sees a query, somebody else does something."""
    inner, left = stage.posthog.app, [act]

    async def meddled(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["path"].endswith("/query/") and left:
            await left.pop()()
        await inner(scope, receive, send)  # type: ignore[arg-type]

    stage.app.http._transport.app = meddled  # type: ignore[attr-defined]


async def assert_synced(stage: SyncStage) -> None:
    connection = await stage.connection()
    assert (connection.state, connection.trouble) == ("connected", None)
    assert [run.state for run in await stage.runs()] == ["succeeded"]
    assert await stage.points()
    assert {told.kind for told in await stage.activity()} == {"run.succeeded"}


async def test_a_rotation_before_the_key_is_read_has_the_run_read_the_new_one(store: Store) -> None:
    async with sync_stage(EVENTS, store=store) as stage:
        message = await due(stage)
        fuse = Meanwhile(before="vault.read", work=lambda: rotate(stage))
        await syncing.sync(armed(stage.app, fuse), message)
        await assert_synced(stage)


async def test_an_old_key_that_posthog_refuses_is_no_trouble_once_it_is_replaced(store: Store) -> None:
    async with sync_stage(EVENTS, store=store) as stage:
        message = await due(stage)
        while_asked(stage, lambda: rotate(stage))
        await syncing.sync(stage.app, message)
        await assert_synced(stage)
        run = (await stage.runs())[0]
        assert run.requests == sum(stage.posthog.requests.values())
        assert run.attempts == 1


async def test_a_key_replaced_between_the_verdict_and_its_commit_is_asked_with() -> None:
    async with sync_stage(EVENTS) as stage:
        message, new = await due(stage), stage.posthog.add_key()
        stage.posthog.revoke_key(stage.posthog.personal_api_key)
        fuse = Meanwhile(before="queue.publish run-ended", work=lambda: rotate(stage, new))
        await syncing.sync(armed(stage.app, fuse), message)
        await assert_synced(stage)


async def test_a_verdict_after_the_new_key_was_seen_is_about_the_old_one_all_the_same() -> None:
    async with sync_stage(EVENTS) as stage:
        connection = await stage.connection()
        progress = connection.progress.model_copy(update={"by_family": True})
        await stage.store.commit(Swap(connection.model_copy(update={"progress": progress})))
        message = await due(stage)

        async def rotate_and_wait() -> None:
            # Who queues behind the run changes it: the next lease is a conflict, and the connection is read again.
            run = (await stage.runs())[0]
            await stage.store.commit(Swap(run.model_copy(update={"waiting": ("run_of_somebody",)})))
            await rotate(stage)

        fuse = Meanwhile(before="store.commit Swap(sync_runs) Swap(project_slots)", work=rotate_and_wait)
        await syncing.sync(armed(stage.app, fuse), message)
        assert fuse.times == 0
        await assert_synced(stage)


async def test_a_new_key_that_is_refused_too_needs_attention() -> None:
    async with sync_stage(EVENTS) as stage:
        message = await due(stage)
        while_asked(stage, lambda: rotate(stage, "phx_never_made_at_posthog"))
        stage.posthog.revoke_key(stage.posthog.personal_api_key)
        await syncing.sync(stage.app, message)
        connection = await stage.connection()
        assert connection.trouble is not None
        assert (connection.state, connection.trouble.code) == ("needs_attention", "key_refused")
        assert [run.state for run in await stage.runs()] == ["failed"]


async def test_keys_replaced_again_and_again_leave_the_run_to_a_later_attempt() -> None:
    async with sync_stage(EVENTS) as stage:
        message = await due(stage)
        fuse = Meanwhile(before="vault.read", work=lambda: rotate(stage), times=visit.TRIES)
        with pytest.raises(ConflictError, match="replaced too often"):
            await syncing.sync(armed(stage.app, fuse), message)
        assert (await stage.connection()).state == "connected"
        stage.forward(timedelta(minutes=5))
        await stage.tick()
        run = (await stage.runs())[0]
        assert (run.state, run.attempts) == ("succeeded", 2)
