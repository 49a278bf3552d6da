"""What monitoring counts is what the targets say: they run, and the filters of `metrics.json` judge their lines."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from aiohttp import web

from functions.alerts.main import notify
from functions.capture.main import redeliver_tick
from functions.disconnect.main import purge_connection
from functions.sync.main import sync_connection, sync_tick
from hedgerow.errors import TransientError
from hedgerow.messages import Message, NotificationDue, PurgeRequested, SyncRequested
from hedgerow.ports import Swap
from tests.functions.alerts.notifying_room import notifying_room
from tests.functions.capture.redelivery_room import events, room, upstream
from tests.infra import filters
from tests.infra.calling import Line, called, push
from tests.infra.hcl import ROOT
from tests.stage import staged
from tests.sync_stage import sync_stage

METRICS: dict[str, dict[str, Any]] = json.loads((ROOT / "monitoring" / "metrics.json").read_text("utf-8"))
OF_FUNCTIONS = 'resource.type="cloud_run_revision"'


def counted(lines: list[Line]) -> dict[str, list[float]]:
    """What each metric makes of the lines: 1 a line, or the value it takes out of it."""
    found: dict[str, list[float]] = {}
    for line in lines:
        entry = {"jsonPayload": line, "resource": {"type": "cloud_run_revision"}}
        for name, metric in METRICS.items():
            if filters.matches(f"{OF_FUNCTIONS} AND {metric['filter']}", entry):
                value = filters.value_at(metric["value"], entry) if metric["value"] else 1
                assert all(filters.value_at(field, entry) for field in metric["labels"].values()), name
                assert isinstance(value, int | float), (name, value)
                found.setdefault(name, []).append(value)
    return found


async def test_a_sync_is_counted() -> None:
    async with sync_stage() as stage:
        connection = await stage.connection()
        asked = SyncRequested(connection_id=connection.id, due_at=connection.due_at)
        lines = await called(stage.app, sync_connection, push(asked))
    assert counted(lines) == {"syncs_ended": [1]}


async def test_a_failed_sync_is_counted_as_failed() -> None:
    async with staged() as stage:
        connection = await stage.connection(await stage.tenant())
        due = connection.model_copy(update={"due_at": stage.clock()})
        await stage.store.commit(Swap(due))
        await stage.app.vault.destroy(connection.id)
        asked = SyncRequested(connection_id=connection.id, due_at=due.due_at)
        lines = await called(stage.app, sync_connection, push(asked))
    assert counted(lines) == {"syncs_ended": [1], "syncs_failed": [1]}


async def test_a_tick_says_how_long_the_oldest_was_due_in_seconds() -> None:
    async with staged() as stage:
        quiet = counted(await called(stage.app, sync_tick, b'{"tier": "pro"}'))
        connection = await stage.connection(await stage.tenant())
        late = connection.model_copy(update={"due_at": stage.clock() - timedelta(hours=1)})
        await stage.store.commit(Swap(late))
        overdue = counted(await called(stage.app, sync_tick, b'{"tier": "pro"}'))
    assert quiet == {"oldest_due": [0]}
    assert overdue == {"oldest_due": [3600]}


async def test_the_age_of_the_outbox_is_said_in_seconds_even_when_it_is_empty() -> None:
    async with upstream(lambda batch: web.Response(status=503)) as posthog, room(posthog) as here:
        empty = counted(await called(here.stage.app, redeliver_tick, b"{}"))
        await here.kept(await here.connection(posthog.origin), events(2))
        here.stage.clock.forward(timedelta(minutes=20))
        old = counted(await called(here.stage.app, redeliver_tick, b"{}"))
    assert empty == {"outbox_age": [0]}
    assert 1_200 <= old["outbox_age"][0] < 1_300


async def test_a_message_that_cannot_be_read_is_counted() -> None:
    async with staged() as stage:
        assert counted(await called(stage.app, purge_connection, b"not an envelope")) == {"messages_dead": [1]}


@pytest.mark.parametrize(("answer", "given_up"), [(b"404 Not Found", [1]), (b"500 Oh", None), (b"200 OK", None)])
async def test_a_notification_counts_when_it_is_given_up_and_not_before(answer: bytes, given_up: list[int]) -> None:
    said = b"HTTP/1.1 " + answer + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    async with notifying_room(said) as here:
        await here.opened(await here.rule(await here.channel()))
        (waits,) = await here.told()
        due = NotificationDue(notification_id=waits.id, attempt=waits.attempts)
        lines = await called(here.stage.app, notify, push(due))
    assert counted(lines).get("notifications_failed") == given_up


class BrokenQueue:
    """A queue that takes nothing."""

    async def publish(self, *messages: Message) -> None:
        if messages:
            raise TransientError("Pub/Sub did not answer.")

    async def reach(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to let go of."""


async def test_a_target_that_fails_on_our_own_side_is_counted() -> None:
    async with staged() as stage:
        connection = await stage.connection(await stage.tenant())
        await stage.store.commit(Swap(connection.model_copy(update={"due_at": stage.clock()})))
        broken = replace(stage.app, queue=BrokenQueue())
        failed = counted(await called(broken, sync_tick, b'{"tier": "pro"}'))
        crashed = counted(
            await called(
                replace(stage.app, store=cast("Any", None)),
                purge_connection,
                push(PurgeRequested(connection_id="con_1")),
            )
        )
    assert failed == {"targets_failed": [1]}
    assert crashed == {"targets_failed": [1]}


def test_every_metric_is_counted_by_one_of_these_tests() -> None:
    seen = {
        name for name in METRICS if f'"{name}"' in (ROOT.parents[1] / "tests" / "infra" / __file__).read_text("utf-8")
    }
    assert seen == set(METRICS)


def test_the_reader_of_filters_refuses_what_it_cannot_judge() -> None:
    for written in ('jsonPayload.event=~"a.*"', "jsonPayload.event:a", "NOT jsonPayload.a=1"):
        with pytest.raises(ValueError, match="not a comparison"):
            filters.matches(written, {})
    assert filters.matches('(a.b="1" OR a.b="2") AND c>=3', {"a": {"b": "2"}, "c": 3})
    assert not filters.matches('(a.b="1" OR a.b="2") AND c>=3', {"a": {"b": "2"}, "c": "3"})
