"""What every vault owes: the newest and the older version by reference, nothing after destruction, no secret in words."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from hedgerow.adapters.google import SecretManagerVault
from hedgerow.adapters.sealed import SealedVault, load_or_create_key
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import HedgerowError, SecretGoneError, TransientError
from hedgerow.ports import Add, Swap
from hedgerow.sealed_secrets import SealedSecret
from tests.contract.secret_manager_server import SecretManager, secret_manager_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hedgerow.ports import Store, Vault

PHX = SecretStr("phx_ünïcode \U0001f511 \n0123456789")
OTHER = SecretStr("phx_another")


async def read(vault: Vault, reference: str) -> str:
    return (await vault.read(reference)).get_secret_value()


async def test_a_secret_comes_back_by_its_reference(vault: Vault) -> None:
    reference = await vault.write("con_1", PHX)

    assert await read(vault, reference) == PHX.get_secret_value()
    assert "phx_" not in reference


async def test_each_write_is_a_version_of_its_own(vault: Vault) -> None:
    first = await vault.write("con_1", PHX)
    second = await vault.write("con_1", OTHER)

    assert first != second
    assert await read(vault, first) == PHX.get_secret_value()
    assert await read(vault, second) == OTHER.get_secret_value()


async def test_rotation_destroys_all_but_the_one_to_keep(vault: Vault) -> None:
    old = [await vault.write("con_1", SecretStr(f"phx_{number}")) for number in range(5)]
    new = await vault.write("con_1", OTHER)

    for _ in range(2):
        await vault.destroy("con_1", keep=new)

    assert await read(vault, new) == OTHER.get_secret_value()
    for reference in old:
        with pytest.raises(SecretGoneError):
            await vault.read(reference)


async def test_destruction_may_be_repeated_and_leaves_others_alone(vault: Vault) -> None:
    gone = [await vault.write("con_1", PHX), await vault.write("con_1", OTHER)]
    kept = await vault.write("con_10", PHX)

    for _ in range(3):
        await vault.destroy("con_1")

    for reference in gone:
        with pytest.raises(SecretGoneError) as raised:
            await vault.read(reference)
        assert "phx_" not in str(raised.value)
    assert await read(vault, kept) == PHX.get_secret_value()


async def test_only_what_was_seen_is_destroyed(vault: Vault) -> None:
    assert await vault.versions("con_1") == ()
    gone = [await vault.write("con_1", PHX), await vault.write("con_1", OTHER)]
    kept = await vault.write("con_1", OTHER)
    seen = await vault.versions("con_1")
    later = await vault.write("con_1", PHX)
    assert len(set(seen)) == 3
    assert "phx_" not in str(seen)

    for _ in range(2):
        await vault.destroy("con_1", only=seen, keep=kept)

    for reference in gone:
        with pytest.raises(SecretGoneError):
            await vault.read(reference)
    assert await read(vault, kept) == OTHER.get_secret_value()
    assert await read(vault, later) == PHX.get_secret_value()
    assert len(await vault.versions("con_1")) == 2


async def test_a_mark_never_comes_back(vault: Vault) -> None:
    await vault.write("con_1", PHX)
    seen = await vault.versions("con_1")
    await vault.destroy("con_1")
    await vault.remove("con_1")
    again = await vault.write("con_1", OTHER)

    await vault.destroy("con_1", only=seen)

    assert await read(vault, again) == OTHER.get_secret_value()


async def test_a_name_with_something_in_it_is_not_removed(vault: Vault) -> None:
    await vault.destroy("con_1", only=[])
    kept = await vault.write("con_1", PHX)

    await vault.remove("con_1")

    assert await read(vault, kept) == PHX.get_secret_value()


async def test_removal_may_be_repeated_leaves_others_alone_and_gives_the_name_back(vault: Vault) -> None:
    gone = [await vault.write("con_1", PHX), await vault.write("con_1", OTHER)]
    kept = await vault.write("con_1-hash", PHX)
    await vault.destroy("con_1")

    for _ in range(3):
        await vault.remove("con_1")

    for reference in gone:
        with pytest.raises(SecretGoneError):
            await vault.read(reference)
    assert await read(vault, kept) == PHX.get_secret_value()
    assert await read(vault, await vault.write("con_1", OTHER)) == OTHER.get_secret_value()


async def test_what_was_destroyed_may_be_removed(vault: Vault) -> None:
    await vault.write("con_1", PHX)
    await vault.destroy("con_1")
    await vault.remove("con_1")
    await vault.destroy("con_1")


async def test_what_was_never_written_is_destroyed_in_silence(vault: Vault) -> None:
    await vault.remove("con_never")
    await vault.destroy("con_never")
    await vault.destroy("con_never", keep="whatever")


async def test_a_destroyed_name_may_be_written_again(vault: Vault) -> None:
    await vault.write("con_1", PHX)
    await vault.destroy("con_1")

    reference = await vault.write("con_1", OTHER)

    assert await read(vault, reference) == OTHER.get_secret_value()


@pytest.mark.parametrize("reference", ["", "con_1.0123456789abcdef", "projects/p/secrets/hedgerow-x/versions/1", "a/b"])
async def test_a_reference_to_nothing_is_gone(vault: Vault, reference: str) -> None:
    with pytest.raises(SecretGoneError):
        await vault.read(reference)


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "a b", "x" * 201])
async def test_a_name_some_vault_could_not_keep_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        await vault.write(name, PHX)


async def test_many_write_the_same_name_at_once(vault: Vault) -> None:
    references = await asyncio.gather(*(vault.write("con_1", SecretStr(f"phx_{number}")) for number in range(10)))

    assert [await read(vault, reference) for reference in references] == [f"phx_{number}" for number in range(10)]


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


async def test_a_moment_of_absence_is_waited_out(project: str) -> None:
    manager = SecretManager(unavailable=2)
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        reference = await vault.write("con_1", PHX)
        manager.unavailable = 1
        assert await read(vault, reference) == PHX.get_secret_value()
        manager.unavailable = 2
        await vault.destroy("con_1", keep=reference)
        manager.unavailable = 1
        await vault.destroy("con_1")
        manager.unavailable = 1
        await vault.remove("con_1")
        await vault.close()

    assert manager.secrets == {}
    assert manager.calls == (
        ["create"] * 3
        + ["add"]
        + ["access"] * 2
        + ["list"] * 3
        + ["list"] * 2
        + ["destroy"]
        + ["list"] * 2
        + ["delete"]
    )


async def test_destroying_needs_no_right_to_delete(project: str) -> None:
    manager = SecretManager()
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        await vault.write("con_1", PHX)
        await vault.write("con_1", OTHER)
        await vault.destroy("con_1")
        await vault.close()

    assert manager.secrets[project, "hedgerow-con_1"] == [None, None]
    assert "delete" not in manager.calls


async def test_secret_names_carry_the_prefix_and_references_a_number(project: str) -> None:
    manager = SecretManager()
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, "acme-", emulator_host=host)
        await vault.write("con_1", PHX)
        reference = await vault.write("con_1", OTHER)
        await vault.close()

    assert list(manager.secrets) == [(project, "acme-con_1")]
    assert reference.endswith("/secrets/acme-con_1/versions/2")


@pytest.mark.parametrize("place", ["projects/{project}/secrets/admin-key", "projects/of-before/secrets/hedgerow-con_1"])
async def test_a_reference_opens_nothing_that_is_not_ours(project: str, place: str) -> None:
    manager = SecretManager()
    manager.secrets[project, "admin-key"] = [b"somebody else's"]
    manager.secrets["of-before", "hedgerow-con_1"] = [b"of the project it was moved from"]
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        with pytest.raises(SecretGoneError):
            await vault.read(f"{place.format(project=project)}/versions/1")
        await vault.close()


async def test_rotation_leaves_one_version_to_pay_for(project: str) -> None:
    manager = SecretManager()
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        references = [await vault.write("con_1", SecretStr(f"phx_{number}")) for number in range(4)]
        await vault.destroy("con_1", keep=references[2])
        await vault.close()

    assert manager.secrets[project, "hedgerow-con_1"] == [None, None, b"phx_2", None]


async def test_the_reference_to_keep_may_name_the_project_by_its_id(project: str) -> None:
    manager = SecretManager()
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        await vault.write("con_1", PHX)
        await vault.write("con_1", OTHER)
        await vault.destroy("con_1", keep=f"projects/{project}/secrets/hedgerow-con_1/versions/2")
        await vault.close()

    assert manager.secrets[project, "hedgerow-con_1"] == [None, OTHER.get_secret_value().encode()]


async def test_missing_rights_are_worth_another_try(project: str) -> None:
    manager = SecretManager(forbidden=True)
    async with secret_manager_server(manager) as host:
        vault = SecretManagerVault(project, emulator_host=host)
        with pytest.raises(TransientError) as raised:
            await vault.write("con_1", PHX)
        await vault.close()

    assert raised.value.code == "no_rights"
    assert "phx_" not in str(raised.value)
