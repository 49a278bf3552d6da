"""PATCH, pause and resume: a new key is tested before it replaces, and every race ends with one key that works."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from hedgerow import disconnection, tiers
from hedgerow.errors import SecretGoneError
from hedgerow.models import Connection, TokenClaim, Trouble
from hedgerow.ports import Swap, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.sealed_secrets import SealedSecret
from tests.functions.connect.room import US, Room

if TYPE_CHECKING:
    import httpx


async def connected(client: httpx.AsyncClient, body: dict[str, object]) -> str:
    answer = await client.post("/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


async def record(room: Room, id: str) -> Connection:
    found = await room.stage.store.get(Connection, id)
    assert found is not None
    return found


async def change(client: httpx.AsyncClient, id: str, status: int = 200, **fields: object) -> dict[str, Any]:
    answer = await client.patch(f"/v1/connections/{id}", json=fields)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def needing_attention(room: Room, id: str, code: str = "key_refused") -> None:
    trouble = Trouble(code=code, detail="PostHog does not know the key.", hint="Give a new one.")
    update = {"state": "needs_attention", "due_at": None, "trouble": trouble, "state_since": room.stage.clock()}
    await room.stage.store.commit(Swap((await record(room, id)).model_copy(update=update)))


async def secrets_of(room: Room, id: str) -> list[str]:
    return [one.id for one in (await room.stage.store.find(SealedSecret, Where("name", "==", id))).items]


async def test_a_refused_key_is_replaced_and_the_connection_goes_on(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        old = (await record(room, id)).secret_ref
        await needing_attention(room, id)
        seen = (await client.get(f"/v1/connections/{id}")).json()
        assert seen["diagnosis"]["code"] == "key_refused"
        assert seen["diagnosis"]["command"] == f"hedgerow connections rotate {id}"
        new = room.us.add_key(scopes=["query:read", "project:read"])
        changed = await change(client, id, personal_api_key=f" {new}\n")
    assert (changed["state"], changed["diagnosis"]["code"]) == ("connected", "first_sync_pending")
    assert new not in str(changed)
    stored = await record(room, id)
    assert stored.trouble is None
    assert stored.due_at == tiers.next_due(stored, tiers.load(), room.stage.clock())
    assert (await room.stage.app.vault.read(stored.secret_ref or "")).get_secret_value() == new
    with pytest.raises(SecretGoneError):
        await room.stage.app.vault.read(old or "")


async def test_a_bad_key_replaces_nothing(room: Room) -> None:
    other = room.us.add_project("Other")
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        before = await record(room, id)
        for key in ("phx_0123456789abcdef", room.us.add_key(other.id, scoped_teams=[other.id]), "phc_0123456789abc"):
            refused = await change(client, id, 422, personal_api_key=key)
            assert refused["code"] == "connection_test_failed"
            assert key not in str(refused)
    assert await record(room, id) == before
    assert await secrets_of(room, id) == [before.secret_ref]


async def test_a_rotation_keeps_the_token_though_the_new_key_cannot_prove_it(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys(project_token=room.us.project_token))
        changed = await change(client, id, personal_api_key=room.us.add_key(scopes=["query:read"]))
    assert changed["project_token_ends"] == room.us.project_token[-4:]
    claim = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert claim is not None
    assert claim.proved is True


async def test_a_token_is_added_with_proof_only(room: Room) -> None:
    other = room.us.add_project("Other")
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        wrong = await change(client, id, 422, project_token=other.token)
        assert next(one["code"] for one in wrong["capabilities"] if one["name"] == "capture") == (
            "project_token_of_other_project"
        )
        changed = await change(client, id, project_token=room.us.project_token)
        assert changed["project_token_ends"] == room.us.project_token[-4:]
        blind = room.us.add_key(scopes=["query:read"])
        await change(client, id, personal_api_key=blind)
        unproved = await change(client, id, 422, project_token=other.token)
        assert unproved["capabilities"][-1]["code"] == "project_token_unproved"
    assert await room.stage.store.get(TokenClaim, claim_id(other.token)) is None


async def test_a_capture_only_connection_grows_only_into_its_tokens_project(room: Room) -> None:
    other = room.us.add_project("Other")
    async with room.tenant() as (_, client):
        id = await connected(client, {"host": US, "project_token": room.us.project_token})
        theirs = room.us.add_key(other.id, scoped_teams=[other.id])
        wrong = await change(client, id, 422, personal_api_key=theirs)
        blind = room.us.add_key(scoped_teams=[room.us.project.id], scopes=["query:read"])
        unproved = await change(client, id, 422, personal_api_key=blind)
        grown = await change(client, id, personal_api_key=room.us.personal_api_key)
    assert wrong["capabilities"][-1]["code"] == "project_token_of_other_project"
    assert unproved["capabilities"][-1]["code"] == "project_token_unproved"
    assert (grown["id"], grown["project_id"]) == (id, room.us.project_id)
    assert len(await room.stage.published("sync-requested")) == 1


async def test_a_capture_only_connection_may_take_a_new_token_and_lets_the_old_one_go(room: Room) -> None:
    other = room.us.add_project("Other")
    async with room.tenant() as (_, client):
        id = await connected(client, {"host": US, "project_token": room.us.project_token})
        await change(client, id, 422, project_token="phc_0123456789abcdef")
        await change(client, id, project_token=other.token)
    assert await room.stage.store.get(TokenClaim, claim_id(room.us.project_token)) is None
    claim = await room.stage.store.get(TokenClaim, claim_id(other.token))
    assert claim is not None
    assert claim.connection_id == id


async def test_rotations_at_once_end_with_one_key_that_can_be_read(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        new = [room.us.add_key() for _ in range(4)]
        answers = await asyncio.gather(
            *(client.patch(f"/v1/connections/{id}", json={"personal_api_key": key}) for key in new)
        )
    assert {one.status_code for one in answers} <= {200, 409}
    assert any(one.status_code == 200 for one in answers)
    stored = await record(room, id)
    assert (await room.stage.app.vault.read(stored.secret_ref or "")).get_secret_value() in new
    assert await secrets_of(room, id) == [stored.secret_ref]


async def test_a_rotation_and_nothing_else_makes_the_key_young_again(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        given = (await record(room, id)).key_since
        room.stage.clock.forward(timedelta(days=40))
        await change(client, id, name="Shop", project_token=room.us.project_token)
        assert (await record(room, id)).key_since == given
        await change(client, id, personal_api_key=room.us.add_key())
    assert (await record(room, id)).key_since == room.stage.clock()


async def test_what_a_dead_rotation_left_goes_with_the_next_one(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        await room.stage.app.vault.write(id, SecretStr("phx_left_behind"))
        await change(client, id, personal_api_key=room.us.add_key())
    assert await secrets_of(room, id) == [(await record(room, id)).secret_ref]


async def test_a_rotation_that_meets_a_disconnect_leaves_no_key(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        begun = await disconnection.begin(room.stage.app, await record(room, id))
        await disconnection.finish(room.stage.app, begun.connection)
        refused = await change(client, id, 409, personal_api_key=room.us.add_key())
        for call in ("pause", "resume"):
            assert (await client.post(f"/v1/connections/{id}/{call}")).status_code == 409
    assert refused["code"] == "connection_disconnected"
    assert await secrets_of(room, id) == []


async def test_the_schedule_is_slowed_and_never_hastened(room: Room) -> None:
    async with room.tenant("scale") as (_, client):
        id = await connected(client, room.keys())
        assert (await client.get(f"/v1/connections/{id}")).json()["syncs_every"] == 30
        slowed = await change(client, id, every=360)
        assert (slowed["every"], slowed["syncs_every"]) == (360, 360)
        stored = await record(room, id)
        assert stored.due_at == tiers.next_due(stored, tiers.load(), room.stage.clock())
        fast = await change(client, id, 422, every=29)
        assert fast["code"] == "every_too_fast"
        assert "30 minutes" in fast["detail"]
        back = await change(client, id, every=None)
        assert (back["every"], back["syncs_every"]) == (None, 30)
    async with room.tenant("basic") as (_, client):
        id = await connected(client, room.keys())
        assert (await change(client, id, 422, every=600))["code"] == "by_hand_tier"


async def test_a_new_name_does_not_put_off_a_sync_that_is_due(room: Room) -> None:
    async with room.tenant("scale") as (_, client):
        id = await connected(client, room.keys())
        due = (await record(room, id)).due_at
        room.stage.clock.forward(timedelta(hours=1))
        changed = await change(client, id, name="Shop", events=["signed up", "paid", "signed up"])
    assert (changed["name"], changed["events"]) == ("Shop", ["signed up", "paid"])
    assert (await record(room, id)).due_at == due


async def test_names_of_events_may_be_strange(room: Room) -> None:
    names = ["it's", 'the "best"', "line\nbreak", "🎉" * 100, "x" * 200, " spaced "]
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        assert (await change(client, id, events=names))["events"] == names
        for bad in ([""], ["x" * 201], ["\x00"], [f"e{number}" for number in range(101)], "signed up", [1], None):
            await change(client, id, 422, events=bad)


async def test_pause_and_resume_may_be_repeated(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        for _ in range(2):
            paused = (await client.post(f"/v1/connections/{id}/pause")).json()
            assert (paused["state"], paused["due_at"], paused["diagnosis"]["code"]) == ("paused", None, "paused")
        for _ in range(2):
            resumed = (await client.post(f"/v1/connections/{id}/resume")).json()
            assert resumed["state"] == "connected"
    stored = await record(room, id)
    assert stored.due_at == tiers.next_due(stored, tiers.load(), room.stage.clock())


async def test_resuming_what_needs_attention_tests_the_key_that_is_there(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        await needing_attention(room, id, "scope_missing")
        assert (await client.post(f"/v1/connections/{id}/pause")).json()["code"] == "needs_attention"
        assert (await client.post(f"/v1/connections/{id}/resume")).json()["state"] == "connected"
        await needing_attention(room, id)
        room.us.revoke_key(room.us.personal_api_key)
        refused = await client.post(f"/v1/connections/{id}/resume")
    assert (refused.status_code, refused.json()["code"]) == (422, "connection_test_failed")
    assert (await record(room, id)).state == "needs_attention"


async def test_a_key_that_is_gone_from_the_vault_is_asked_for_again(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await connected(client, room.keys())
        await needing_attention(room, id, "secret_gone")
        await room.stage.app.vault.destroy(id)
        refused = await client.post(f"/v1/connections/{id}/resume")
        assert (refused.status_code, refused.json()["code"]) == (409, "secret_gone")
        assert (await change(client, id, personal_api_key=room.us.add_key()))["state"] == "connected"
