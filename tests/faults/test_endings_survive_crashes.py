"""The process dies before or after every port call of a disconnect, a purge or a tenant's deletion.

Afterwards a tick and the queue bring it to the same end: nothing left that should be
gone, nothing gone that should be left, receipts that count everything once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from functions.disconnect import ending
from hedgerow import closing, disconnection
from hedgerow.app import App
from hedgerow.disconnection import receipt_id
from hedgerow.keys import Caller
from hedgerow.models import Connection, PurgeReceipt, Tenant, TokenClaim
from hedgerow.posthog.keys import claim_id
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.left import left_of, lived_in
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from hedgerow.ports import Store

Flow = Callable[[App, Stage, Connection], Awaitable[object]]
SHARES = 4
"""The places to die at, dealt out, so that two processes may try them."""


async def disconnect(app: App, stage: Stage, connection: Connection) -> None:
    await ending.disconnect(app, Caller("write", connection.tenant_id), connection.id, purge=False, refuse_traffic=True)


async def purge(app: App, stage: Stage, connection: Connection) -> None:
    await ending.disconnect(app, Caller("write", connection.tenant_id), connection.id, purge=True, refuse_traffic=False)
    await stage.carry_out(app)


async def delete_tenant(app: App, stage: Stage, connection: Connection) -> None:
    await ending.delete_tenant(app, connection.tenant_id, 20)
    await stage.carry_out(app)


async def recover(stage: Stage) -> None:
    """Two ticks, as they come after a restart."""
    for _ in range(2):
        stage.clock.forward(timedelta(minutes=5))
        await disconnection.sweep(stage.app)
        await closing.sweep(stage.app)
        await stage.carry_out()


async def remains(stage: Stage, connection: Connection, token: str) -> dict[str, object]:
    """What a user can see of it in the end."""
    after = await stage.store.get(Connection, connection.id)
    receipts = [await stage.store.get(PurgeReceipt, receipt_id(id)) for id in (connection.id, connection.tenant_id)]
    return {
        "left": await left_of(stage, connection.id),
        "state": after and (after.state, after.secret_ref, after.due_at),
        "receipts": [
            receipt and (receipt.removed, set(receipt.remaining.values()), receipt.complete) for receipt in receipts
        ],
        "tenant": await stage.store.get(Tenant, connection.tenant_id) is not None,
        "token": await stage.store.get(TokenClaim, claim_id(token)) is not None,
    }


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("flow", [disconnect, purge, delete_tenant])
async def test_an_ending_that_dies_anywhere_ends_the_same(flow: Flow, share: int, store: Store) -> None:
    whole = Fuse()
    expected = await one(flow, store, whole, "phc_whole")
    assert len(whole.calls) > 5
    # Between two port calls nothing is written, so after one is before the next; only the last has an after.
    fuses = [fuse for fuse in every_fuse(len(whole.calls)) if not fuse.after or fuse.at == len(whole.calls)]
    for number, fuse in list(enumerate(fuses))[share::SHARES]:
        assert await one(flow, store, fuse, f"phc_{number}") == expected, (whole.calls[(fuse.at or 1) - 1], fuse.after)
        assert fuse.blown


async def one(flow: Flow, store: Store, fuse: Fuse, token: str) -> dict[str, object]:
    """Run the flow on a fresh tenant until the fuse blows, then recover, and look."""
    async with staged(store=store) as stage:
        tenant = await stage.tenant()
        await stage.key(tenant)
        connection = await lived_in(stage, tenant, runs=1, token=token)
        try:
            await flow(armed(stage.app, fuse), stage, connection)
        except Crash:
            # A request that died before its first write never happened, as far as anybody can tell; people ask again.
            await recover(stage)
            await flow(stage.app, stage, connection) if not await began(stage, connection) else None
        await recover(stage)
        return await remains(stage, connection, token)


async def began(stage: Stage, connection: Connection) -> bool:
    tenant = await stage.store.get(Tenant, connection.tenant_id)
    after = await stage.store.get(Connection, connection.id)
    return after is None or after.state != "connected" or tenant is None or tenant.closing_since is not None
