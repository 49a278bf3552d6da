"""The embedded store's and queue's files overwritten: an error of ours that names the way back, never SQLite's own."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.api.main import api
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import MisconfiguredError
from hedgerow.messages import SyncRequested
from hedgerow.models import Tenant
from hedgerow.ports import Add
from tests.functions.entry.test_health import calling
from tests.stage import NOW, staged

if TYPE_CHECKING:
    from pathlib import Path


def tenant(number: int) -> Tenant:
    return Tenant(id=f"ten_{number}", name="Acme" * 100, tier="pro", created_at=NOW)


async def damaged_store(path: Path) -> SqliteStore:
    """A store with records, whose pages behind the first were overwritten."""
    store = SqliteStore(path)
    await store.commit(*(Add(tenant(number)) for number in range(100)))
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    return SqliteStore(path)


async def test_a_file_that_is_no_database_is_said_with_the_way_back(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(os.urandom(3_000))
    (tmp_path / "queue.db").write_bytes(os.urandom(3_000))
    store, queue = SqliteStore(tmp_path / "store.db"), EmbeddedQueue(tmp_path / "queue.db")
    message = SyncRequested(connection_id="con_1", due_at=NOW)
    for asked in (store.get(Tenant, "x"), store.find(Tenant), store.commit(Add(tenant(1))), queue.publish(message)):
        with pytest.raises(MisconfiguredError) as error:
            await asked
        assert "is damaged" in error.value.detail
        assert "restore.md" in error.value.hint
        assert error.value.transient
    await store.close()
    await queue.close()


async def test_pages_that_were_overwritten_are_said_too(tmp_path: Path) -> None:
    store = await damaged_store(tmp_path / "store.db")
    with pytest.raises(MisconfiguredError, match="is damaged"):
        await store.find(Tenant)
    await store.close()


async def test_a_damaged_store_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(os.urandom(3_000))
    store = SqliteStore(tmp_path / "store.db")
    async with staged() as stage, calling(replace(stage.app, store=store), api) as client:
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    await store.close()
