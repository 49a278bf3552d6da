"""Two tenants with a record of every class there is, for whoever moves data: what an export must hold, and must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from functions.alerts.pages.signing_key import signing_key
from functions.alerts.records import Channel, Notification, Webhook
from functions.capture.redelivery.drain_lease import DrainLease
from hedgerow.cli.operations.collections import every_record
from hedgerow.dead_letters import DeadMessage
from hedgerow.drafts import SecretDraft
from hedgerow.models import ProjectSlot, PurgeReceipt, RetentionWalk
from hedgerow.ports import Store
from hedgerow.records import Record, new_id
from hedgerow.schedules import KeptSchedule
from tests.left import lived_in

if TYPE_CHECKING:
    from hedgerow.models import Connection, Tenant
    from tests.stage import Stage


async def furnished(stage: Stage) -> tuple[Tenant, Tenant]:
    """The two tenants. Every word of the second is another."""
    mine, theirs = await stage.tenant(name="Mine"), await stage.tenant(name="Theirs")
    for tenant, token in ((mine, "phc_mine"), (theirs, "phc_theirs")):
        connection = await lived_in(stage, tenant, token=token)
        await _beside(stage, tenant, connection)
    now = stage.clock()
    await signing_key(stage.app)
    await stage.add(ProjectSlot(id="slot_1", closed_until=now))
    await stage.add(RetentionWalk(id="walk", cursor="c"))
    await stage.add(DrainLease(id="redelivery", holder="h", until=now))
    await stage.add(KeptSchedule(id="hedgerow-watch"))
    await stage.add(DeadMessage(id=new_id("dead"), topic="sync-requested", body="{", reason="not JSON", at=now))
    await stage.add(Webhook(id=new_id("whk"), tenant_id="all", secret_ref="x.1", shown="ops.test", created_at=now))
    return mine, theirs


async def _beside(stage: Stage, tenant: Tenant, connection: Connection) -> None:
    """What a tenant has beside its connections."""
    now, whose = stage.clock(), {"tenant_id": tenant.id, "created_at": stage.clock()}
    await stage.key(tenant)
    channel, webhook = new_id("chn"), new_id("whk")
    for id in (channel, webhook):
        reference = await stage.app.vault.write(id, SecretStr("https://hooks.test/secret"))
        if id == channel:
            await stage.add(Channel(id=id, name="ops", kind="slack", secret_ref=reference, shown="hooks.test", **whose))
        else:
            await stage.add(Webhook(id=id, secret_ref=reference, shown="hooks.test", **whose))
    await stage.add(Notification(id=new_id("ntf"), channel_id=channel, subject_id="dig_1", kind="digest", **whose))
    await stage.add(SecretDraft(id=new_id("draft"), connection_id=connection.id, due_at=now))
    await stage.add(
        PurgeReceipt(
            id=new_id("rcp"), tenant_id=tenant.id, at=now, removed={"sync_runs": 3}, remaining={}, secret_destroyed=True
        )
    )


async def everything(store: Store) -> dict[type[Record], dict[str, Record]]:
    """Every record of a store without its version, by class and id."""
    held: dict[type[Record], dict[str, Record]] = {}
    for kind in every_record():
        cursor: str | None = None
        held[kind] = {}
        while True:
            page = await store.find(kind, limit=500, cursor=cursor)
            held[kind] |= {record.id: record.model_copy(update={"version": 0}) for record in page.items}
            cursor = page.next_cursor
            if cursor is None:
                break
    return held
