"""A channel or webhook that refuses for good is switched off, and the tenant's other channels are told once."""

from __future__ import annotations

from datetime import datetime

from functions.alerts.channels.places import trouble_of
from functions.alerts.notifying.planning import OPERATOR
from functions.alerts.records import ALL, Channel, Notification, Webhook
from hedgerow.app import App
from hedgerow.errors import HedgerowError
from hedgerow.models import Tenant
from hedgerow.ports import Add, Change, Swap
from hedgerow.records import derived_id

GONE = frozenset({"channel_gone", "secret_gone", "address_refused"})


async def close(app: App, record: Channel | Webhook | None, error: HedgerowError, now: datetime) -> list[Change]:
    """The changes that switch it off; none when it is off, or was given another address meanwhile."""
    current = await app.store.get(type(record), record.id) if record is not None else None
    if record is None or current is None or current.disabled_at is not None or current.secret_ref != record.secret_ref:
        return []
    changes: list[Change] = [Swap(current.model_copy(update={"disabled_at": now, "trouble": trouble_of(error)}))]
    for channel_id in await _others(app, record):
        told = Notification(
            id=derived_id("ntf", "told", record.id, now.isoformat(), channel_id),
            tenant_id=record.tenant_id,
            channel_id=channel_id,
            subject_id=record.id,
            kind="told",
            created_at=now,
            due_at=now,
        )
        changes.append(Add(told))
    return changes


async def default_of(app: App, tenant_id: str, *, but: str) -> Channel | None:
    """The tenant's default channel where it works and is another one."""
    tenant = await app.store.get(Tenant, tenant_id) if tenant_id != ALL else None
    id = tenant.default_channel_id if tenant is not None else None
    if id is None or id == but:
        return None
    channel = await app.store.get(Channel, id)
    return channel if channel is not None and channel.disabled_at is None else None


async def _others(app: App, record: Channel | Webhook) -> list[str]:
    default = await default_of(app, record.tenant_id, but=record.id)
    others = [default.id] if default is not None else []
    if app.settings.operator_webhook is not None:
        others.append(OPERATOR)
    return others
