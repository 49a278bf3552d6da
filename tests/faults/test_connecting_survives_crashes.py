"""The process dies before or after every port call of a connect or a rotation: no key leaks, nothing is stuck or doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pytest
from pydantic import SecretStr

from functions.connect import changing, connecting
from functions.connect.views import ConnectionChange, ConnectionWanted
from functions.disconnect import ending
from hedgerow import disconnection, drafts
from hedgerow.errors import RefusedError, StateConflictError
from hedgerow.keys import Caller
from hedgerow.models import Connection, SyncRun, TokenClaim
from hedgerow.ports import Where
from hedgerow.posthog.keys import claim_id
from hedgerow.sealed_secrets import SealedSecret
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.connect.room import US, Room, furnished

if TYPE_CHECKING:
    from hedgerow.ports import Store

T = TypeVar("T")


@pytest.fixture
async def room(store: Store) -> AsyncIterator[Room]:
    async with furnished(store) as built:
        yield built


def worth_trying(calls: int) -> list[Fuse]:
    """Between two port calls nothing is written, so after one is before the next; only the last has an after."""
    return [fuse for fuse in every_fuse(calls) if not fuse.after or fuse.at == calls]


async def secrets_of(room: Room, id: str) -> list[str]:
    return [one.id for one in (await room.stage.store.find(SealedSecret, Where("name", "==", id))).items]


async def swept(room: Room) -> None:
    """The ticks that look after a draft of an attempt that died: once when it is due, and once more."""
    for _ in range(2):
        room.stage.clock.forward(drafts.LIFE)
        await drafts.sweep(room.stage.app, room.stage.clock())
        await room.stage.carry_out()


async def connect(room: Room, fuse: Fuse, *, comes_back: bool) -> None:
    """Connect until the fuse blows; then the caller asks again, or never does."""
    app, caller = room.stage.app, Caller("write", (await room.stage.tenant()).id)
    project = room.us.add_project("Another")
    wanted = ConnectionWanted.model_validate(
        {
            "host": US,
            "personal_api_key": room.us.personal_api_key,
            "project_token": project.token,
            "project_id": project.id,
        }
    )
    try:
        await connecting.create(armed(app, fuse), caller, wanted)
    except Crash:
        if comes_back:
            with suppress(StateConflictError):  # It had been written: already connected.
                await connecting.create(app, caller, wanted)
    await swept(room)

    connections = (await app.store.find(Connection, Where("tenant_id", "==", caller.tenant_id))).items
    claim = await app.store.get(TokenClaim, claim_id(project.token))
    kept = {one.name for one in (await app.store.find(SealedSecret, limit=1_000)).items}
    assert all([await app.store.get(Connection, name) for name in kept])
    assert (await app.store.find(drafts.SecretDraft)).items == ()
    assert len(connections) == (claim is not None) <= 1
    if comes_back:
        assert len(connections) == 1
    for connection in connections:
        assert claim is not None
        assert claim.connection_id == connection.id
        assert connection.secret_ref in await secrets_of(room, connection.id)
        (run,) = (await app.store.find(SyncRun, Where("connection_id", "==", connection.id))).items
        # Announced or not: when it is due a tick finds it.
        assert run.state == "pending"
        assert run.due_at is not None


@pytest.mark.parametrize("comes_back", [True, False])
async def test_connecting_may_die_anywhere(room: Room, comes_back: bool) -> None:
    whole = Fuse()
    await connect(room, whole, comes_back=comes_back)
    assert len(whole.calls) > 8
    for fuse in worth_trying(len(whole.calls)):
        await connect(room, fuse, comes_back=comes_back)
        assert fuse.blown


async def bring_back(room: Room, fuse: Fuse, *, comes_back: bool) -> None:
    """Connect, by its number, a project that grew from capture-only, until the fuse blows; its old id is the only one."""
    app, caller = room.stage.app, Caller("write", (await room.stage.tenant()).id)
    project, key = room.us.add_project("Another"), room.us.personal_api_key
    alone = ConnectionWanted.model_validate({"host": US, "project_token": project.token})
    made = (await connecting.create(app, caller, alone)).connection
    grown = await changing.change(app, made, ConnectionChange(personal_api_key=SecretStr(key)))
    await disconnection.finish(app, (await disconnection.begin(app, grown)).connection)
    wanted = ConnectionWanted.model_validate({"host": US, "personal_api_key": key, "project_id": project.id})
    try:
        await connecting.create(armed(app, fuse), caller, wanted)
    except Crash:
        if comes_back:
            with suppress(StateConflictError):  # It had been written: already connected.
                await connecting.create(app, caller, wanted)
    await swept(room)

    (stored,) = (await app.store.find(Connection, Where("tenant_id", "==", caller.tenant_id))).items
    claim = await app.store.get(TokenClaim, claim_id(project.token))
    assert claim is not None
    assert (stored.id, claim.connection_id, stored.project_token) == (made.id, made.id, project.token)
    assert (await app.store.find(drafts.SecretDraft)).items == ()
    if stored.state == "disconnected":
        assert not comes_back
        assert await secrets_of(room, made.id) == []
    else:
        assert stored.secret_ref in await secrets_of(room, made.id)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_coming_back_may_die_anywhere(room: Room, comes_back: bool) -> None:
    whole = Fuse()
    await bring_back(room, whole, comes_back=comes_back)
    assert len(whole.calls) > 8
    for fuse in worth_trying(len(whole.calls)):
        await bring_back(room, fuse, comes_back=comes_back)
        assert fuse.blown


async def rotate(room: Room, fuse: Fuse) -> None:
    """Rotate until the fuse blows; the key in use can be read all the time, and the caller asks again."""
    app, caller = room.stage.app, Caller("write", (await room.stage.tenant()).id)
    project, old = room.us.add_project("Another"), room.us.add_key()
    body = {"host": US, "personal_api_key": old, "project_id": project.id}
    made = (await connecting.create(app, caller, ConnectionWanted.model_validate(body))).connection
    new = room.us.add_key()
    change = ConnectionChange(personal_api_key=SecretStr(new))
    try:
        await changing.change(armed(app, fuse), made, change)
    except Crash:
        between = await app.store.get(Connection, made.id)
        assert between is not None
        assert (await app.vault.read(between.secret_ref or "")).get_secret_value() in {old, new}
        await changing.change(app, between, change)
        await swept(room)
    stored = await app.store.get(Connection, made.id)
    assert stored is not None
    assert stored.state == "connected"
    assert await secrets_of(room, stored.id) == [stored.secret_ref]
    assert (await app.store.find(drafts.SecretDraft)).items == ()
    assert (await app.vault.read(stored.secret_ref or "")).get_secret_value() == new


async def test_rotating_may_die_anywhere(room: Room) -> None:
    whole = Fuse()
    await rotate(room, whole)
    assert len(whole.calls) > 5
    for fuse in worth_trying(len(whole.calls)):
        await rotate(room, fuse)
        assert fuse.blown


Ended = Callable[[Room, Connection], Awaitable[object]]


async def disconnected(room: Room, connection: Connection) -> None:
    caller = Caller("write", connection.tenant_id)
    await ending.disconnect(room.stage.app, caller, connection.id, purge=False, refuse_traffic=False)
    await room.stage.carry_out()


async def purged(room: Room, connection: Connection) -> None:
    caller = Caller("write", connection.tenant_id)
    await ending.disconnect(room.stage.app, caller, connection.id, purge=True, refuse_traffic=False)
    await room.stage.carry_out()


async def tenant_deleted(room: Room, connection: Connection) -> None:
    await ending.delete_tenant(room.stage.app, connection.tenant_id, 20)
    await room.stage.carry_out()


@dataclass
class Ending(Fuse):
    """At one numbered port call the connection ends; the process dies there, or goes on and meets it."""

    ends_at: int = 0
    dies: bool = False
    end: Callable[[], Awaitable[object]] | None = None

    async def around(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        if self.end is not None and len(self.calls) + 1 == self.ends_at:
            await self.end()
            answer = await super().around(name, call)
            if self.dies:
                self.blow(name)
            return answer
        return await super().around(name, call)


async def rotated_into_an_ending(room: Room, fuse: Ending, end: Ended | None) -> None:
    """A rotation that meets an ending at one call, and dies right after it or goes on: in the end no key is left."""
    app, caller = room.stage.app, Caller("write", (await room.stage.tenant()).id)
    body = {"host": US, "personal_api_key": room.us.add_key(), "project_id": room.us.add_project("Another").id}
    made = (await connecting.create(app, caller, ConnectionWanted.model_validate(body))).connection
    if end is not None:
        fuse.end = lambda: end(room, made)
    with suppress(Crash, RefusedError):
        await changing.change(armed(app, fuse), made, ConnectionChange(personal_api_key=SecretStr(room.us.add_key())))
    await swept(room)
    if end is not None:
        assert await secrets_of(room, made.id) == []
        assert (await app.store.find(drafts.SecretDraft)).items == ()


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("end", [disconnected, purged, tenant_deleted])
async def test_no_key_outlives_an_ending_that_comes_anywhere_in_a_rotation(room: Room, end: Ended, dies: bool) -> None:
    whole = Ending()
    await rotated_into_an_ending(room, whole, None)
    assert "vault.write" in whole.calls
    for at in range(1, len(whole.calls) + 1):
        await rotated_into_an_ending(room, Ending(ends_at=at, dies=dies), end)
