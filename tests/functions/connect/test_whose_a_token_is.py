"""A host of the claimant's own choosing may say anything of a token: whom its word displaces, and whom it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hedgerow.models import TokenClaim
from hedgerow.posthog.keys import claim_id
from tests.functions.connect.room import OWN, US, Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx


def lying(room: Room, **more: object) -> dict[str, object]:
    """A body for the self-hosted one, which says that the US project's token is its own."""
    room.own.change_project(token=room.us.project_token)
    return {"host": OWN, "personal_api_key": room.own.personal_api_key, "project_token": room.us.project_token, **more}


async def made(client: httpx.AsyncClient, body: Mapping[str, object]) -> str:
    answer = await client.post("/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def refused(client: httpx.AsyncClient, body: Mapping[str, object]) -> tuple[int, str]:
    answer = await client.post("/v1/connections", json=body)
    return answer.status_code, answer.json()["code"]


async def claim(room: Room) -> TokenClaim:
    found = await room.stage.store.get(TokenClaim, claim_id(room.us.project_token))
    assert found is not None
    return found


@pytest.mark.parametrize("capture_only", [True, False])
async def test_a_host_that_lies_takes_nothing_from_who_is_on_a_cloud(room: Room, *, capture_only: bool) -> None:
    body: dict[str, object] = {"host": US} if capture_only else room.keys()
    async with room.tenant() as (_, owner), room.tenant() as (_, liar):
        id = await made(owner, {**body, "project_token": room.us.project_token})
        assert await refused(liar, lying(room)) == (409, "project_token_taken")
        assert (await owner.get(f"/v1/connections/{id}")).json()["state"] == "connected"
    assert (await claim(room)).connection_id == id


async def test_a_cloud_gives_its_token_back_to_whom_a_lie_kept_it_from(room: Room) -> None:
    async with room.tenant() as (_, liar), room.tenant() as (_, owner):
        squatted = await made(liar, lying(room))
        assert ((await claim(room)).connection_id, (await claim(room)).proved_at) == (squatted, OWN)
        id = await made(owner, room.keys(project_token=room.us.project_token))
        lost = (await liar.get(f"/v1/connections/{squatted}")).json()
        again = await liar.post(f"/v1/connections/{squatted}/resume")
    assert (lost["state"], lost["diagnosis"]["code"]) == ("needs_attention", "project_token_lost")
    assert (again.status_code, again.json()["code"]) == (409, "project_token_taken")
    assert ((await claim(room)).connection_id, (await claim(room)).proved_at) == (id, US)


async def test_a_host_speaks_for_its_own_tokens_against_who_only_knew_one(room: Room) -> None:
    token = room.own.project_token
    async with room.tenant() as (_, stranger), room.tenant() as (_, owner), room.tenant() as (_, third):
        squatted = await made(stranger, {"host": OWN, "project_token": token})
        body: dict[str, object] = {"host": OWN, "personal_api_key": room.own.personal_api_key, "project_token": token}
        await made(owner, body)
        assert (await stranger.get(f"/v1/connections/{squatted}")).json()["state"] == "needs_attention"
        assert await refused(third, body) == (409, "project_token_taken")


async def test_events_are_led_to_another_host_only_by_who_proves_the_token(room: Room) -> None:
    token = room.us.project_token
    away = {"host": US, "project_token": token, "ingestion_host": OWN}
    room.own.change_project(token=token)
    async with room.tenant() as (_, client):
        assert await refused(client, away) == (422, "ingestion_host_unproved")
        assert room.posthogs.asked("own") == 0
        tested = await client.post("/v1/connections/test", json=away)
        assert (tested.status_code, tested.json()["code"]) == (422, "ingestion_host_unproved")
        blind = room.us.add_key(scopes=["query:read"])
        assert await refused(client, room.keys(**{**away, "personal_api_key": blind})) == (
            422,
            "ingestion_host_unproved",
        )
        assert await room.stage.store.get(TokenClaim, claim_id(token)) is None
        proved = await client.post("/v1/connections", json=room.keys(**away))
    assert (proved.status_code, proved.json()["ingestion_host"]) == (201, OWN)


async def test_the_ingestion_host_that_goes_with_the_host_needs_no_proof(room: Room) -> None:
    async with room.tenant() as (_, client):
        await made(client, {"host": OWN, "project_token": room.own.project_token, "ingestion_host": OWN})
        us = {"host": US, "project_token": room.us.project_token, "ingestion_host": "https://us.i.posthog.com"}
        await made(client, us)
