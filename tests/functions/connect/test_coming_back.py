"""A project that was connected before comes back under its id, with its guards and its history, by whichever road."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hedgerow import disconnection
from hedgerow.capture_rules import CaptureRules, PrivacyRules
from hedgerow.models import Connection, SyncRun, TokenClaim
from hedgerow.ports import Where
from hedgerow.posthog.keys import claim_id
from hedgerow.sealed_secrets import SealedSecret
from tests.functions.connect.room import OWN, US, Room

if TYPE_CHECKING:
    import httpx


async def connected(client: httpx.AsyncClient, body: dict[str, object]) -> dict[str, Any]:
    answer = await client.post("/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(client: httpx.AsyncClient, body: dict[str, object]) -> tuple[int, str, str | None]:
    answer = await client.post("/v1/connections", json=body)
    return answer.status_code, answer.json()["code"], answer.json().get("id")


def alone(room: Room, **more: object) -> dict[str, object]:
    """A body with the US project's token alone."""
    return {"host": US, "project_token": room.us.project_token, **more}


async def record(room: Room, id: str) -> Connection:
    found = await room.stage.store.get(Connection, id)
    assert found is not None
    return found


async def of_tenant(room: Room, tenant_id: str) -> list[str]:
    page = await room.stage.store.find(Connection, Where("tenant_id", "==", tenant_id))
    return [one.id for one in page.items]


async def guarded(room: Room, id: str, tenant_id: str) -> None:
    rules = CaptureRules(id=id, tenant_id=tenant_id, connection_id=id, privacy=PrivacyRules(actions={"email": "mask"}))
    await room.stage.add(rules)


async def guards_of_traffic(room: Room) -> object:
    """What the privacy guard does with the events of the US project's token, by the road capture goes."""
    claim = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert claim is not None
    holder = await record(room, claim.connection_id)
    assert (holder.state, holder.project_token) == ("connected", room.us.project_token)
    rules = await room.stage.store.get(CaptureRules, holder.id)
    return rules and rules.privacy.actions


async def disconnect(room: Room, id: str, *, refuse_traffic: bool = False) -> None:
    begun = await disconnection.begin(room.stage.app, await record(room, id), refuse_traffic=refuse_traffic)
    assert (await disconnection.finish(room.stage.app, begun.connection)).state == "disconnected"
    room.stage.clock.forward(timedelta(hours=1))


async def grow(client: httpx.AsyncClient, id: str, key: str) -> dict[str, Any]:
    answer = await client.patch(f"/v1/connections/{id}", json={"personal_api_key": key})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def secrets_of(room: Room, id: str) -> list[str]:
    """The secrets of a connection that are left in the vault."""
    return [one.id for one in (await room.stage.store.find(SealedSecret, Where("name", "==", id))).items]


@pytest.mark.parametrize("refuse_traffic", [False, True])
@pytest.mark.parametrize("again", ["key", "key and token", "blind key", "token"])
async def test_one_that_grew_from_capture_only_comes_back(room: Room, again: str, *, refuse_traffic: bool) -> None:
    blind = room.us.add_key(scopes=["query:read"])
    bodies = {
        "key": room.keys(),
        "key and token": room.keys(project_token=room.us.project_token),
        "blind key": room.keys(personal_api_key=blind),
        "token": alone(room),
    }
    async with room.tenant() as (tenant, client):
        made = await connected(client, alone(room, name="Shop"))
        await guarded(room, made["id"], tenant.id)
        await grow(client, made["id"], room.us.personal_api_key)
        await disconnect(room, made["id"], refuse_traffic=refuse_traffic)
        back = await connected(client, bodies[again])
    assert (back["id"], back["state"], back["name"]) == (made["id"], "connected", "Shop")
    assert back["project_id"] == room.us.project_id
    assert (back["run"] is None) == (again == "token")
    assert await of_tenant(room, tenant.id) == [made["id"]]
    if not refuse_traffic or "token" in again:
        assert await guards_of_traffic(room) == {"email": "mask"}


@pytest.mark.parametrize("again", ["key", "key and token"])
async def test_capture_only_comes_back_with_a_personal_key(room: Room, again: str) -> None:
    async with room.tenant() as (tenant, client):
        made = await connected(client, alone(room))
        await guarded(room, made["id"], tenant.id)
        await disconnect(room, made["id"])
        token = {"project_token": room.us.project_token} if again == "key and token" else {}
        back = await connected(client, room.keys(**token))
        assert await refused(client, room.keys()) == (409, "already_connected", made["id"])
    assert (back["id"], back["project_id"], back["timezone"]) == (made["id"], room.us.project_id, "Europe/Berlin")
    assert back["run"]["state"] == "pending"
    assert await guards_of_traffic(room) == {"email": "mask"}
    stored = await record(room, made["id"])
    assert (await room.stage.app.vault.read(stored.secret_ref or "")).get_secret_value() == room.us.personal_api_key
    assert await of_tenant(room, tenant.id) == [made["id"]]


@pytest.mark.parametrize("refuse_traffic", [False, True])
async def test_a_full_one_comes_back_with_its_token_alone_and_grows_again(room: Room, *, refuse_traffic: bool) -> None:
    async with room.tenant() as (tenant, client):
        made = await connected(client, room.keys(project_token=room.us.project_token))
        await guarded(room, made["id"], tenant.id)
        await disconnect(room, made["id"], refuse_traffic=refuse_traffic)
        back = await connected(client, alone(room))
        assert (back["id"], back["project_id"], back["run"]) == (made["id"], room.us.project_id, None)
        assert (back["diagnosis"]["code"], back["timezone"]) == ("capture_only", "Europe/Berlin")
        assert await guards_of_traffic(room) == {"email": "mask"}
        assert await refused(client, room.keys()) == (409, "already_connected", made["id"])
        grown = await grow(client, made["id"], room.us.personal_api_key)
    assert grown["diagnosis"]["code"] == "first_sync_pending"
    runs = await room.stage.store.find(
        SyncRun, Where("connection_id", "==", made["id"]), Where("state", "==", "pending")
    )
    assert len(runs.items) == 1
    assert await of_tenant(room, tenant.id) == [made["id"]]


async def test_another_token_given_alone_says_nothing_of_the_project_known_before(room: Room) -> None:
    other = room.us.add_project("Second one")
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys(project_token=room.us.project_token))
        await disconnect(room, made["id"])
        await connected(client, alone(room))
        moved = await client.patch(f"/v1/connections/{made['id']}", json={"project_token": other.token})
    assert moved.status_code == 200, moved.text
    assert (moved.json()["project_id"], moved.json()["project_token_ends"]) == (None, other.token[-4:])


@pytest.mark.parametrize("with_token", [True, False])
async def test_a_project_connected_with_a_key_is_not_connected_again_for_its_events(
    room: Room, *, with_token: bool
) -> None:
    second = room.us.add_project("Second one")
    token = {"project_token": room.us.project_token} if with_token else {}
    async with room.tenant() as (tenant, client):
        made = await connected(client, room.keys(**token))
        assert await refused(client, alone(room)) == (409, "already_connected", made["id"])
        # The token of another project is not.
        other = await connected(client, alone(room, project_token=second.token))
    assert set(await of_tenant(room, tenant.id)) == {made["id"], other["id"]}


async def test_of_several_the_one_that_holds_the_token_comes_back(room: Room) -> None:
    blind = room.us.add_key(scopes=["query:read"])
    async with room.tenant() as (tenant, client):
        capturing = await connected(client, alone(room))
        await guarded(room, capturing["id"], tenant.id)
        await disconnect(room, capturing["id"])
        # This key cannot show whose the token is, so the two are strangers.
        reading = await connected(client, room.keys(personal_api_key=blind))
        await disconnect(room, reading["id"])
        back = await connected(client, room.keys())
    assert (back["id"], reading["id"] != capturing["id"]) == (capturing["id"], True)
    assert await guards_of_traffic(room) == {"email": "mask"}


async def test_nobody_brings_back_what_is_another_tenants(room: Room) -> None:
    async with room.tenant() as (_, first), room.tenant() as (tenant, second):
        made = await connected(first, alone(room))
        await grow(first, made["id"], room.us.personal_api_key)
        await disconnect(room, made["id"])
        before = await record(room, made["id"])
        theirs = await connected(second, room.keys(project_token=room.us.project_token))
        assert await of_tenant(room, tenant.id) == [theirs["id"]]
        assert theirs["id"] != made["id"]
        assert await record(room, made["id"]) == before
        await disconnect(room, theirs["id"])
        assert (await connected(second, alone(room)))["id"] == theirs["id"]
        assert (await connected(first, room.keys()))["id"] == made["id"]


async def test_the_same_token_at_another_host_is_another_project(room: Room) -> None:
    room.own.change_project(token=room.us.project_token)
    async with room.tenant() as (_, client):
        made = await connected(client, alone(room))
        await disconnect(room, made["id"])
        moved = await connected(client, alone(room, host=OWN))
        assert moved["id"] != made["id"]
        assert (await record(room, made["id"])).state == "disconnected"


async def test_one_that_is_being_purged_never_comes_back(room: Room) -> None:
    async with room.tenant() as (tenant, client):
        made = await connected(client, alone(room))
        await grow(client, made["id"], room.us.personal_api_key)
        begun = await disconnection.begin(room.stage.app, await record(room, made["id"]), purge=True)
        for body in (room.keys(), alone(room)):
            assert (await refused(client, body))[:2] == (409, "disconnecting")
        ended = await disconnection.finish(room.stage.app, begun.connection)
        assert (await refused(client, room.keys()))[:2] == (409, "disconnecting")
        assert await of_tenant(room, tenant.id) == [made["id"]]
        assert await record(room, made["id"]) == ended
        assert await secrets_of(room, made["id"]) == []
