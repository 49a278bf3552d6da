"""The webhooks API, and the activity they are told of as a list: a tenant's own, or with the admin key everybody's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from functions.alerts.channels.channel_routes import Current, ReaderOrAdmin, WriterOrAdmin, whose
from functions.alerts.channels.trying import Tried
from functions.alerts.records import Webhook
from functions.alerts.webhooks import journal, webhooks
from functions.alerts.webhooks.webhooks import ReplayWanted, WebhookChange, WebhookWanted
from hedgerow.activity import Activity, ActivityKind, Scalar
from hedgerow.app import App
from hedgerow.models import Trouble

router = APIRouter()


class WebhookView(BaseModel):
    """A webhook. Of its address only the host is ever shown."""

    id: str
    tenant_id: str = Field(description="`all`: the operator's own, told of every tenant.")
    kinds: tuple[ActivityKind, ...] = Field(description="Empty: every kind.")
    shown: str
    enabled: bool
    disabled_at: datetime | None
    trouble: Trouble | None = Field(description="Why it was switched off, or what went wrong last.")
    pending: int = Field(description="Entries that wait to be delivered.")
    dead: int = Field(description="Entries given up in the last 30 days; POST …/replay sends them again.")
    rotated_at: datetime | None
    created_at: datetime


class WebhookKept(WebhookView):
    """A webhook just made or rotated. `secret` is shown this once."""

    secret: str


class WebhookPage(BaseModel):
    """Webhooks, newest first; they fit one page."""

    items: list[WebhookView]
    next_cursor: None = None


class ActivityView(BaseModel):
    """One thing that happened."""

    id: str
    type: ActivityKind
    at: datetime
    tenant_id: str
    connection_id: str | None
    data: dict[str, Scalar | list[str]]


class ActivityPage(BaseModel):
    """Entries, oldest first. Ask again with `next_cursor`, also when `has_more` is false: later entries are behind it."""

    items: list[ActivityView]
    next_cursor: str
    has_more: bool


class Replayed(BaseModel):
    """How many entries were queued; `next_cursor` to call again with, null when that was all."""

    queued: int
    next_cursor: str | None


@router.post("/v1/webhooks", status_code=201)
async def create_webhook(wanted: WebhookWanted, caller: WriterOrAdmin, app: Current) -> WebhookKept:
    """Be told of what happens from now on, signed by Standard Webhooks."""
    webhook, secret = await webhooks.create(app, whose(caller), wanted)
    return WebhookKept(**(await _view(app, webhook)).model_dump(), secret=secret.get_secret_value())


@router.get("/v1/webhooks")
async def list_webhooks(caller: ReaderOrAdmin, app: Current) -> WebhookPage:
    """The tenant's webhooks, or the operator's."""
    return WebhookPage(items=[await _view(app, one) for one in await webhooks.listed(app, whose(caller))])


@router.get("/v1/webhooks/{webhook_id}")
async def get_webhook(webhook_id: str, caller: ReaderOrAdmin, app: Current) -> WebhookView:
    """One webhook."""
    return await _view(app, await webhooks.webhook_of(app, whose(caller), webhook_id))


@router.patch("/v1/webhooks/{webhook_id}")
async def change_webhook(webhook_id: str, wanted: WebhookChange, caller: WriterOrAdmin, app: Current) -> WebhookView:
    """Another address or other kinds; on or off."""
    webhook = await webhooks.webhook_of(app, whose(caller), webhook_id)
    return await _view(app, await webhooks.change(app, webhook, wanted))


@router.delete("/v1/webhooks/{webhook_id}", status_code=204)
async def remove_webhook(webhook_id: str, caller: WriterOrAdmin, app: Current) -> Response:
    """Remove it and its secret."""
    await webhooks.remove(app, await webhooks.webhook_of(app, whose(caller), webhook_id))
    return Response(status_code=204)


@router.post("/v1/webhooks/{webhook_id}/rotate")
async def rotate_webhook(webhook_id: str, caller: WriterOrAdmin, app: Current) -> WebhookKept:
    """A new signing secret; for a day every message carries both signatures."""
    webhook = await webhooks.webhook_of(app, whose(caller), webhook_id)
    webhook, secret = await webhooks.rotate(app, webhook)
    return WebhookKept(**(await _view(app, webhook)).model_dump(), secret=secret.get_secret_value())


@router.post("/v1/webhooks/{webhook_id}/test")
async def test_webhook(webhook_id: str, caller: WriterOrAdmin, app: Current) -> Tried:
    """Send a test now; what the endpoint said, within 15 s."""
    return await webhooks.attempt(app, await webhooks.webhook_of(app, whose(caller), webhook_id))


@router.post("/v1/webhooks/{webhook_id}/replay", status_code=202)
async def replay_webhook(webhook_id: str, wanted: ReplayWanted, caller: WriterOrAdmin, app: Current) -> Replayed:
    """Send past entries again, under their ids, from an instant or a cursor of /v1/activity."""
    webhook = await webhooks.webhook_of(app, whose(caller), webhook_id)
    queued, cursor = await webhooks.replay(app, webhook, wanted)
    return Replayed(queued=queued, next_cursor=cursor)


@router.get("/v1/activity")
async def list_activity(
    caller: ReaderOrAdmin,
    app: Current,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    kind: Annotated[list[ActivityKind] | None, Query(description="Repeat it for more kinds.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ActivityPage:
    """What happened in the last 90 days, oldest first. An entry appears ten seconds after it happened, in its final order."""
    found = await journal.stretch(app, whose(caller), journal.place_of(cursor), limit, kind or ())
    return ActivityPage(
        items=[_entry(one) for one in found.items], next_cursor=found.end.text(), has_more=found.has_more
    )


async def _view(app: App, webhook: Webhook) -> WebhookView:
    pending, dead = await webhooks.waiting(app, webhook)
    shown = set(WebhookView.model_fields) & set(Webhook.model_fields)
    return WebhookView(
        enabled=webhook.disabled_at is None,
        pending=pending,
        dead=dead,
        **{name: getattr(webhook, name) for name in shown},
    )


def _entry(activity: Activity) -> ActivityView:
    return ActivityView(
        id=activity.id,
        type=activity.kind,
        at=activity.at,
        tenant_id=activity.tenant_id,
        connection_id=activity.connection_id,
        data=activity.fields,
    )
