"""Webhooks made, changed, rotated, tried, replayed and removed. `tenant_id` is `all` for the operator's own.

The secret is written before the record and destroyed after it; what a crash leaves of one
that was never made goes with its draft.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from functions.alerts.channels import keeping, places
from functions.alerts.channels.trying import Tried, try_it
from functions.alerts.records import Notification, Webhook
from functions.alerts.webhooks import journal, queueing
from functions.alerts.webhooks.journal import Place
from hedgerow.activity import ActivityKind
from hedgerow.app import App
from hedgerow.channels import recognising
from hedgerow.channels.webhook import WebhookSettings
from hedgerow.errors import ConflictError, InvalidError, MissingError, StateConflictError
from hedgerow.messages import NotificationDue
from hedgerow.ports import Add, Swap, Where
from hedgerow.records import Instant, new_id

REPLAYED_AT_ONCE = 100
MOST_REPLAYED = 1_000
_TRIES = 5


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WebhookWanted(_Form):
    """A webhook to be made. `kinds` empty: every kind."""

    url: SecretStr = Field(max_length=2_000)
    kinds: tuple[ActivityKind, ...] = Field(default=(), max_length=20)


class WebhookChange(_Form):
    """What is to change; a new address, or `enabled`, switches it on."""

    url: SecretStr | None = Field(default=None, max_length=2_000)
    kinds: tuple[ActivityKind, ...] | None = Field(default=None, max_length=20)
    enabled: bool | None = None


class ReplayWanted(_Form):
    """From an instant, or from a cursor of /v1/activity."""

    since: Instant | None = None
    cursor: str | None = Field(default=None, max_length=500)


async def webhook_of(app: App, tenant_id: str, id: str) -> Webhook:
    """The caller's own webhook; `MissingError` for anybody else's and for none."""
    webhook = await app.store.get(Webhook, id) if id.startswith("whk_") else None
    if webhook is None or webhook.tenant_id != tenant_id:
        raise MissingError("There is no such webhook.", hint="Check the id; GET /v1/webhooks lists yours.")
    return webhook


async def listed(app: App, tenant_id: str) -> tuple[Webhook, ...]:
    """The tenant's webhooks, newest first."""
    page = await app.store.find(Webhook, Where("tenant_id", "==", tenant_id), limit=queueing.MOST_WEBHOOKS)
    return page.items


async def create(app: App, tenant_id: str, wanted: WebhookWanted) -> tuple[Webhook, SecretStr]:
    """A webhook and its signing secret, to be shown once."""
    if len(await listed(app, tenant_id)) >= queueing.MOST_WEBHOOKS:
        raise StateConflictError(
            f"There are {queueing.MOST_WEBHOOKS} webhooks, the most there may be.",
            code="too_many_webhooks",
            hint="Remove one with DELETE /v1/webhooks/{id}.",
        )
    secret = keeping.new_signing_secret()
    settings = keeping.checked(app, places.at_address("webhook", wanted.url, secret))
    id = new_id("whk")

    async def make(reference: str) -> Webhook:
        return Webhook(
            id=id,
            tenant_id=tenant_id,
            kinds=tuple(dict.fromkeys(wanted.kinds)),
            secret_ref=reference,
            shown=recognising.shown(settings),
            created_at=app.now(),
        )

    return await keeping.keep_new(app, tenant_id, id, settings, make), secret


async def change(app: App, webhook: Webhook, wanted: WebhookChange) -> Webhook:
    """Another address with the same secret, other kinds, on or off."""
    given = wanted.model_fields_set
    fields: dict[str, object] = {}
    if wanted.kinds is not None:
        fields["kinds"] = tuple(dict.fromkeys(wanted.kinds))
    if "enabled" in given and wanted.enabled is False:
        fields |= {"disabled_at": webhook.disabled_at or app.now(), "trouble": keeping.SWITCHED_OFF}
    if wanted.url is not None or wanted.enabled:
        fields |= {"disabled_at": None, "trouble": None, "due_at": app.now(), "claimed_by": None}
    if wanted.url is None:
        return await keeping.swap(app, webhook, fields)
    old = (await places.opened(app, webhook)).settings
    secrets = old.secrets if isinstance(old, WebhookSettings) else ()
    settings = keeping.checked(app, places.at_address("webhook", wanted.url, *secrets))
    fields["shown"] = recognising.shown(settings)
    return await keeping.rekey(app, webhook, settings, fields)


async def rotate(app: App, webhook: Webhook) -> tuple[Webhook, SecretStr]:
    """A new signing secret; for a day the old one signs too."""
    return await keeping.rotate(app, webhook)


async def remove(app: App, webhook: Webhook) -> None:
    """Remove it with its secret; what waits in its queue is told nobody."""
    await keeping.remove(app, webhook)


async def attempt(app: App, webhook: Webhook) -> Tried:
    """Send a test now, whatever its state; what came of it."""
    return await try_it(app, webhook)


async def waiting(app: App, webhook: Webhook) -> tuple[int, int]:
    """How many entries are pending, and how many are dead."""
    whose = Where("channel_id", "==", webhook.id)
    pending = await app.store.count(Notification, whose, Where("state", "==", "pending"))
    return pending, await app.store.count(Notification, whose, Where("state", "==", "dead"))


async def replay(app: App, webhook: Webhook, wanted: ReplayWanted) -> tuple[int, str | None]:
    """Queue past entries again, under their ids; how many, and the cursor to call again with where that was not all."""
    if (wanted.since is None) == (wanted.cursor is None):
        raise InvalidError("Give either `since` or `cursor`.", members={"field": "since"})
    if webhook.disabled_at is not None:
        hint = 'Switch it on first: PATCH it with {"enabled": true}.'
        raise StateConflictError("The webhook is off.", code="webhook_disabled", hint=hint)
    behind = journal.place_of(wanted.cursor) if wanted.since is None else Place(wanted.since)
    # In their order, behind what waits; by their own instants retention would take them.
    mark, now, queued = new_id("again"), app.now(), 0
    while queued < MOST_REPLAYED:
        found = await journal.stretch(app, webhook.tenant_id, behind, REPLAYED_AT_ONCE, webhook.kinds)
        entries = [
            queueing.entry_of(webhook, one, now + timedelta(microseconds=place), mark)
            for place, one in enumerate(found.items, start=queued)
        ]
        if entries:
            await _queued(app, webhook.id, entries)
        queued, behind = queued + len(entries), found.end
        if not found.has_more:
            return queued, None
    return queued, behind.text()


async def _queued(app: App, webhook_id: str, entries: list[Notification]) -> None:
    for _ in range(_TRIES):
        current = await app.store.get(Webhook, webhook_id)
        if current is None:
            raise MissingError("The webhook was removed meanwhile.")
        woken = queueing.awake(app, current, entries)
        try:
            await app.store.commit(Swap(woken), *(Add(entry) for entry in entries))
        except ConflictError:
            continue
        await app.queue.publish(NotificationDue(notification_id=woken.id, attempt=woken.queued))
        return
    raise StateConflictError("The webhook is busy.", code="busy", hint="Send the call again.")
