"""Webhooks out: what happens is delivered signed, in order, again after outages, and can be followed and replayed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as StandardWebhook

from functions.alerts.notifying import notifying
from functions.alerts.records import Notification, Webhook
from functions.alerts.webhooks import webhooks
from functions.alerts.webhooks.webhooks import WebhookChange, WebhookWanted
from hedgerow.activity import Activity
from hedgerow.messages import NotificationDue
from hedgerow.ports import Where
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.alerts.notifying_room import OK, NotifyingRoom, notifying_room, receiving
from tests.functions.alerts.webhook_room import happen, runs, webhook
from tests.loopback import http

BROKEN = http(b"oops", "500 Internal Server Error")
REFUSED = http(b"bad", "400 Bad Request")


@pytest.fixture
async def room() -> AsyncIterator[NotifyingRoom]:
    async with notifying_room() as built:
        yield built


async def test_what_happens_is_delivered_signed_in_order_and_once(room: NotifyingRoom) -> None:
    _, secret = await webhook(room)
    for number in range(120):
        await happen(room, str(number))
    await room.drain()
    await room.later(timedelta(minutes=1))
    assert runs(room) == [str(number) for number in range(120)]
    headers = {name: value for name, value in room.receiver.headers[0].items() if name.startswith("webhook-")}
    first = room.receiver.bodies[0]
    assert first["type"] == "run.succeeded"
    assert first["data"]["tenant_id"] == room.tenant.id
    assert headers["webhook-id"] == first["data"]["id"]
    assert (
        StandardWebhook(secret).sign(headers["webhook-id"], room.now().replace(microsecond=0), "{}").startswith("v1,")
    )
    entry = await room.app.store.get(Activity, first["data"]["id"])
    assert entry is not None
    assert entry.due_at is None


async def test_only_the_kinds_and_the_tenants_that_were_asked_for(room: NotifyingRoom) -> None:
    other = await room.stage.tenant(name="Other")
    await webhook(room, kinds=("run.failed",))
    await happen(room, "succeeded")
    await happen(room, "failed", "run.failed")
    await happen(room, "of another", "run.failed", other)
    await room.drain()
    assert runs(room) == ["failed"]
    await webhook(room, "all")
    await happen(room, "for all", tenant=other)
    await room.drain()
    assert runs(room) == ["failed", "for all"]


async def test_an_outage_is_made_up_for_in_order(room: NotifyingRoom) -> None:
    made, _ = await webhook(room)
    room.receiver.answers = [BROKEN]
    for name in "abc":
        await happen(room, name)
    await room.drain()
    assert runs(room) == ["a"]
    for _ in range(60):
        await room.later(timedelta(minutes=1))
    assert len(room.receiver.bodies) < 30
    assert (await webhooks.waiting(room.app, made)) == (3, 0)
    failing = await room.app.store.get(Webhook, made.id)
    assert failing is not None
    assert failing.trouble is not None
    assert failing.trouble.code == "channel_unreachable"
    room.receiver.bodies.clear()
    room.receiver.answers = [OK]
    await room.later(timedelta(minutes=15))
    await room.later(timedelta(minutes=15))
    assert runs(room) == ["a", "b", "c"]
    mended = await room.app.store.get(Webhook, made.id)
    assert mended is not None
    assert (mended.trouble, mended.due_at) == (None, None)


async def test_a_body_nobody_takes_does_not_hold_up_the_rest_for_ever(room: NotifyingRoom) -> None:
    await webhook(room)
    room.receiver.answers = [REFUSED] * 5 + [OK]
    await happen(room, "poison")
    await happen(room, "good")
    await room.drain()
    for _ in range(40):
        await room.later(timedelta(minutes=1))
    assert runs(room)[:6] == [*["poison"] * 5, "good"]
    # A bug in the receiver was mended meanwhile: the refused one arrives too.
    assert {one.state for one in await room.told()} == {"sent"}


async def test_what_happens_while_a_webhook_is_told_needs_no_further_tick(room: NotifyingRoom) -> None:
    await webhook(room)
    room.receiver.delay = 0.3
    await happen(room, "first")
    await notifying.sweep(room.app)
    telling = asyncio.create_task(room.deliver())
    await asyncio.wait_for(room.receiver.came.wait(), 10)
    await happen(room, "second")
    await notifying.sweep(room.app)
    await telling
    for _ in range(3):
        await room.deliver()
    assert runs(room) == ["first", "second"]


async def test_a_dead_endpoint_does_not_hold_up_another() -> None:
    async with receiving() as other, notifying_room(allowed=(f"127.0.0.1:{other.port}",)) as room:
        await webhook(room)
        await webhooks.create(room.app, room.tenant.id, WebhookWanted(url=SecretStr(other.url)))
        room.receiver.answers = [BROKEN]
        for name in "abc":
            await happen(room, name)
        await room.drain()
        assert [body["data"]["run"] for body in other.bodies] == ["a", "b", "c"]


async def test_an_endpoint_that_is_gone_is_switched_off_and_goes_on_where_it_stopped(room: NotifyingRoom) -> None:
    made, _ = await webhook(room)
    room.receiver.answers = [http(b"", "410 Gone")]
    await happen(room, "a")
    await happen(room, "b")
    await room.drain()
    off = await room.app.store.get(Webhook, made.id)
    assert off is not None
    assert (off.disabled_at is None, off.due_at) == (False, None)
    assert off.trouble is not None
    await room.later(timedelta(days=1))
    assert runs(room) == ["a"]
    room.receiver.answers = [OK]
    await webhooks.change(room.app, off, WebhookChange(enabled=True))
    await room.later(timedelta(minutes=1))
    assert runs(room)[-1] == "b"


async def test_delivering_may_die_anywhere(room: NotifyingRoom) -> None:
    await webhook(room)

    async def through(fuse: Fuse) -> None:
        names = [f"{fuse.at}-{fuse.after}-{number}" for number in range(3)]
        room.receiver.bodies.clear()
        entries = [await happen(room, name) for name in names]
        dying = armed(room.app, fuse)
        with suppress(Crash):
            await notifying.sweep(dying)
            for key in await room.stage.published(NotificationDue.topic):
                await notifying.notify(dying, NotificationDue(notification_id=key.partition("#")[0]))
        await room.later(timedelta(minutes=3))
        await room.later(timedelta(minutes=3))
        assert list(dict.fromkeys(runs(room))) == names
        assert len(room.receiver.bodies) <= len(names) + 1
        for entry in entries:
            page = await room.app.store.find(Notification, Where("subject_id", "==", entry.id))
            assert [one.state for one in page.items] == ["sent"]

    whole = Fuse()
    await through(whole)
    assert len(whole.calls) > 10
    for fuse in every_fuse(len(whole.calls)):
        await through(fuse)
        assert fuse.blown
