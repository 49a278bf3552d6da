"""The webhooks API and the activity list: secrets shown once, nobody else's, followed and replayed by a cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from functions.alerts.webhooks import webhook_routes
from hedgerow import activity
from hedgerow.activity import ActivityKind
from hedgerow.entrypoint import api
from hedgerow.sealed_secrets import SealedSecret
from tests.functions.alerts.notifying_room import NotifyingRoom, notifying_room
from tests.functions.alerts.webhook_room import happen, runs, webhook
from tests.stage import ADMIN_KEY

target = api("webhooks_of_the_test", webhook_routes.router)


@pytest.fixture
async def room() -> AsyncIterator[NotifyingRoom]:
    async with notifying_room() as built:
        yield built


@pytest.fixture
async def client(room: NotifyingRoom) -> AsyncIterator[httpx.AsyncClient]:
    async with room.stage.calling(target, await room.stage.key(room.tenant)) as built:
        yield built


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
    room.stage.clock.forward(timedelta(seconds=1))
    assert (await client.post(address, json={"since": "2026-11-01T00:00:00Z"})).json()["queued"] == 2
    await room.drain()
    assert runs(room)[2:] == ["after", "before there was a webhook", "after"]
    assert (await client.post(address, json={})).status_code == 422
    assert (await client.post(address, json={"since": "2026-11-01T00:00:00"})).status_code == 422
