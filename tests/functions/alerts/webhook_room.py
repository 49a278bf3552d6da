"""Webhooks and activities for the tests of both."""

from __future__ import annotations

from datetime import timedelta

from pydantic import SecretStr

from functions.alerts.records import Webhook
from functions.alerts.webhooks import webhooks
from functions.alerts.webhooks.webhooks import WebhookWanted
from hedgerow import activity
from hedgerow.activity import Activity, ActivityKind
from hedgerow.models import Tenant
from tests.functions.alerts.notifying_room import NotifyingRoom


async def webhook(
    room: NotifyingRoom, tenant_id: str = "", kinds: tuple[ActivityKind, ...] = ()
) -> tuple[Webhook, str]:
    wanted = WebhookWanted(url=SecretStr(room.receiver.url), kinds=kinds)
    made, secret = await webhooks.create(room.app, tenant_id or room.tenant.id, wanted)
    return made, secret.get_secret_value()


async def happen(
    room: NotifyingRoom, name: str, kind: ActivityKind = "run.succeeded", tenant: Tenant | None = None
) -> Activity:
    whose = (tenant or room.tenant).id
    entry = activity.entry(kind, whose, room.connection.id, room.now(), {"run": name}, name)
    room.stage.clock.forward(timedelta(milliseconds=10))
    return await room.stage.add(entry)


def runs(room: NotifyingRoom) -> list[str]:
    return [str(body["data"]["run"]) for body in room.receiver.bodies]
