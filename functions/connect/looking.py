"""Reads what a connection's diagnosis needs: its newest run, and whether PostHog closed its project for a while."""

from __future__ import annotations

from functions.connect.diagnosis import Diagnosis, diagnose
from hedgerow import slots, tiers
from hedgerow.app import App
from hedgerow.models import Connection, ProjectSlot, SyncRun, Tenant, Tier, Trouble
from hedgerow.ports import Where
from hedgerow.tiers import TierRules


async def closely(app: App, connection: Connection) -> Diagnosis:
    """The diagnosis with everything that is known: three reads at most."""
    newest = await app.store.find(SyncRun, Where("connection_id", "==", connection.id), limit=1)
    slot = await app.store.get(ProjectSlot, slots.slot_id(connection)) if connection.project_id else None
    run = newest.items[0] if newest.items else None
    return diagnose(connection, run, slot.closed_until if slot else None, _rules(app), app.now())


def from_afar(app: App, connection: Connection) -> Diagnosis:
    """The diagnosis from the connection alone, for lists: no further read."""
    return diagnose(connection, None, None, _rules(app), app.now())


async def nobody_told(app: App, tenant_id: str) -> Trouble | None:
    """That a connection which fails would tell nobody; None where there is somebody to tell. One read."""
    if app.settings.operator_webhook is not None:
        return None
    tenant = await app.store.get(Tenant, tenant_id)
    if tenant is None or tenant.default_channel_id is not None:
        return None
    return Trouble(
        code="nobody_told",
        detail="Nobody is told when a connection fails: there is no default channel, and no operator's.",
        hint="hedgerow channels add NAME --default, or POST /v1/channels and PUT /v1/tenants/mine/default-channel.",
    )


def _rules(app: App) -> dict[Tier, TierRules]:
    return tiers.load(app.settings.tiers_file)
