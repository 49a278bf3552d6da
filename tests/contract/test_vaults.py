"""What every vault owes: the newest and the older version by reference, nothing after destruction, no secret in words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from hedgerow.errors import SecretGoneError
from tests.contract.kept_secrets import OTHER, PHX, read

if TYPE_CHECKING:
    from hedgerow.ports import Vault


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
