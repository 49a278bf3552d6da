"""Telling dies before or after every port call, meets outages, hangs and refusals: never silent, never twice where it can be known."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from functions.alerts.channels import channels
from functions.alerts.channels.channels import ChannelChange
from functions.alerts.notifying.attempting import CLAIM
from functions.alerts.records import Channel, Notification
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.channels import sending
from hedgerow.ports import Where
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.alerts.notifying_room import OK, NotifyingRoom, notifying_room, receiving
from tests.loopback import http

if TYPE_CHECKING:
    from hedgerow.ports import Store

BROKEN = http(b"oops", "500 Internal Server Error")


@pytest.fixture
async def room(store: Store) -> AsyncIterator[NotifyingRoom]:
    async with notifying_room(store=store) as built:
        yield built


@pytest.fixture
async def light() -> AsyncIterator[NotifyingRoom]:
    async with notifying_room() as built:
        yield built


async def tell(room: NotifyingRoom, channel: Channel, fuse: Fuse) -> int:
    """Tell an opening and its end until the fuse blows, then let ticks do the rest; how often it was posted."""
    before = len(room.receiver.bodies)
    rule = await room.rule(channel)
    incident = await room.opened(rule)
    ids = await room.ids(incident)
    with suppress(Crash):
        await room.notify(*ids, app=armed(room.app, fuse))
    ids = await room.step(rule, incident.id, "resolved")
    with suppress(Crash):
        await room.notify(*ids, app=armed(room.app, fuse))
    await room.later(CLAIM)
    await room.later(CLAIM)
    page = await room.app.store.find(Notification, Where("subject_id", "==", incident.id))
    assert {one.state for one in page.items} <= {"sent", "folded"}
    said = room.receiver.bodies[before:]
    assert said
    assert said[-1]["data"]["state"] == "resolved"
    keys = [headers["webhook-id"] for headers in room.receiver.headers[before:]]
    assert len(set(keys)) <= 2
    states = [body["data"]["state"] for body in said]
    assert states == sorted(states)  # Never open after resolved.
    return len(said)


async def test_telling_may_die_anywhere(room: NotifyingRoom) -> None:
    whole, channel = Fuse(), await room.channel(kind="webhook")
    assert await tell(room, channel, whole) == 2
    assert len(whole.calls) > 10
    for fuse in every_fuse(len(whole.calls)):
        posts = await tell(room, channel, fuse)
        assert fuse.blown
        # One crash: at most one message is posted twice, under the same key.
        assert posts <= 3


async def test_two_processes_at_once_post_once(room: NotifyingRoom) -> None:
    incident = await room.opened(await room.rule(await room.channel()))
    room.receiver.delay = 0.05
    (id,) = await room.ids(incident)
    await asyncio.gather(*(room.notify(id) for _ in range(5)))
    await room.later(timedelta(minutes=5))
    assert len(room.receiver.bodies) == 1


async def test_a_step_that_comes_while_the_one_before_is_sent_follows_it(light: NotifyingRoom) -> None:
    rule = await light.rule(await light.channel())
    incident = await light.opened(rule)
    light.receiver.delay = 0.3
    sending_it = asyncio.create_task(light.notify(*await light.ids(incident)))
    await asyncio.wait_for(light.receiver.came.wait(), 10)
    (resolved,) = await light.step(rule, incident.id, "resolved")
    await light.notify(resolved)
    assert len(light.receiver.bodies) == 1
    await sending_it
    await light.deliver()  # Announced by whoever sent the one before: nobody waits for a tick.
    assert ["Resolved" in text for text in light.receiver.texts] == [False, True]


async def test_a_message_that_may_have_arrived_keeps_its_key_and_takes_no_other_along(light: NotifyingRoom) -> None:
    light.receiver.answers = [BROKEN, OK]
    channel = await light.channel(kind="webhook")
    await light.opened(await light.rule(channel))
    await light.drain()
    light.stage.clock.forward(timedelta(minutes=1))
    second = await light.opened(await light.rule(channel))
    await light.notify(*await light.ids(second))
    await light.drain()
    keys = [headers["webhook-id"] for headers in light.receiver.headers]
    assert len(keys) == 3
    assert len(set(keys)) == 2
    assert keys[0] in keys[1:]


async def test_an_hour_of_500s_is_survived(light: NotifyingRoom) -> None:
    light.receiver.answers = [BROKEN]
    incident = await light.opened(await light.rule(await light.channel()))
    for _ in range(60):
        await light.later(timedelta(minutes=1))
    tries = len(light.receiver.bodies)
    assert 6 <= tries <= 12
    (waiting,) = await light.told()
    assert waiting.state == "pending"
    assert waiting.trouble is not None
    assert waiting.trouble.code == "channel_unreachable"
    light.receiver.answers = [OK]
    await light.later(timedelta(minutes=15))
    assert len(light.receiver.bodies) == tries + 1
    assert [one.state for one in await light.told()] == ["sent"]
    assert (await light.incident(incident.id)).timeline[-1].kind == "notified"


async def test_after_a_day_of_500s_the_timeline_says_that_nobody_was_told(light: NotifyingRoom) -> None:
    light.receiver.answers = [BROKEN]
    incident = await light.opened(await light.rule(await light.channel()))
    for _ in range(4 * 26):
        await light.later(timedelta(minutes=15))
    assert [one.state for one in await light.told()] == ["dead"]
    line = (await light.incident(incident.id)).timeline[-1]
    assert line.kind == "not_notified"
    assert "500" in line.sentence


async def test_retry_after_is_obeyed(light: NotifyingRoom) -> None:
    light.receiver.answers = [http(b"slow down", "429 Too Many Requests", "Retry-After: 600"), OK]
    await light.opened(await light.rule(await light.channel()))
    await light.drain()
    for _ in range(9):
        await light.later(timedelta(minutes=1))
    assert len(light.receiver.bodies) == 1
    await light.later(timedelta(minutes=1))
    assert len(light.receiver.bodies) == 2


async def test_a_later_step_waits_as_long_as_the_channel_asked_for_and_both_are_one_message(
    light: NotifyingRoom,
) -> None:
    light.receiver.answers = [http(b"slow down", "429 Too Many Requests", "Retry-After: 600"), OK]
    rule = await light.rule(await light.channel())
    incident = await light.opened(rule)
    await light.drain()
    await light.step(rule, incident.id, "resolved")
    await light.later(timedelta(minutes=5))
    assert len(light.receiver.bodies) == 1
    await light.later(timedelta(minutes=5))
    assert len(light.receiver.bodies) == 2
    assert "over by now" in light.receiver.texts[1]
    await light.later(timedelta(hours=1))
    assert len(light.receiver.bodies) == 2


async def test_a_channel_that_hangs_is_tried_again(light: NotifyingRoom) -> None:
    light.receiver.delay = sending.TOTAL_SECONDS + 3
    await light.opened(await light.rule(await light.channel()))
    await light.drain()
    (waiting,) = await light.told()
    assert (waiting.state, waiting.attempts) == ("pending", 1)
    light.receiver.delay = 0.0
    await light.later(timedelta(minutes=1))
    assert [one.state for one in await light.told()] == ["sent"]


async def test_what_slack_calls_an_error_with_200_is_no_success(light: NotifyingRoom) -> None:
    light.receiver.answers = [http(b'{"ok": false, "error": "internal_error"}'), OK]
    await light.opened(await light.rule(await light.channel()))
    await light.drain()
    (waiting,) = await light.told()
    assert waiting.state == "pending"
    await light.later(timedelta(minutes=1))
    assert [one.state for one in await light.told()] == ["sent"]


async def test_a_channel_that_is_gone_is_switched_off_and_the_default_one_told_of_it_and_of_the_incident() -> None:
    async with receiving() as other, notifying_room(allowed=(f"127.0.0.1:{other.port}",)) as room:
        room.receiver.answers = [http(b"no_service", "410 Gone")]
        default = await room.channel("default", other)
        await channels.set_default(room.app, room.tenant.id, default.id)
        gone = await room.channel("gone")
        rule = await room.rule(gone)
        incident = await room.opened(rule)
        await room.drain()

        off = await room.app.store.get(Channel, gone.id)
        assert off is not None
        assert off.disabled_at is not None
        assert off.trouble is not None
        assert off.trouble.code == "channel_gone"
        assert len(room.receiver.bodies) == 1
        assert sum("gone was switched off" in text for text in other.texts) == 1
        assert sum("5 active users" in text for text in other.texts) == 1
        timeline = (await room.incident(incident.id)).timeline
        assert {"not_notified", "notified"} <= {step.kind for step in timeline}

        # Its end is told where it was told in the end, and nowhere else.
        await room.step(rule, incident.id, "resolved")
        await room.later(timedelta(minutes=5))
        assert "Resolved" in other.texts[-1]
        await room.later(timedelta(days=1))
        assert len(room.receiver.bodies) == 1
        assert len(other.bodies) == 3

        room.receiver.answers = [OK]
        mended, _ = await channels.change(room.app, off, ChannelChange(enabled=True))
        assert mended.disabled_at is None
        await room.opened(rule)
        await room.drain()
        assert len(room.receiver.bodies) == 2


def _die_while_posting(path: str, id: str, allowed: str) -> None:
    """In a process of its own: claim, post, and be killed before the answer comes."""
    from functions.alerts.notifying import notifying
    from hedgerow.messages import NotificationDue
    from tests.stage import staged

    async def work() -> None:
        store = SqliteStore(Path(path))
        async with staged([allowed], store) as stage:
            await notifying.notify(stage.app, NotificationDue(notification_id=id))

    asyncio.run(work())


async def test_a_process_killed_while_it_posts_is_made_up_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    async with notifying_room(store=store) as room:
        room.receiver.delay = 30.0
        incident = await room.opened(await room.rule(await room.channel(kind="webhook")))
        (id,) = await room.ids(incident)
        context = multiprocessing.get_context("spawn")
        allowed = f"127.0.0.1:{room.receiver.port}"
        child = context.Process(target=_die_while_posting, args=(str(tmp_path / "state.db"), id, allowed))
        child.start()
        await asyncio.wait_for(room.receiver.came.wait(), 60)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(10)
        room.receiver.delay = 0.0
        await room.drain()
        assert len(room.receiver.bodies) == 1  # Its claim still stands.
        await room.later(CLAIM)
        assert [one.state for one in await room.told()] == ["sent"]
        first, second = room.receiver.headers
        assert first["webhook-id"] == second["webhook-id"]
    await store.close()
