"""The sealed vault by itself: its key is made once and never replaced, and without it nothing opens."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.sealed import SealedVault, load_or_create_key
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import HedgerowError, SecretGoneError
from hedgerow.ports import Add, Swap
from hedgerow.sealed_secrets import SealedSecret
from tests.contract.kept_secrets import OTHER, PHX, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hedgerow.ports import Store


async def test_a_sealed_vault_works_on_any_store(store: Store) -> None:
    vault = SealedVault(store, b"k" * 32)
    old = [await vault.write("con_1", PHX) for _ in range(120)]
    kept = await vault.write("con_1", OTHER)

    await vault.destroy("con_1", keep=kept)

    assert await store.count(SealedSecret) == 1
    assert await read(vault, kept) == OTHER.get_secret_value()
    with pytest.raises(SecretGoneError):
        await vault.read(old[0])


@pytest.fixture
async def sealed_store() -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(":memory:")
    yield opened
    await opened.close()


async def test_the_wrong_key_opens_nothing_and_says_so(sealed_store: SqliteStore) -> None:
    reference = await SealedVault(sealed_store, b"k" * 32).write("con_1", PHX)

    with pytest.raises(HedgerowError) as raised:
        await SealedVault(sealed_store, b"K" * 32).read(reference)

    assert raised.value.code == "wrong_vault_key"
    assert not isinstance(raised.value, SecretGoneError)


async def test_without_its_key_a_sealed_vault_only_destroys(sealed_store: SqliteStore) -> None:
    reference = await SealedVault(sealed_store, b"k" * 32).write("con_1", PHX)
    keyless = SealedVault(sealed_store, None)

    for call in (keyless.read(reference), keyless.write("con_2", PHX)):
        with pytest.raises(HedgerowError) as raised:
            await call
        assert raised.value.code == "no_sealing_key"
    await keyless.destroy("con_1")

    assert await sealed_store.count(SealedSecret) == 0


async def test_a_sealed_secret_under_another_name_opens_nothing(sealed_store: SqliteStore) -> None:
    vault = SealedVault(sealed_store, b"k" * 32)
    mine = await sealed_store.get(SealedSecret, await vault.write("con_mine", PHX))
    theirs = await sealed_store.get(SealedSecret, await vault.write("con_theirs", OTHER))
    assert mine is not None
    assert theirs is not None
    await sealed_store.commit(
        Swap(mine.model_copy(update={"nonce": theirs.nonce, "sealed": theirs.sealed})),
        Add(theirs.model_copy(update={"id": "con_mine.0000000000000000", "name": "con_mine"})),
    )

    for reference in (mine.id, "con_mine.0000000000000000"):
        with pytest.raises(HedgerowError, match="does not open"):
            await vault.read(reference)


async def test_the_store_never_sees_the_secret(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await SealedVault(store, b"k" * 32).write("con_1", PHX)
    await store.close()

    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"con_1" in kept
    assert b"phx_" not in kept
    assert b"cGh4X" not in kept  # "phx_" in base64


def test_a_new_key_file_is_the_owners_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"

    first = load_or_create_key(path)

    assert len(first) == 32
    assert load_or_create_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["sealing.key"]
    assert load_or_create_key(tmp_path / "another.key") != first


async def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"

    keys = await asyncio.gather(*(asyncio.to_thread(load_or_create_key, path) for _ in range(16)))

    assert len(set(keys)) == 1


@pytest.mark.parametrize("text", ["", "not a key", "ab" * 31, "ab" * 33])
def test_a_broken_key_file_is_never_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sealing.key"
    path.write_text(text)

    with pytest.raises(HedgerowError) as raised:
        load_or_create_key(path)

    assert raised.value.code == "broken_vault_key"
    assert path.read_text() == text


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SealedVault(SqliteStore(":memory:"), b"short")


@pytest.mark.parametrize("what", ["a folder in its place", "no folder to be in"])
def test_a_key_file_that_can_be_neither_read_nor_made_is_said_in_a_line(tmp_path: Path, what: str) -> None:
    path = tmp_path if what == "a folder in its place" else tmp_path / "none" / "sealing.key"

    with pytest.raises(HedgerowError, match="cannot be read or made") as raised:
        load_or_create_key(path)

    assert raised.value.code == "broken_vault_key"
