"""Two who connect one project at the same moment, by different roads, end with one connection and no stray key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from functions.connect import changing, connecting
from functions.connect.views import ConnectionChange, ConnectionWanted
from hedgerow import disconnection, drafts
from hedgerow.drafts import SecretDraft
from hedgerow.errors import StateConflictError
from hedgerow.keys import Caller
from hedgerow.models import Connection
from hedgerow.ports import Delete, Where
from hedgerow.sealed_secrets import SealedSecret
from tests.functions.connect.room import US, Room
from tests.meanwhile import meanwhile

if TYPE_CHECKING:
    from hedgerow.models import Tenant


def alone(room: Room) -> dict[str, object]:
    return {"host": US, "project_token": room.us.project_token}


async def made(room: Room, tenant: Tenant, body: dict[str, object]) -> Connection:
    wanted = ConnectionWanted.model_validate(body)
    return (await connecting.create(room.stage.app, Caller("write", tenant.id), wanted)).connection


async def grown(room: Room, tenant: Tenant) -> Connection:
    """One that began as capture-only, with a personal key since."""
    change = ConnectionChange(personal_api_key=SecretStr(room.us.personal_api_key))
    return await changing.change(room.stage.app, await made(room, tenant, alone(room)), change)


async def disconnect(room: Room, id: str) -> None:
    current = await room.stage.store.get(Connection, id)
    assert current is not None
    begun = await disconnection.begin(room.stage.app, current)
    await disconnection.finish(room.stage.app, begun.connection)


async def the_one(room: Room, tenant: Tenant) -> Connection:
    """The tenant's only connection; no secret is in the vault but the one it names, and no draft is left, once a tick has come."""
    await drafts.sweep(room.stage.app, room.stage.clock())
    await room.stage.carry_out()
    (one,) = (await room.stage.store.find(Connection, Where("tenant_id", "==", tenant.id))).items
    secrets = [secret.id for secret in (await room.stage.store.find(SealedSecret)).items]
    assert secrets == ([one.secret_ref] if one.secret_ref else [])
    assert (await room.stage.store.find(SecretDraft)).items == ()
    return one


async def test_of_those_who_bring_it_back_at_once_one_wins(room: Room) -> None:
    async with room.tenant() as (tenant, client):
        before = await grown(room, tenant)
        await disconnect(room, before.id)
        bodies = [room.keys(), alone(room), room.keys(project_token=room.us.project_token), alone(room)]
        answers = await asyncio.gather(*(client.post("/v1/connections", json=body) for body in bodies))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]
    assert {one.json()["id"] for one in answers} == {before.id}
    assert (await the_one(room, tenant)).state == "connected"


Overtaking = Callable[[Room, "Tenant"], Awaitable[object]]


async def with_the_token(room: Room, tenant: Tenant) -> None:
    await made(room, tenant, alone(room))


async def with_a_key(room: Room, tenant: Tenant) -> None:
    await made(room, tenant, room.keys())


@pytest.mark.parametrize("overtaking", [with_the_token, with_a_key])
@pytest.mark.parametrize("before", ["store.find connections", "store.commit Swap(tenants)"])
@pytest.mark.parametrize("road", ["key", "token"])
async def test_a_new_project_that_another_connects_first_by_any_road_is_one(
    room: Room, overtaking: Overtaking, before: str, road: str
) -> None:
    tenant = await room.stage.tenant()
    body = room.keys() if road == "key" else alone(room)
    late = meanwhile(room.stage.app, before, lambda: overtaking(room, tenant))
    with pytest.raises(StateConflictError) as refused:
        await connecting.create(late, Caller("write", tenant.id), ConnectionWanted.model_validate(body))
    assert refused.value.code == "already_connected"
    assert refused.value.members["id"] == (await the_one(room, tenant)).id


async def test_one_that_is_purged_before_the_commit_is_not_brought_back(room: Room) -> None:
    tenant = await room.stage.tenant()
    before = await grown(room, tenant)
    await disconnect(room, before.id)

    async def purge() -> None:
        current = await room.stage.store.get(Connection, before.id)
        assert current is not None
        claims = await disconnection.release_token(room.stage.app, current)
        await room.stage.store.commit(Delete(Connection, current.id, current.version), *claims)

    late = meanwhile(room.stage.app, "store.commit Swap(tenants)", purge)
    with pytest.raises(StateConflictError):
        await connecting.create(late, Caller("write", tenant.id), ConnectionWanted.model_validate(room.keys()))
    assert (await room.stage.store.find(Connection)).items == ()
    assert (await room.stage.store.find(SealedSecret)).items == ()
    assert (await room.stage.store.find(SecretDraft)).items == ()
    # Nothing is in the way of the next call.
    assert (await made(room, tenant, room.keys())).id != before.id


async def test_a_key_that_meets_a_connect_of_the_same_project_makes_no_second_one_of_it(room: Room) -> None:
    tenant, blind = await room.stage.tenant(), room.us.add_key(scopes=["query:read"])
    capturing = await made(room, tenant, alone(room))
    reading: list[Connection] = []

    async def connect() -> None:
        # A key that cannot show whose the token is does not recognise what is there.
        reading.append(await made(room, tenant, room.keys(personal_api_key=blind)))

    change = ConnectionChange(personal_api_key=SecretStr(room.us.personal_api_key))
    with pytest.raises(StateConflictError) as refused:
        await changing.change(meanwhile(room.stage.app, "store.commit Swap(connections)", connect), capturing, change)
    assert (refused.value.code, refused.value.members) == ("already_connected", {"id": reading[0].id})
    page = await room.stage.store.find(Connection, Where("tenant_id", "==", tenant.id))
    assert {one.id: one.project_id for one in page.items} == {
        capturing.id: None,
        reading[0].id: room.us.project_id,
    }
