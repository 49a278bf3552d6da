"""`POST /v1/connections`: tested first, written at once with claim and run, and never twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hedgerow import disconnection, drafts, tiers
from hedgerow.errors import SecretGoneError
from hedgerow.models import Connection, SyncRun, TokenClaim
from hedgerow.ports import Swap, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.sealed_secrets import SealedSecret
from tests.functions.connect.room import EU, US, Room

if TYPE_CHECKING:
    import httpx


async def connected(client: httpx.AsyncClient, body: dict[str, object]) -> dict[str, Any]:
    answer = await client.post("/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def secrets_of(room: Room, id: str) -> list[str]:
    return [one.id for one in (await room.stage.store.find(SealedSecret, Where("name", "==", id))).items]


async def record(room: Room, id: str) -> Connection:
    found = await room.stage.store.get(Connection, id)
    assert found is not None
    return found


async def disconnect(room: Room, id: str) -> None:
    begun = await disconnection.begin(room.stage.app, await record(room, id))
    assert (await disconnection.finish(room.stage.app, begun.connection)).state == "disconnected"


async def test_a_connection_comes_with_its_first_run_and_no_key(room: Room) -> None:
    async with room.tenant("pro") as (tenant, client):
        made = await connected(client, room.keys(project_token=room.us.project_token))
        again = (await client.get(f"/v1/connections/{made['id']}")).json()
    assert (made["state"], made["timezone"], made["tier"], made["name"]) == (
        "connected",
        "Europe/Berlin",
        "pro",
        "Local project",
    )
    assert made["project_token_ends"] == room.us.project_token[-4:]
    assert made["has_personal_api_key"] is True
    assert (made["run"]["from"], made["run"]["to"], made["run"]["state"]) == ("2026-10-22", "2026-11-20", "pending")
    assert made["diagnosis"]["code"] == "first_sync_pending"
    assert room.us.personal_api_key not in str(made) + str(again)
    assert room.us.project_token not in str(made) + str(again)

    stored = await record(room, made["id"])
    assert stored.tenant_id == tenant.id
    assert stored.due_at == tiers.next_due(stored, tiers.load(), room.stage.clock())
    assert (await room.stage.app.vault.read(stored.secret_ref or "")).get_secret_value() == room.us.personal_api_key
    claim = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert claim is not None
    assert (claim.connection_id, claim.proved) == (stored.id, True)
    assert await room.stage.published("sync-requested") == [made["run"]["id"]]
    assert await room.stage.store.count(drafts.SecretDraft, Where("due_at", ">", room.stage.clock())) == 0
    assert len(await secrets_of(room, stored.id)) == 1


async def test_capture_only_has_no_run_and_says_why(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, {"host": US, "project_token": room.us.project_token})
    assert (made["run"], made["due_at"], made["project_id"]) == (None, None, None)
    assert made["diagnosis"]["code"] == "capture_only"
    assert made["key_since"] is None
    assert "connections rotate" in made["diagnosis"]["command"]
    assert await room.stage.published("sync-requested") == []


async def test_activity_tracking_off_begins_no_run_and_says_so(room: Room) -> None:
    async with room.tenant() as (tenant, client), room.operator() as operator:
        await operator.patch(f"/v1/tenants/{tenant.id}", json={"activity_tracking": False})
        made = await connected(client, room.keys())
    assert (made["run"], made["due_at"], made["diagnosis"]["code"]) == (None, None, "activity_tracking_off")


async def test_keys_that_fail_their_test_leave_nothing_behind(room: Room) -> None:
    async with room.tenant() as (_, client):
        answer = await client.post("/v1/connections", json=room.keys(personal_api_key="phx_0123456789abcdef"))
        listed = await client.get("/v1/connections")
    assert (answer.status_code, answer.json()["code"]) == (422, "connection_test_failed")
    assert {one["name"] for one in answer.json()["capabilities"] if one["code"] == "key_refused"} == {"authenticate"}
    assert "phx_0123456789abcdef" not in answer.text
    assert listed.json() == {"first": None, "items": [], "next_cursor": None}
    assert (await room.stage.store.find(SealedSecret)).items == ()


async def test_several_projects_are_listed_in_the_refusal(room: Room) -> None:
    other = room.us.add_project("Second one")
    async with room.tenant() as (_, client):
        answer = await client.post("/v1/connections", json={"host": US, "personal_api_key": room.us.personal_api_key})
    assert answer.status_code == 422
    assert {one["id"] for one in answer.json()["projects"]} == {room.us.project_id, str(other.id)}


async def test_a_project_connects_once_whatever_its_address_looks_like(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys())
        second = await client.post("/v1/connections", json=room.keys(host="app.posthog.com", project_id=1))
    assert (second.status_code, second.json()["code"], second.json()["id"]) == (409, "already_connected", made["id"])
    assert len(await secrets_of(room, made["id"])) == 1
    async with room.tenant() as (_, client):
        assert (await connected(client, room.keys()))["id"] != made["id"]


@pytest.mark.parametrize("with_key", [True, False])
async def test_of_two_creates_at_once_one_wins_and_its_key_lives(room: Room, with_key: bool) -> None:
    body = room.keys() if with_key else {"host": US, "project_token": room.us.project_token}
    async with room.tenant() as (_, client):
        answers = await asyncio.gather(*(client.post("/v1/connections", json=body) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    ids = {one.json()["id"] for one in answers}
    assert len(ids) == 1
    stored = await record(room, ids.pop())
    runs = await room.stage.store.find(SyncRun, Where("connection_id", "==", stored.id))
    assert len(runs.items) == int(with_key)
    await drafts.sweep(room.stage.app, room.stage.clock())
    await room.stage.carry_out()
    if with_key:
        assert await secrets_of(room, stored.id) == [stored.secret_ref]
    assert (await room.stage.store.find(drafts.SecretDraft)).items == ()


async def test_a_disconnected_project_comes_back_under_its_id(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys(project_token=room.us.project_token, name="Shop"))
        await client.patch(f"/v1/connections/{made['id']}", json={"events": ["signed up"]})
        await disconnect(room, made["id"])
        gone = (await client.get(f"/v1/connections/{made['id']}")).json()
        room.stage.clock.forward(timedelta(days=2))
        back = await connected(client, room.keys())
    assert (gone["has_personal_api_key"], gone["key_since"]) == (False, None)
    assert back["key_since"] == room.stage.clock().isoformat().replace("+00:00", "Z")
    assert back["id"] == made["id"]
    assert (back["state"], back["name"], back["events"]) == ("connected", "Shop", ["signed up"])
    assert back["run"]["id"] != made["run"]["id"]
    assert back["run"]["to"] == "2026-11-22"
    stored = await record(room, made["id"])
    assert await secrets_of(room, stored.id) == [stored.secret_ref]
    # Apps that never stopped sending still find their connection.
    assert stored.project_token == room.us.project_token


async def test_one_that_is_being_disconnected_is_waited_for(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys())
        await disconnection.begin(room.stage.app, await record(room, made["id"]))
        answer = await client.post("/v1/connections", json=room.keys())
    assert (answer.status_code, answer.json()["code"]) == (409, "disconnecting")


async def test_nobody_takes_a_token_by_knowing_it(room: Room) -> None:
    async with room.tenant() as (_, owner), room.tenant() as (_, stranger):
        made = await connected(owner, room.keys(project_token=room.us.project_token))
        answer = await stranger.post("/v1/connections", json={"host": US, "project_token": room.us.project_token})
    assert (answer.status_code, answer.json()["code"]) == (409, "project_token_taken")
    assert made["id"] not in answer.text
    claim = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert claim is not None
    assert claim.connection_id == made["id"]


async def test_of_two_who_only_know_a_token_the_first_keeps_it(room: Room) -> None:
    async with room.tenant() as (_, first), room.tenant() as (_, second):
        made = await connected(first, {"host": US, "project_token": room.us.project_token})
        answer = await second.post("/v1/connections", json={"host": US, "project_token": room.us.project_token})
        seen = (await first.get(f"/v1/connections/{made['id']}")).json()
    assert (answer.status_code, answer.json()["code"]) == (409, "project_token_taken")
    assert seen["state"] == "connected"


async def test_a_proof_displaces_who_only_knew_the_token(room: Room) -> None:
    async with room.tenant() as (_, stranger), room.tenant() as (_, owner):
        squatted = await connected(stranger, {"host": US, "project_token": room.us.project_token})
        made = await connected(owner, room.keys(project_token=room.us.project_token))
        seen = (await stranger.get(f"/v1/connections/{squatted['id']}")).json()
        resumed = await stranger.post(f"/v1/connections/{squatted['id']}/resume")
    assert (seen["state"], seen["diagnosis"]["code"]) == ("needs_attention", "project_token_lost")
    assert made["id"] not in str(seen)
    assert (resumed.status_code, resumed.json()["code"]) == (409, "project_token_taken")
    claim = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert claim is not None
    assert (claim.connection_id, claim.proved) == (made["id"], True)


async def test_two_tenants_may_read_one_project_and_one_takes_its_events(room: Room) -> None:
    async with room.tenant() as (_, first), room.tenant() as (_, second):
        await connected(first, room.keys(project_token=room.us.project_token))
        taken = await second.post("/v1/connections", json=room.keys(project_token=room.us.project_token))
        assert (taken.status_code, taken.json()["code"]) == (409, "project_token_taken")
        await connected(second, room.keys())


async def test_a_token_let_go_by_a_disconnect_can_be_taken(room: Room) -> None:
    async with room.tenant() as (_, first), room.tenant() as (_, second):
        made = await connected(first, room.keys(project_token=room.us.project_token))
        await disconnect(room, made["id"])
        taken = await connected(second, {"host": US, "project_token": room.us.project_token})
        # The first comes back without a word of the token: it is not taken back.
        back = await connected(first, room.keys())
    claim = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert claim is not None
    assert claim.connection_id == taken["id"]
    assert back["project_token_ends"] is None


async def test_capture_only_and_metrics_of_one_project_are_one_connection(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, {"host": US, "project_token": room.us.project_token})
        answer = await client.post("/v1/connections", json=room.keys(project_token=room.us.project_token))
        assert (answer.status_code, answer.json()["id"]) == (409, made["id"])
        grown = await client.patch(f"/v1/connections/{made['id']}", json={"personal_api_key": room.us.personal_api_key})
        assert grown.status_code == 200, grown.text
        answer = await client.post("/v1/connections", json=room.keys())
        assert (answer.status_code, answer.json()["id"]) == (409, made["id"])
    assert (grown.json()["project_id"], grown.json()["timezone"]) == (room.us.project_id, "Europe/Berlin")
    assert grown.json()["diagnosis"]["code"] == "first_sync_pending"


async def test_a_project_whose_events_are_taken_is_not_connected_again_for_its_metrics(room: Room) -> None:
    async with room.tenant() as (_, client), room.tenant() as (_, other):
        made = await connected(client, {"host": US, "project_token": room.us.project_token})
        answer = await client.post("/v1/connections", json=room.keys())
        assert (answer.status_code, answer.json()["code"]) == (409, "already_connected")
        assert answer.json()["id"] == made["id"]
        # Another tenant's claim is nothing to go by, and nothing to learn of.
        await connected(other, room.keys())
        await disconnect(room, made["id"])
        await connected(client, room.keys())


async def test_a_connection_without_the_rest_still_works(room: Room) -> None:
    key = room.us.add_key(scopes=["query:read"])
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys(personal_api_key=key, project_token=room.us.project_token))
    assert (made["timezone"], made["project_token_ends"]) == ("Europe/Berlin", None)
    assert await room.stage.store.get(TokenClaim, claim_id(room.us.project_token)) is None


async def test_a_tier_change_at_the_same_moment_is_never_missed(room: Room) -> None:
    async with room.tenant("starter") as (tenant, client), room.operator() as operator:
        made, _ = await asyncio.gather(
            connected(client, room.keys()), operator.patch(f"/v1/tenants/{tenant.id}", json={"tier": "scale"})
        )
    stored = await record(room, made["id"])
    assert stored.tier == "scale"
    assert stored.due_at is not None


async def test_what_an_attempt_that_died_left_in_the_vault_is_swept(room: Room) -> None:
    app = room.stage.app
    draft = await drafts.begin(app, "con_of_nobody")
    from pydantic import SecretStr

    reference = await app.vault.write("con_of_nobody", SecretStr("phx_0123456789abcdef"))
    assert await drafts.sweep(app, app.now()) == 0
    room.stage.clock.forward(drafts.LIFE)
    assert await drafts.sweep(app, app.now()) == 1
    assert (await app.vault.read(reference)).get_secret_value(), "a tick destroys nothing"
    await room.stage.carry_out()
    with pytest.raises(SecretGoneError):
        await app.vault.read(reference)
    # Who wrote it may only have slept, and write again: it is looked after once more.
    late = await app.vault.write("con_of_nobody", SecretStr("phx_0123456789abcdef"))
    room.stage.clock.forward(drafts.LIFE)
    assert await drafts.sweep(app, app.now()) == 1
    await room.stage.carry_out()
    with pytest.raises(SecretGoneError):
        await app.vault.read(late)
    assert await app.store.get(drafts.SecretDraft, draft.id) is None


async def test_a_sweep_leaves_the_secret_of_a_connection_that_stands(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys())
    await drafts.begin(room.stage.app, made["id"])
    room.stage.clock.forward(drafts.LIFE)
    await drafts.sweep(room.stage.app, room.stage.clock())
    await room.stage.carry_out()
    stored = await record(room, made["id"])
    assert await secrets_of(room, stored.id) == [stored.secret_ref]


async def test_a_key_of_the_eu_connects_in_the_eu(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, {"host": "eu.i.posthog.com", "personal_api_key": room.eu.personal_api_key})
    assert (made["host"], made["ingestion_host"]) == (EU, "https://eu.i.posthog.com")


async def test_a_connection_that_stopped_before_its_first_success_begins_again(room: Room) -> None:
    async with room.tenant() as (_, client):
        made = await connected(client, room.keys())
        stored = await record(room, made["id"])
        await room.stage.store.commit(Swap(stored.model_copy(update={"state": "needs_attention", "due_at": None})))
        resumed = await client.post(f"/v1/connections/{made['id']}/resume")
    assert resumed.json()["state"] == "connected"
    assert len(await room.stage.published("sync-requested")) == 2
