"""A connection that was imported where its secret is not: its next sync says so, the doctor finds it, a rotation mends it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.connect.main import connect
from functions.sync import refreshing, syncing
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import SecretManagerVault
from hedgerow.adapters.sealed import SealedVault
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.visiting import Terminal, case_of
from hedgerow.cli.operations.moving.exporting import export
from hedgerow.cli.operations.moving.folder import Folder
from hedgerow.cli.operations.moving.importing import Choices, bring_in
from hedgerow.errors import SecretGoneError, StateConflictError
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncRun
from tests.contract.secret_manager_server import SecretManager, secret_manager_server
from tests.functions.connect.room import Room, furnished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hedgerow.app import App
    from hedgerow.ports import Store, Vault

NOWHERE = "http://127.0.0.1:1"
# From which vault, by which store, to which vault.
MOVES = [
    ("sealed", "sqlite", "sealed with another key"),
    ("sealed", "sqlite", "secret manager"),
    ("secret manager", "sqlite", "secret manager of another project"),
    ("secret manager", "sqlite", "sealed"),
    ("secret manager", "firestore", "sealed"),
]


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async with secret_manager_server(SecretManager()) as host:
        yield host


def silent(collection: str, done: int) -> None:
    """Nobody listens."""


def vault_of(words: str, store: Store, server: str) -> Vault:
    if words.startswith("sealed"):
        return SealedVault(store, (b"o" if "another" in words else b"k") * 32)
    return SecretManagerVault("other" if "another" in words else "first", emulator_host=server)


@pytest.mark.parametrize(("before", "kept", "after"), MOVES)
async def test_a_moved_connection_asks_for_its_key_and_goes_on_with_it(
    before: str, kept: str, after: str, tmp_path: Path, project: str, server: str, request: pytest.FixtureRequest
) -> None:
    async with AsyncExitStack() as open_:
        source = await open_.enter_async_context(placed(before, server, SqliteStore(":memory:")))
        id, key = await connected(source)
        await export(source.stage.app, Folder(tmp_path / "one"), None, silent)
        store: Store = SqliteStore(":memory:")
        if kept == "firestore":
            store = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
        room = await open_.enter_async_context(placed(after, server, store))
        app = room.stage.app
        if after == "sealed with another key":
            with pytest.raises(StateConflictError, match="sealing key") as refused:
                await bring_in(app, Folder(tmp_path / "one"), Choices(), silent)
            assert refused.value.code == "wrong_vault_key"
        done = await bring_in(app, Folder(tmp_path / "one"), Choices(secrets=False), silent)
        assert done.secrets_left_out == (1 if before == "sealed" else 0)

        assert await said(app, id) == [("vault.secret_gone", f"hedgerow connections rotate {id}")]
        failed = await synced(app, id)
        assert failed.state == "failed"
        assert failed.error is not None
        assert (failed.error.code, failed.error.hint) == ("secret_gone", SecretGoneError.hint)
        held = await app.store.get(Connection, id)
        assert held is not None
        assert (held.state, held.due_at) == ("needs_attention", None)
        assert set(await said(app, id)) == {
            ("connection.needs_attention", f"hedgerow connections rotate {id}"),
            ("vault.secret_gone", f"hedgerow connections rotate {id}"),
        }

        async with room.stage.calling(connect, key) as client:
            shown = (await client.get(f"/v1/connections/{id}")).json()
            assert shown["diagnosis"]["command"] == f"hedgerow connections rotate {id}"
            rotated = await client.patch(f"/v1/connections/{id}", json={"personal_api_key": room.us.personal_api_key})
        assert (rotated.status_code, rotated.json()["state"]) == (200, "connected"), rotated.text
        assert await said(app, id) == []
        assert (await synced(app, id)).state == "succeeded"


@asynccontextmanager
async def placed(vault: str, server: str, store: Store) -> AsyncIterator[Room]:
    """An installation with this vault, whose way out leads to a PostHog of its own."""
    async with furnished(store=store) as room:
        room.stage.app = replace(room.stage.app, vault=vault_of(vault, store, server))
        yield room
        await room.stage.app.vault.close()
    await store.close()


async def connected(room: Room) -> tuple[str, str]:
    """The ids of a connection, and of a key of its tenant."""
    tenant = await room.stage.tenant()
    key = await room.stage.key(tenant)
    async with room.stage.calling(connect, key) as client:
        answer = await client.post("/v1/connections", json=room.keys())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"]), key


async def synced(app: App, id: str) -> SyncRun:
    """The connection's newest run, once it was carried out."""
    held = await app.store.get(Connection, id)
    assert held is not None
    run = await refreshing.refresh(app, held, None, None)
    await syncing.sync(app, SyncRequested(connection_id=id, run_id=run.id))
    ended = await app.store.get(SyncRun, run.id)
    assert ended is not None
    return ended


async def said(app: App, id: str) -> list[tuple[str, str]]:
    """What the doctor finds with this connection: codes, and the command that mends it."""
    report = await diagnose(case_of(app, Terminal(url=NOWHERE)))
    return [(each.code, each.command) for each in report.findings if each.subject == id]
