"""The process dies before or after every port call of a connect or a rotation: no key leaks, nothing is stuck or doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from functions.connect import changing, connecting
from functions.connect.views import ConnectionChange, ConnectionWanted
from hedgerow import disconnection, drafts
from hedgerow.errors import StateConflictError
from hedgerow.keys import Caller
from hedgerow.models import Connection, SyncRun, TokenClaim
from hedgerow.ports import Where
from hedgerow.posthog.keys import claim_id
from hedgerow.sealed_secrets import SealedSecret
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.connect.room import US, Room, furnished

if TYPE_CHECKING:
    from hedgerow.ports import Store


@pytest.fixture
async def room(store: Store) -> AsyncIterator[Room]:
    async with furnished(store) as built:
        yield built


def worth_trying(calls: int) -> list[Fuse]:
    """Between two port calls nothing is written, so after one is before the next; only the last has an after."""
    return [fuse for fuse in every_fuse(calls) if not fuse.after or fuse.at == calls]


async def secrets_of(room: Room, id: str) -> list[str]:
    return [one.id for one in (await room.stage.store.find(SealedSecret, Where("name", "==", id))).items]


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
    room.stage.clock.forward(drafts.LIFE)
    await drafts.sweep(app, app.now())
    await room.stage.carry_out()

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
    room.stage.clock.forward(drafts.LIFE)
    await drafts.sweep(app, app.now())
    await room.stage.carry_out()

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
    stored = await app.store.get(Connection, made.id)
    assert stored is not None
    assert stored.state == "connected"
    assert await secrets_of(room, stored.id) == [stored.secret_ref]
    assert (await app.vault.read(stored.secret_ref or "")).get_secret_value() == new


async def test_rotating_may_die_anywhere(room: Room) -> None:
    whole = Fuse()
    await rotate(room, whole)
    assert len(whole.calls) > 5
    for fuse in worth_trying(len(whole.calls)):
        await rotate(room, fuse)
        assert fuse.blown
