"""Whoever cleans up late meets a project that was connected again meanwhile: its key stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest

from functions.connect import changing, connecting
from functions.connect.views import ConnectionChange, ConnectionWanted
from functions.disconnect import carrying_out, ending
from hedgerow import disconnection, drafts
from hedgerow.errors import StateConflictError
from hedgerow.keys import Caller
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection
from tests.crash import Crash, Fuse, armed
from tests.functions.connect.room import Room
from tests.functions.connect.test_meanwhile import made, record, secrets_of
from tests.meanwhile import meanwhile

if TYPE_CHECKING:
    from hedgerow.app import App

T = TypeVar("T")
STEPS = ("vault.versions", "store.find secret_drafts", "store.get connections", "vault.destroy", "vault.remove")


async def connect(room: Room, app: App, tenant_id: str) -> Connection:
    wanted = ConnectionWanted.model_validate(room.keys())
    return (await connecting.create(app, Caller("write", tenant_id), wanted)).connection


async def in_use(room: Room, id: str) -> None:
    """The connection has its key, and once the drafts were looked after, no other."""
    for _ in range(2):
        room.stage.clock.forward(drafts.LIFE)
        await drafts.sweep(room.stage.app, room.stage.clock())
        await room.stage.carry_out()
    stored = await record(room, id)
    assert stored.state == "connected"
    assert await secrets_of(room, id) == [stored.secret_ref]


async def dead_attempt(room: Room, tenant_id: str) -> str:
    """The id of a connection whose attempt died after it wrote its key."""

    class Dies(Fuse):
        def reach(self, name: str) -> bool:
            return super().reach(name) or name == "vault.write"

    with pytest.raises(Crash):
        await connect(room, armed(room.stage.app, Dies()), tenant_id)
    (draft,) = (await room.stage.store.find(drafts.SecretDraft)).items
    return draft.connection_id


@pytest.mark.parametrize("before", STEPS)
async def test_a_clean_up_of_a_dead_attempt(room: Room, before: str) -> None:
    tenant = await room.stage.tenant()
    id = await dead_attempt(room, tenant.id)
    room.stage.clock.forward(drafts.LIFE)
    late = meanwhile(room.stage.app, before, lambda: connect(room, room.stage.app, tenant.id))
    await carrying_out.carry_out(late, PurgeRequested(connection_id=id))
    await in_use(room, id)


@pytest.mark.parametrize("before", STEPS[3:])
async def test_the_last_step_of_a_purge(room: Room, before: str) -> None:
    app, connection = room.stage.app, await made(room)
    await ending.disconnect(app, Caller("write", connection.tenant_id), connection.id, purge=True, refuse_traffic=False)
    purged = meanwhile(app, "vault.remove", lambda: connect(room, app, connection.tenant_id))
    await carrying_out.carry_out(purged, PurgeRequested(connection_id=connection.id))
    await in_use(room, connection.id)


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("before", ["vault.versions", "store.find secret_drafts", "vault.destroy", "store.commit"])
async def test_a_finisher_that_sleeps_past_its_lease(room: Room, before: str, purge: bool) -> None:
    app, connection = room.stage.app, await made(room)
    begun = await disconnection.begin(app, await record(room, connection.id), purge=purge)

    async def others() -> None:
        room.stage.clock.forward(disconnection.LEASE + timedelta(seconds=1))
        await disconnection.sweep(app)
        await room.stage.carry_out()
        await connect(room, app, connection.tenant_id)

    await disconnection.finish(meanwhile(app, before, others), begun.connection)
    await in_use(room, connection.id)


@pytest.mark.parametrize("before", ["vault.read", "vault.versions", "store.get connections", "vault.destroy"])
async def test_the_clean_up_of_a_rotation_whose_connection_went_and_came_back(room: Room, before: str) -> None:
    app, connection = room.stage.app, await made(room)
    new = room.us.add_key()
    held: list[str] = []

    class AfterTheCommit(Fuse):
        async def around(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
            if name.startswith(before) and any("Swap(connections)" in one for one in self.calls) and not held:
                held.append(name)
                await disconnection.finish(
                    app, (await disconnection.begin(app, await record(room, connection.id))).connection
                )
                await connect(room, app, connection.tenant_id)
            return await super().around(name, call)

    change = ConnectionChange.model_validate({"personal_api_key": new})
    with suppress(StateConflictError):  # Its key is not the one in use any more.
        await changing.change(armed(app, AfterTheCommit()), connection, change)
    assert held
    await in_use(room, connection.id)


async def test_a_connect_under_way_cannot_use_what_an_ending_destroys(room: Room) -> None:
    """Its key is written, then the connection that was disconnecting is finished: it is refused, or its key is there."""
    app, connection = room.stage.app, await made(room)
    begun = await disconnection.begin(app, await record(room, connection.id))
    done = await disconnection.finish(app, begun.connection)
    assert done.state == "disconnected"

    async def ended_again() -> None:
        await connect(room, app, connection.tenant_id)
        again = await disconnection.begin(app, await record(room, connection.id))
        await disconnection.finish(app, again.connection)

    late = meanwhile(app, "store.commit Swap(tenants)", ended_again)
    with pytest.raises(StateConflictError):
        await connect(room, late, connection.tenant_id)
    assert (await record(room, connection.id)).state == "disconnected"
    assert await secrets_of(room, connection.id) == []
