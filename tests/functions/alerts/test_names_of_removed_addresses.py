"""A channel, a webhook or a tenant's that are removed leave no name in Secret Manager once a tick has passed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from functions.alerts.channels import channels, keeping
from functions.alerts.channels.channels import ChannelWanted
from functions.disconnect import ending
from functions.sync import ticking
from hedgerow.adapters.google import SecretManagerVault
from hedgerow.drafts import SecretDraft
from tests.contract.secret_manager_server import SecretManager, secret_manager_server
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from functions.alerts.records import Channel
    from hedgerow.models import Tenant

ADDRESS = SecretStr("https://hooks.slack.com/services/T0/B0/verysecretpart")


@pytest.fixture
def manager() -> SecretManager:
    return SecretManager()


@pytest.fixture
async def stage(manager: SecretManager) -> AsyncIterator[Stage]:
    async with secret_manager_server(manager) as host, staged() as made:
        vault = SecretManagerVault("here", emulator_host=host)
        made.app = replace(made.app, vault=vault)
        yield made
        await vault.close()


async def channel_of(stage: Stage, tenant: Tenant, name: str) -> Channel:
    channel, _ = await channels.create(stage.app, tenant.id, ChannelWanted(name=name, url=ADDRESS))
    return channel


async def ticked(stage: Stage) -> None:
    """A tick, and what it hands on."""
    stage.clock.forward(timedelta(minutes=5))
    await ticking.tick(stage.app, "pro")
    await stage.carry_out()


def names(manager: SecretManager) -> set[str]:
    return {name.removeprefix("hedgerow-") for _, name in manager.secrets}


async def test_what_was_secret_goes_at_once_and_its_name_with_the_next_tick(
    stage: Stage, manager: SecretManager
) -> None:
    tenant = await stage.tenant()
    gone, stays = await channel_of(stage, tenant, "gone"), await channel_of(stage, tenant, "stays")
    await channels.remove(stage.app, gone)
    assert manager.secrets["here", f"hedgerow-{gone.id}"] == [None]
    assert "delete" not in manager.calls
    await ticked(stage)
    assert names(manager) == {stays.id}
    assert (await stage.app.vault.read(stays.secret_ref)).get_secret_value()
    assert (await stage.store.find(SecretDraft)).items == ()


async def test_a_removal_that_dies_anywhere_leaves_no_name_once_it_is_asked_for_again(
    stage: Stage, manager: SecretManager
) -> None:
    tenant = await stage.tenant()
    whole = Fuse()
    await keeping.remove(armed(stage.app, whole), await channel_of(stage, tenant, "whole"))
    for fuse in every_fuse(len(whole.calls)):
        channel = await channel_of(stage, tenant, f"{fuse.at}{fuse.after}")
        with suppress(Crash):
            await keeping.remove(armed(stage.app, fuse), channel)
        assert fuse.blown
        if await stage.store.get(type(channel), channel.id) is not None:
            await channels.remove(stage.app, channel)
        await ticked(stage)
        assert names(manager) == set()


async def test_a_deleted_tenants_channels_leave_no_name(stage: Stage, manager: SecretManager) -> None:
    tenant, other = await stage.tenant(), await stage.tenant()
    await channel_of(stage, tenant, "ops")
    kept = await channel_of(stage, other, "ops")
    await ending.delete_tenant(stage.app, tenant.id, 20)
    await ticked(stage)
    assert names(manager) == {kept.id}
