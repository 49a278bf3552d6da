"""How far PostHog is and how late events come is learned with every sync, and a PostHog that will not say it costs nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from hedgerow.ports import Swap
from tests.sync_stage import NOW, StraightOut, SyncStage, sync_stage

OLD = "2026-11-01T10:00:00Z"


async def capture(stage: SyncStage, late: timedelta, number: int = 1, name: str = "paid") -> None:
    """Events that happened so long before now, taken in by PostHog now."""
    at = (stage.app.now() - late).isoformat()
    batch = [{"event": name, "distinct_id": f"u{each}", "timestamp": at, "properties": {}} for each in range(number)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=stage.posthog.app)) as client:
        body = {"api_key": stage.posthog.project_token, "batch": batch}
        assert (await client.post("http://posthog.local/batch/", json=body)).status_code == 200


async def sync(stage: SyncStage) -> None:
    await stage.tick()
    assert (await stage.runs())[0].state == "succeeded"


async def test_newest_event_and_arrivals_are_those_of_the_last_week() -> None:
    async with sync_stage() as stage:
        stage.posthog.load([{"event": "paid", "distinct_id": "u", "timestamp": OLD, "properties": {}}])
        await capture(stage, timedelta(seconds=10), 90)
        await capture(stage, timedelta(hours=2), 9)
        await capture(stage, timedelta(days=1), 1)
        await capture(stage, timedelta(days=9), 50)
        await stage.first_sync()
        progress = (await stage.connection()).progress
    assert progress.asked_at == NOW
    assert progress.newest_event_at == NOW - timedelta(seconds=10)
    half, nine, ninetynine, last = progress.arrivals
    assert half == 10
    assert 10 <= nine <= 7_200
    assert 7_200 <= ninetynine < last <= 86_400


async def test_an_event_of_the_future_is_not_the_newest() -> None:
    async with sync_stage() as stage:
        stage.posthog.load(
            [
                {"event": "paid", "distinct_id": "u", "timestamp": at.isoformat(), "properties": {}}
                for at in (NOW - timedelta(minutes=3), NOW + timedelta(hours=5))
            ]
        )
        await stage.first_sync()
        assert (await stage.connection()).progress.newest_event_at == NOW - timedelta(minutes=3)


async def test_a_silent_week_leaves_what_was_known() -> None:
    async with sync_stage() as stage:
        await capture(stage, timedelta(seconds=30))
        await stage.first_sync()
        known = (await stage.connection()).progress
        stage.forward(timedelta(days=8))
        await sync(stage)
        progress = (await stage.connection()).progress
        assert (progress.newest_event_at, progress.arrivals) == (known.newest_event_at, known.arrivals)
        assert progress.asked_at == stage.app.now()


@pytest.fixture
def posts() -> list[bytes]:
    return []


def refusing(app: Callable[[Scope, Receive, Send], Awaitable[None]], posts: list[bytes]) -> httpx.ASGITransport:
    """A PostHog from before `created_at` could be asked for."""

    async def old(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        posts.append(body)
        if b"created_at" in body:
            start = {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"application/json")]}
            await send(start)
            said = b'{"type": "validation_error", "code": "unknown", "detail": "Unable to resolve field: created_at"}'
            await send({"type": "http.response.body", "body": said})
            return
        given = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> dict[str, object]:
            return given.pop() if given else {"type": "http.disconnect"}

        await app(scope, again, send)

    return httpx.ASGITransport(app=old)


async def test_a_posthog_that_does_not_say_it_syncs_all_the_same_and_is_asked_again_rarely(posts: list[bytes]) -> None:
    async with sync_stage() as stage:
        await capture(stage, timedelta(seconds=10), 3)
        async with httpx.AsyncClient(transport=refusing(stage.posthog.app, posts)) as client:
            old = replace(stage, app=replace(stage.app, outbound=StraightOut(client)))
            await old.first_sync()
            connection = await old.connection()
            assert (await old.runs())[0].state == "succeeded"
            assert {name for name, _ in await old.points()} >= {"posthog_dau", "event:paid"}
            assert (connection.progress.newest_event_at, connection.progress.arrivals) == (None, ())
            assert connection.progress.by_family is False
            posts.clear()
            # Before the heavy families are due again.
            soon = connection.model_copy(update={"due_at": NOW + timedelta(hours=1)})
            await old.store.commit(Swap(soon))
            old.forward(timedelta(hours=1))
            await sync(old)
            assert [b"created_at" in body for body in posts if b"HogQLQuery" in body] == [False]
