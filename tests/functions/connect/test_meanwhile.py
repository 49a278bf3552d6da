"""What happens when somebody else acts between two steps of a connect, a rotation or a change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from functions.connect import changing, connecting, tenants
from functions.connect.views import ConnectionChange, ConnectionWanted, TenantChange
from hedgerow import disconnection
from hedgerow.errors import StateConflictError
from hedgerow.keys import Caller
from hedgerow.models import Connection, Tier
from hedgerow.ports import Swap, Where
from hedgerow.sealed_secrets import SealedSecret
from tests.functions.connect.room import Room
from tests.meanwhile import meanwhile


async def made(room: Room, tier: Tier = "pro") -> Connection:
    caller = Caller("write", (await room.stage.tenant(tier)).id)
    return (await connecting.create(room.stage.app, caller, ConnectionWanted.model_validate(room.keys()))).connection


async def record(room: Room, id: str) -> Connection:
    found = await room.stage.store.get(Connection, id)
    assert found is not None
    return found


async def secrets_of(room: Room, id: str) -> list[str]:
    return [one.id for one in (await room.stage.store.find(SealedSecret, Where("name", "==", id))).items]


async def test_a_tier_that_changes_just_before_the_commit_is_the_connections(room: Room) -> None:
    app, tenant = room.stage.app, await room.stage.tenant("starter")

    async def upgrade() -> None:
        await tenants.change(app, tenant.id, TenantChange(tier="scale"))

    wanted = ConnectionWanted.model_validate(room.keys())
    late = meanwhile(app, "store.commit Swap(tenants) Add(connections)", upgrade)
    connected = await connecting.create(late, Caller("write", tenant.id), wanted)
    assert connected.connection.tier == "scale"
    assert connected.connection.due_at is not None


async def test_a_rotation_overtaken_by_another_gives_way(room: Room) -> None:
    app, connection = room.stage.app, await made(room)
    first, second = room.us.add_key(), room.us.add_key()

    async def overtake() -> None:
        await changing.change(app, connection, ConnectionChange(personal_api_key=SecretStr(first)))

    for before in ("vault.write", "store.get connections"):
        connection = await record(room, connection.id)
        with pytest.raises(StateConflictError) as overtaken:
            await changing.change(
                meanwhile(app, before, overtake),
                connection,
                ConnectionChange(personal_api_key=SecretStr(second)),
            )
        assert overtaken.value.code == "key_replaced"
        stored = await record(room, connection.id)
        assert await secrets_of(room, stored.id) == [stored.secret_ref]
        assert (await app.vault.read(stored.secret_ref or "")).get_secret_value() == first


async def test_a_new_secret_that_another_clean_up_destroyed_is_written_again(room: Room) -> None:
    app, connection, new = room.stage.app, await made(room), room.us.add_key()

    async def clean_up() -> None:
        await app.vault.destroy(connection.id)

    changed = await changing.change(
        meanwhile(app, "vault.read", clean_up), connection, ConnectionChange(personal_api_key=SecretStr(new))
    )
    assert (await app.vault.read(changed.secret_ref or "")).get_secret_value() == new
    assert await secrets_of(room, connection.id) == [changed.secret_ref]


async def test_a_sync_that_writes_in_between_costs_a_rotation_nothing(room: Room) -> None:
    app, connection, new = room.stage.app, await made(room), room.us.add_key()
    success = room.stage.clock() + timedelta(seconds=5)

    async def sync() -> None:
        current = await record(room, connection.id)
        progress = current.progress.model_copy(update={"last_success_at": success})
        await room.stage.store.commit(Swap(current.model_copy(update={"progress": progress})))

    changed = await changing.change(
        meanwhile(app, "store.commit Swap(connections)", sync),
        connection,
        ConnectionChange(personal_api_key=SecretStr(new)),
    )
    assert changed.progress.last_success_at == success
    assert (await app.vault.read(changed.secret_ref or "")).get_secret_value() == new


@pytest.mark.parametrize("before", ["vault.write", "store.get connections", "store.commit Swap(connections)"])
async def test_a_disconnect_in_the_middle_of_a_rotation_wins_and_no_key_is_left(room: Room, before: str) -> None:
    app, connection = room.stage.app, await made(room)

    async def disconnect() -> None:
        begun = await disconnection.begin(app, await record(room, connection.id))
        await disconnection.finish(app, begun.connection)

    with pytest.raises(StateConflictError) as refused:
        await changing.change(
            meanwhile(app, before, disconnect),
            connection,
            ConnectionChange(personal_api_key=SecretStr(room.us.add_key())),
        )
    assert refused.value.code == "connection_disconnected"
    assert (await record(room, connection.id)).state == "disconnected"
    assert await secrets_of(room, connection.id) == []


async def test_a_pause_that_meets_a_sync_is_still_a_pause(room: Room) -> None:
    app, connection = room.stage.app, await made(room)

    async def sync() -> None:
        current = await record(room, connection.id)
        await room.stage.store.commit(Swap(current.model_copy(update={"due_at": room.stage.clock()})))

    paused = await changing.pause(meanwhile(app, "store.commit", sync), connection)
    assert (paused.state, paused.due_at) == ("paused", None)
