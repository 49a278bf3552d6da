"""Webhooks out: what happens is delivered signed, in order, again after outages, and can be followed and replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as StandardWebhook

from functions.alerts.notifying import notifying
from functions.alerts.records import Notification, Webhook
from functions.alerts.webhooks import webhook_routes, webhooks
from functions.alerts.webhooks.webhooks import WebhookChange, WebhookWanted
from hedgerow import activity
from hedgerow.activity import Activity, ActivityKind
from hedgerow.adapters.sealed import SealedSecret
from hedgerow.entrypoint import api
from hedgerow.messages import NotificationDue
from hedgerow.models import Tenant
from hedgerow.ports import Where
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.alerts.notifying_room import OK, NotifyingRoom, notifying_room, receiving
from tests.loopback import http
from tests.stage import ADMIN_KEY

BROKEN = http(b"oops", "500 Internal Server Error")
REFUSED = http(b"bad", "400 Bad Request")
target = api("webhooks_of_the_test", webhook_routes.router)


@pytest.fixture
async def room() -> AsyncIterator[NotifyingRoom]:
    async with notifying_room() as built:
        yield built


@pytest.fixture
async def client(room: NotifyingRoom) -> AsyncIterator[httpx.AsyncClient]:
    async with room.stage.calling(target, await room.stage.key(room.tenant)) as built:
        yield built


async def webhook(
    room: NotifyingRoom, tenant_id: str = "", kinds: tuple[ActivityKind, ...] = ()
) -> tuple[Webhook, str]:
    wanted = WebhookWanted(url=SecretStr(room.receiver.url), kinds=kinds)
    made, secret = await webhooks.create(room.app, tenant_id or room.tenant.id, wanted)
    return made, secret.get_secret_value()


async def happen(
    room: NotifyingRoom, name: str, kind: ActivityKind = "run.succeeded", tenant: Tenant | None = None
) -> Activity:
    whose = (tenant or room.tenant).id
    entry = activity.entry(kind, whose, room.connection.id, room.now(), {"run": name}, name)
    room.stage.clock.forward(timedelta(milliseconds=10))
    return await room.stage.add(entry)


def runs(room: NotifyingRoom) -> list[str]:
    return [str(body["data"]["run"]) for body in room.receiver.bodies]


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
    room.receiver.bodies.clear()
    room.receiver.answers = [OK]
    await room.later(timedelta(minutes=15))
    await room.later(timedelta(minutes=15))
    assert runs(room) == ["a", "b", "c"]


async def test_a_body_nobody_takes_does_not_hold_up_the_rest_for_ever(room: NotifyingRoom) -> None:
    await webhook(room)
    room.receiver.answers = [REFUSED] * 5 + [OK]
    await happen(room, "poison")
    await happen(room, "good")
    await room.drain()
    for _ in range(40):
        await room.later(timedelta(minutes=1))
    assert runs(room)[:5] == ["poison"] * 5
    assert "good" in runs(room)
    # A bug in the receiver was mended meanwhile: the refused one arrives too.
    assert {one.state for one in await room.told()} == {"sent"}


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


async def test_the_api_shows_a_secret_once_and_another_tenants_webhook_never(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/v1/webhooks", json={"url": room.receiver.url, "kinds": ["run.failed"]})).json()
    assert made["secret"].startswith("whsec_")
    assert (made["kinds"], made["enabled"], made["pending"], made["dead"]) == (["run.failed"], True, 0, 0)
    shown = await client.get(f"/v1/webhooks/{made['id']}")
    assert "whsec_" not in shown.text
    assert "services" not in shown.text
    rotated = (await client.post(f"/v1/webhooks/{made['id']}/rotate")).json()
    assert rotated["secret"] != made["secret"]
    assert (await client.post(f"/v1/webhooks/{made['id']}/test")).json()["ok"]
    assert len(room.receiver.headers[-1]["webhook-signature"].split()) == 2

    none = await client.get("/v1/webhooks/whk_none")
    async with room.stage.calling(target, ADMIN_KEY) as operator:
        assert (await operator.get("/v1/webhooks")).json()["items"] == []
        assert (await operator.get(f"/v1/webhooks/{made['id']}")).json() == none.json()
        own = (await operator.post("/v1/webhooks", json={"url": room.receiver.url})).json()
        assert own["tenant_id"] == "all"
    assert (await client.delete(f"/v1/webhooks/{own['id']}")).status_code == 404
    assert (await client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    assert (await client.get("/v1/webhooks")).json()["items"] == []
    names = {one.name for one in (await room.app.store.find(SealedSecret)).items}
    assert made["id"] not in names


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "http://example.com/hook"},
        {"url": "https://169.254.169.254/hook"},
        {"url": "https://example.com/hook", "kinds": ["nothing.known"]},
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await client.post("/v1/webhooks", json=body)).status_code == 422


async def test_a_tenant_has_ten_webhooks_at_most(room: NotifyingRoom, client: httpx.AsyncClient) -> None:
    for _ in range(10):
        await webhook(room)
    refused = await client.post("/v1/webhooks", json={"url": room.receiver.url})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")


async def test_activity_is_followed_without_missing_what_is_written_late(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    late = activity.entry("run.failed", room.tenant.id, None, room.now(), {"run": "late"}, "late")
    room.stage.clock.forward(timedelta(seconds=2))
    await happen(room, "early")
    assert (await client.get("/v1/activity")).json()["items"] == []
    await room.stage.add(late)  # It happened before, and is written after.
    room.stage.clock.forward(timedelta(seconds=11))
    page = (await client.get("/v1/activity")).json()
    assert [one["data"]["run"] for one in page["items"]] == ["late", "early"]
    assert page["has_more"] is False
    await happen(room, "next")
    room.stage.clock.forward(timedelta(seconds=11))
    further = (await client.get("/v1/activity", params={"cursor": page["next_cursor"]})).json()
    assert [one["data"]["run"] for one in further["items"]] == ["next"]
    again = (await client.get("/v1/activity", params={"cursor": further["next_cursor"]})).json()
    assert (again["items"], again["next_cursor"]) == ([], further["next_cursor"])


async def test_pages_of_one_instant_are_whole_and_filters_keep_their_place(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    at = room.now()
    for number in range(25):
        kind: ActivityKind = "run.failed" if number % 5 == 0 else "run.succeeded"
        await room.stage.add(activity.entry(kind, room.tenant.id, None, at, {"run": str(number)}, str(number)))
    room.stage.clock.forward(timedelta(minutes=1))
    for kinds, expected in (((), 25), (("run.failed",), 5)):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            asked = httpx.QueryParams({"limit": 4, "kind": list(kinds)})
            asked = asked.set("cursor", cursor) if cursor else asked
            page = (await client.get("/v1/activity", params=asked)).json()
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        assert len(seen) == len(set(seen)) == expected


async def test_activity_is_ones_own_and_the_operators_is_everybodys(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    other = await room.stage.tenant(name="Other")
    await happen(room, "mine")
    await happen(room, "theirs", tenant=other)
    room.stage.clock.forward(timedelta(minutes=1))
    assert [one["data"]["run"] for one in (await client.get("/v1/activity")).json()["items"]] == ["mine"]
    async with room.stage.calling(target, ADMIN_KEY) as operator:
        assert len((await operator.get("/v1/activity")).json()["items"]) == 2
    broken = await client.get("/v1/activity", params={"cursor": "nonsense"})
    assert (broken.status_code, broken.json()["code"]) == (422, "invalid_cursor")


async def test_a_replay_sends_the_past_again_under_the_same_ids(room: NotifyingRoom, client: httpx.AsyncClient) -> None:
    await happen(room, "before there was a webhook")
    await room.drain()
    made, _ = await webhook(room)
    begin = room.now()
    await happen(room, "after")
    await room.drain()
    room.stage.clock.forward(timedelta(minutes=1))
    address = f"/v1/webhooks/{made.id}/replay"
    answer = await client.post(address, json={"since": begin.isoformat()})
    assert (answer.status_code, answer.json()) == (202, {"queued": 1, "next_cursor": None})
    await room.drain()
    assert runs(room) == ["after", "after"]
    assert room.receiver.headers[0]["webhook-id"] == room.receiver.headers[1]["webhook-id"]
    cursor = (await client.get("/v1/activity", params={"limit": 1})).json()["next_cursor"]
    assert (await client.post(address, json={"cursor": cursor})).json()["queued"] == 1
    assert (await client.post(address, json={"since": "2026-11-01T00:00:00Z"})).json()["queued"] == 2
    await room.drain()
    assert runs(room)[2:] == ["after", "before there was a webhook", "after"]
    assert (await client.post(address, json={})).status_code == 422
    assert (await client.post(address, json={"since": "2026-11-01T00:00:00"})).status_code == 422
