"""What the embedded store leaves in its folder: of a destroyed secret nothing, of the rest only for its owner."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

from pydantic import SecretStr

from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.sealed import SealedVault
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.messages import SyncRequested
from hedgerow.ports import Add
from hedgerow.sealed_secrets import SealedSecret

if TYPE_CHECKING:
    from pathlib import Path

PHX = SecretStr("phx_0123456789abcdef")


def on_disk(folder: Path, secret: SealedSecret) -> list[str]:
    """The database's files that hold the sealed bytes, in the form the store gives them."""
    written: str = secret.model_dump(mode="json")["sealed"]
    return sorted(file.name for file in folder.iterdir() if written.encode() in file.read_bytes())


async def test_a_destroyed_secret_leaves_the_disk_while_the_store_is_open(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    vault = SealedVault(store, b"k" * 32)
    kept: dict[str, SealedSecret] = {}
    for number in range(120):  # Enough for pages to be split and joined.
        name = f"con_{number:x}"
        record = await store.get(SealedSecret, await vault.write(name, SecretStr(f"phx_{name}_" + "x" * (number * 7))))
        assert record is not None
        kept[name] = record
        assert on_disk(tmp_path, record)

    for name in list(kept)[::3] + list(kept)[1::3] + list(kept)[2::3]:
        await vault.destroy(name)
        assert on_disk(tmp_path, kept.pop(name)) == [], name
        assert all(on_disk(tmp_path, record) for record in list(kept.values())[:3])
    await store.close()


async def test_a_destroyed_secret_that_a_killed_process_left_goes_with_the_next_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    vault = SealedVault(store, b"k" * 32)
    secret = await store.get(SealedSecret, await vault.write("con_1", PHX))
    assert secret is not None
    await store.close()
    # What a process leaves that is killed between its commit and the cutting of the log.
    killed = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    killed.execute("PRAGMA wal_autocheckpoint = 0")
    killed.execute("DELETE FROM sealed_secrets")
    assert on_disk(tmp_path, secret)

    reopened = SqliteStore(tmp_path / "store.db")
    await reopened.commit(Add(SealedSecret(id="con_2.0", name="con_2", nonce=b"n", sealed=b"s")))
    assert on_disk(tmp_path, secret) == []
    killed.close()
    await reopened.close()


async def test_database_files_are_the_owners_alone(tmp_path: Path) -> None:
    store, queue = SqliteStore(tmp_path / "store.db"), EmbeddedQueue(tmp_path / "queue.db")
    await SealedVault(store, b"k" * 32).write("con_1", PHX)
    await queue.publish(SyncRequested(connection_id="con_1", run_id="run_1"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    await store.close()
    await queue.close()
    assert {"store.db", "store.db-wal", "queue.db"} <= modes.keys()
    assert set(modes.values()) == {0o600}
