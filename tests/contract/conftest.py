"""Every adapter of each port, behind one fixture per port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.google import SecretManagerVault
from hedgerow.adapters.sealed import SealedVault
from hedgerow.adapters.sqlite import SqliteStore
from tests.contract.secret_manager_server import secret_manager_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hedgerow.ports import Store, Vault


@pytest.fixture(params=["sqlite_memory", "sqlite_file", "firestore"])
async def store(request: pytest.FixtureRequest, project: str, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind, SQLite in memory and in a file."""
    opened: Store
    if request.param == "firestore":
        opened = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
    else:
        opened = SqliteStore(":memory:" if request.param == "sqlite_memory" else tmp_path / "store.db")
    yield opened
    await opened.close()


@pytest.fixture(params=["sealed", "secret_manager"])
async def vault(request: pytest.FixtureRequest, project: str) -> AsyncIterator[Vault]:
    """An empty vault of each kind."""
    if request.param == "sealed":
        store = SqliteStore(":memory:")
        yield SealedVault(store, b"k" * 32)
        await store.close()
        return
    async with secret_manager_server() as host:
        opened = SecretManagerVault(project, emulator_host=host)
        yield opened
        await opened.close()
