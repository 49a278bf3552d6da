"""The vault on Secret Manager by itself: which calls it makes, under which names, and what is left to pay for."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from hedgerow.adapters.google import SecretManagerVault
from hedgerow.errors import SecretGoneError, TransientError
from tests.contract.kept_secrets import OTHER, PHX, read
from tests.contract.secret_manager_server import SecretManager, secret_manager_server


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
