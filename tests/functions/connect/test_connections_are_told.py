"""A connection that stands, comes back, heals or is taken away is told to the product around Hedgerow, once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow import disconnection
from hedgerow.activity import Activity
from hedgerow.models import Connection, Trouble
from hedgerow.ports import Swap, Where
from tests.functions.connect.room import OWN, Room

if TYPE_CHECKING:
    import httpx


async def made(client: httpx.AsyncClient, body: dict[str, object]) -> str:
    answer = await client.post("/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def record(room: Room, id: str) -> Connection:
    found = await room.stage.store.get(Connection, id)
    assert found is not None
    return found


async def told(room: Room, connection_id: str) -> list[str]:
    page = await room.stage.store.find(Activity, Where("connection_id", "==", connection_id))
    return sorted(one.kind for one in page.items)


async def test_connecting_and_coming_back_are_told_and_no_secret_with_them(room: Room) -> None:
    async with room.tenant() as (_, client):
        id = await made(client, room.keys())
        assert (await client.post("/v1/connections", json=room.keys())).status_code == 409
        assert await told(room, id) == ["connection.connected"]
        begun = await disconnection.begin(room.stage.app, await record(room, id))
        await disconnection.finish(room.stage.app, begun.connection)
        assert await made(client, room.keys()) == id
        assert await told(room, id) == ["connection.connected", "connection.connected", "connection.disconnected"]
    page = await room.stage.store.find(Activity, Where("connection_id", "==", id))
    for one in page.items:
        assert set(one.fields) <= {"name", "host", "project_id", "purge", "connection_id"}
        assert room.us.personal_api_key not in one.model_dump_json()


async def test_a_connection_that_is_mended_is_told(room: Room) -> None:
    trouble = Trouble(code="scope_missing", detail="A scope is missing.", hint="Add it.")
    async with room.tenant() as (_, client):
        id = await made(client, room.keys())
        stopped = (await record(room, id)).model_copy(update={"state": "needs_attention", "trouble": trouble})
        await room.stage.store.commit(Swap(stopped))
        assert (await client.post(f"/v1/connections/{id}/resume")).json()["state"] == "connected"
        assert (await client.post(f"/v1/connections/{id}/resume")).status_code == 200
    assert await told(room, id) == ["connection.connected", "connection.connected"]


async def test_a_token_that_turns_out_to_be_anothers_is_told_to_who_loses_it(room: Room) -> None:
    token = room.own.project_token
    async with room.tenant() as (_, stranger), room.tenant() as (_, owner):
        squatted = await made(stranger, {"host": OWN, "project_token": token})
        body: dict[str, object] = {"host": OWN, "personal_api_key": room.own.personal_api_key, "project_token": token}
        await made(owner, body)
    assert await told(room, squatted) == ["connection.connected", "connection.needs_attention"]
