"""Are people told? Notifications that wait or were given up, channels and webhooks that do not work."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.alerts.records import Channel, Notification, Webhook
from hedgerow.cli.operations.doctor.case import LONG_DUE, LOOKED_AT, NAMED
from hedgerow.cli.operations.doctor.findings import counted, fine, found
from hedgerow.ports import Where

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

RECENT = timedelta(days=1)


async def check(case: Case) -> list[Finding]:
    """One finding for each channel or webhook, one for what waits, one for what was given up."""
    findings = [*await _waiting(case), *await _failed(case)]
    channels = await case.app.store.find(Channel, limit=LOOKED_AT)
    webhooks = await case.app.store.find(Webhook, limit=LOOKED_AT)
    findings += [_channel(each) for each in channels.items if each.disabled_at or each.trouble]
    findings += [_webhook(each) for each in webhooks.items if each.disabled_at or each.trouble]
    looked = f"{counted(len(channels.items), 'channel')} and {counted(len(webhooks.items), 'webhook')}"
    return findings or [
        fine("telling people", f"no notification lies; {looked} without trouble, as far as the last message tells")
    ]


async def _waiting(case: Case) -> list[Finding]:
    old = Where("due_at", "<=", case.now - LONG_DUE)
    page = await case.app.store.find(Notification, old, limit=NAMED)
    if not page.items:
        return []
    what = f"{counted(len(page.items), 'notification', more=page.next_cursor is not None)} due and not sent."
    command = "hedgerow schedules list: is alerts_tick called?"
    return [found("notification.stuck", page.items[0].id, what, since=page.items[0].due_at, command=command)]


async def _failed(case: Case) -> list[Finding]:
    recent = Where("created_at", ">=", case.now - RECENT)
    page = await case.app.store.find(Notification, recent, limit=LOOKED_AT)
    dead = [each for each in page.items if each.state == "dead"]
    if not dead:
        return []
    first = dead[0]
    why = f": {first.trouble.detail}" if first.trouble else "."
    what = f"{counted(len(dead), 'notification')} of the last day given up{why}"
    command = f"hedgerow channels test {first.channel_id}"
    return [found("notification.failed", first.channel_id, what, since=first.created_at, command=command)]


def _channel(channel: Channel) -> Finding:
    what = f"{channel.name} ({channel.kind}, {channel.shown}): " + (
        channel.trouble.detail if channel.trouble else "off."
    )
    verb = "enable" if channel.disabled_at else "test"
    command = f"hedgerow channels {verb} {channel.id}"
    return found("channel.broken", channel.id, what, since=channel.disabled_at, command=command)


def _webhook(webhook: Webhook) -> Finding:
    what = f"{webhook.shown}: " + (webhook.trouble.detail if webhook.trouble else "off.")
    command = f"hedgerow webhooks test {webhook.id}"
    return found("webhook.off", webhook.id, what, since=webhook.disabled_at, command=command)
