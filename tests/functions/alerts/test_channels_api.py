"""The channels API: made, recognised, never shown again, tried, switched off and on, the default one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from functions.alerts.channels import channel_routes, channels
from functions.alerts.channels.channels import ChannelWanted
from functions.alerts.records import Channel
from hedgerow import drafts
from hedgerow.entrypoint import api
from hedgerow.models import Tenant
from hedgerow.sealed_secrets import SealedSecret
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.alerts.notifying_room import NotifyingRoom, notifying_room
from tests.loopback import http
from tests.stage import ADMIN_KEY

SLACK = "https://hooks.slack.com/services/T000/B000/verysecretpart"
target = api("channels_of_the_test", channel_routes.router)


@pytest.fixture
async def room() -> AsyncIterator[NotifyingRoom]:
    async with notifying_room() as built:
        yield built


@pytest.fixture
async def client(room: NotifyingRoom) -> AsyncIterator[httpx.AsyncClient]:
    async with room.stage.calling(target, await room.stage.key(room.tenant)) as built:
        yield built


async def named_in_vault(room: NotifyingRoom) -> set[str]:
    return {one.name for one in (await room.app.store.find(SealedSecret, limit=1_000)).items}


async def test_a_channel_is_recognised_by_its_address_which_is_never_shown(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/channels", json={"name": "ops", "url": SLACK})
    assert made.status_code == 201
    assert (made.json()["kind"], made.json()["shown"], made.json()["enabled"]) == ("slack", "hooks.slack.com", True)
    assert made.json()["secret"] is None
    one = await client.get(f"/v1/channels/{made.json()['id']}")
    every = await client.get("/v1/channels")
    assert [each["name"] for each in every.json()["items"]] == ["ops"]
    assert "verysecretpart" not in made.text + one.text + every.text


async def test_a_webhooks_signing_secret_is_shown_once_and_rotated_with_a_day_of_both(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/v1/channels", json={"name": "own", "url": room.receiver.url})).json()
    assert made["kind"] == "webhook"
    assert made["secret"].startswith("whsec_")
    rotated = (await client.patch(f"/v1/channels/{made['id']}", json={"rotate_secret": True})).json()
    assert rotated["secret"] != made["secret"]
    shown = await client.get(f"/v1/channels/{made['id']}")
    assert "whsec_" not in shown.text
    for days, signatures in ((0, 2), (2, 1)):
        room.stage.clock.forward(timedelta(days=days))
        assert (await client.post(f"/v1/channels/{made['id']}/test")).json()["ok"]
        assert len(room.receiver.headers[-1]["webhook-signature"].split()) == signatures


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "a"}, "invalid"),
        ({"name": "a", "url": SLACK, "token": "xoxb-1", "slack_channel": "C1"}, "invalid"),
        ({"name": "a", "token": "xoxb-1"}, "invalid"),
        ({"name": "a", "url": "http://example.com/hook"}, "invalid"),
        ({"name": "a", "url": "https://10.0.0.1/hook"}, "invalid"),
        ({"name": "a", "url": "https://localhost/hook"}, "invalid"),
        ({"name": "a", "url": "not an address"}, "invalid"),
        ({"name": "a", "url": SLACK, "kind": "teams"}, "invalid"),
        ({"name": "", "url": SLACK}, "invalid"),
        ({"name": "a", "url": SLACK, "secret": "whsec_x"}, "invalid"),
        ({"name": "a", "url": "https://example.com/hook", "secret": "short"}, "invalid"),
        ({"name": "a", "url": SLACK, "weekly_budget": 0}, "invalid"),
        ({"name": "a", "url": SLACK, "surprise": 1}, "invalid"),
    ],
)
async def test_what_cannot_be_a_channel_is_refused_without_being_repeated(
    room: NotifyingRoom, client: httpx.AsyncClient, body: dict[str, object], code: str
) -> None:
    refused = await client.post("/v1/channels", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert refused.json()["hint"]
    assert "verysecretpart" not in refused.text
    assert await named_in_vault(room) == {room.connection.id}
    assert (await room.app.store.find(drafts.SecretDraft)).items == ()


async def test_names_are_unique_in_a_tenant_and_a_refusal_leaves_no_secret(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    await client.post("/v1/channels", json={"name": "ops", "url": SLACK})
    twice = await client.post("/v1/channels", json={"name": "ops", "url": SLACK})
    assert (twice.status_code, twice.json()["code"]) == (409, "channel_exists")
    other = (await client.post("/v1/channels", json={"name": "other", "url": SLACK})).json()
    renamed = await client.patch(f"/v1/channels/{other['id']}", json={"name": "ops"})
    assert renamed.status_code == 409
    made = {one.id for one in (await room.app.store.find(Channel)).items}
    assert await named_in_vault(room) == {room.connection.id, *made}
    assert len(made) == 2
    assert (await room.app.store.find(drafts.SecretDraft)).items == ()


async def test_a_tenant_has_fifty_channels_at_most(room: NotifyingRoom, client: httpx.AsyncClient) -> None:
    for number in range(channels.MOST_CHANNELS):
        await room.channel(f"channel {number}")
    refused = await client.post("/v1/channels", json={"name": "one more", "url": SLACK})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_channels")


async def test_a_test_says_what_the_service_said(room: NotifyingRoom, client: httpx.AsyncClient) -> None:
    channel = await room.channel()
    worked = (await client.post(f"/v1/channels/{channel.id}/test")).json()
    assert (worked["ok"], worked["code"]) == (True, "sent")
    assert "test from Hedgerow" in room.receiver.texts[0]
    room.receiver.answers = [http(b"no_service", "404 Not Found")]
    failed = (await client.post(f"/v1/channels/{channel.id}/test")).json()
    assert (failed["ok"], failed["code"]) == (False, "channel_gone")
    assert "404" in failed["detail"]
    assert failed["hint"]
    assert room.receiver.url not in str(failed)


async def test_a_new_address_replaces_the_old_secret_and_switches_it_on(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    channel = await room.channel()
    off = (await client.patch(f"/v1/channels/{channel.id}", json={"enabled": False})).json()
    assert (off["enabled"], off["trouble"]["code"]) == (False, "switched_off")
    on = (await client.patch(f"/v1/channels/{channel.id}", json={"url": SLACK, "weekly_budget": 5})).json()
    assert (on["enabled"], on["trouble"], on["weekly_budget"], on["shown"]) == (True, None, 5, "hooks.slack.com")
    assert len((await room.app.store.find(SealedSecret)).items) == 2  # The connection's key, and the new address.


async def test_another_tenants_channel_is_as_none(room: NotifyingRoom, client: httpx.AsyncClient) -> None:
    channel = await room.channel()
    stranger = await room.stage.key(await room.stage.tenant(name="Other"))
    none = await client.get("/v1/channels/chn_none")
    async with room.stage.calling(target, stranger) as theirs:
        for call in (
            theirs.get(f"/v1/channels/{channel.id}"),
            theirs.patch(f"/v1/channels/{channel.id}", json={"name": "mine"}),
            theirs.delete(f"/v1/channels/{channel.id}"),
            theirs.post(f"/v1/channels/{channel.id}/test"),
        ):
            answer = await call
            assert (answer.status_code, answer.json()) == (404, none.json())
        assert (await theirs.get("/v1/channels")).json()["items"] == []
        default = f"/v1/tenants/{room.tenant.id}/default-channel"
        missing = await theirs.get("/v1/tenants/ten_none/default-channel")
        assert (await theirs.get(default)).json() == missing.json()
        assert (await theirs.put(default, json={"channel": "ops"})).status_code == 404


async def test_a_reading_key_changes_nothing(room: NotifyingRoom) -> None:
    async with room.stage.calling(target, await room.stage.key(room.tenant, "read")) as reader:
        assert (await reader.get("/v1/channels")).status_code == 200
        assert (await reader.post("/v1/channels", json={"name": "a", "url": SLACK})).status_code == 403
        assert (
            await reader.put(f"/v1/tenants/{room.tenant.id}/default-channel", json={"channel": "a"})
        ).status_code == 403


async def test_the_default_channel_is_set_by_name_or_by_the_operator_and_goes_with_its_channel(
    room: NotifyingRoom, client: httpx.AsyncClient
) -> None:
    address = f"/v1/tenants/{room.tenant.id}/default-channel"
    assert (await client.get(address)).json() == {"channel": None}
    channel = await room.channel()
    assert (await client.put(address, json={"channel": "ops"})).json()["channel"]["id"] == channel.id
    async with room.stage.calling(target, ADMIN_KEY) as operator:
        assert (await operator.delete(address)).status_code == 204
        assert (await operator.put(address, json={"channel": channel.id})).status_code == 200
    assert (await client.put(address, json={"channel": "none"})).status_code == 404
    assert (await client.delete(f"/v1/channels/{channel.id}")).status_code == 204
    assert (await client.get(address)).json() == {"channel": None}
    tenant = await room.app.store.get(Tenant, room.tenant.id)
    assert tenant is not None
    assert tenant.default_channel_id is None
    assert await named_in_vault(room) == {room.connection.id}


async def test_making_a_channel_may_die_anywhere(room: NotifyingRoom) -> None:
    async def make(fuse: Fuse) -> None:
        wanted = ChannelWanted(name=f"ops {fuse.at} {fuse.after}", url=SecretStr(SLACK))
        with suppress(Crash):
            await channels.create(armed(room.app, fuse), room.tenant.id, wanted)
        for _ in range(2):
            room.stage.clock.forward(drafts.LIFE)
            await drafts.sweep(room.app, room.now())
            await room.stage.carry_out()
        assert (await room.app.store.find(drafts.SecretDraft)).items == ()
        made = {one.id for one in (await room.app.store.find(Channel, limit=1_000)).items}
        assert await named_in_vault(room) == made | {room.connection.id}

    whole = Fuse()
    await make(whole)
    for fuse in every_fuse(len(whole.calls)):
        await make(fuse)
        assert fuse.blown


@pytest.mark.parametrize("name", ["a\x00", "a\x1b[2J", "a\nb", "a\u2028b", "a\u202eb", "\u200fa"])
async def test_a_name_that_cannot_be_shown_as_it_is_is_refused(client: httpx.AsyncClient, name: str) -> None:
    made = await client.post("/v1/channels", json={"name": "plain", "url": SLACK})
    for answer in (
        await client.post("/v1/channels", json={"name": name, "url": SLACK}),
        await client.patch(f"/v1/channels/{made.json()['id']}", json={"name": name}),
    ):
        assert answer.status_code == 422
        assert "not allowed" in answer.json()["detail"]
    assert [one["name"] for one in (await client.get("/v1/channels")).json()["items"]] == ["plain"]


async def test_another_kind_alone_is_refused_and_nothing_of_the_change_is_kept(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/channels", json={"name": "hook", "url": "https://example.com/hook"})
    path = f"/v1/channels/{made.json()['id']}"
    refused = await client.patch(path, json={"kind": "slack", "name": "other"})
    assert refused.status_code == 422
    assert ("`kind`" in refused.json()["detail"], "`url`" in refused.json()["hint"]) == (True, True)
    assert (await client.get(path)).json()["name"] == "hook"
    assert (await client.patch(path, json={"kind": "webhook"})).status_code == 200


async def test_whether_an_address_is_the_same_is_answered_by_yes_or_no(client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/channels", json={"name": "team", "url": SLACK})).json()
    for url, same in ((SLACK, True), (f"{SLACK}x", False)):
        answer = await client.post(f"/v1/channels/{made['id']}/same", json={"url": url})
        assert answer.json() == {"same": same}
        assert "verysecretpart" not in answer.text
