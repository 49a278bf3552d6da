"""Are people told? Notifications that wait or were given up, channels and webhooks that do not work."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.alerts.channels import places
from functions.alerts.notifying.closing import GONE
from functions.alerts.records import Channel, Notification, Webhook
from hedgerow.channels import recognising
from hedgerow.cli.operations.doctor.case import LONG_DUE, LOOKED_AT, NAMED
from hedgerow.cli.operations.doctor.findings import counted, fine, found, some
from hedgerow.errors import InvalidError
from hedgerow.ports import Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding

RECENT = timedelta(days=1)


async def check(case: Case) -> list[Finding]:
    """One finding for each channel or webhook, one for what waits, one for what was given up, one for nobody told."""
    findings = [*await _waiting(case), *await _failed(case), *_operators(case)]
    channels = await case.app.store.find(Channel, limit=LOOKED_AT)
    webhooks = await case.app.store.find(Webhook, limit=LOOKED_AT)
    findings += [_channel(each) for each in channels.items if each.disabled_at or each.trouble]
    findings += [_webhook(each) for each in webhooks.items if each.disabled_at or each.trouble]
    untold = _untold(case, channels.items)
    findings += untold if case.is_cloud else []
    if not findings and untold:
        return [fine("telling people", "no channel and no operator's webhook: nobody would be told")]
    looked = f"{counted(len(channels.items), 'channel')} and {counted(len(webhooks.items), 'webhook')}"
    return findings or [
        fine("telling people", f"no notification lies; {looked} without trouble, as far as the last message tells")
    ]


def _untold(case: Case, channels: Sequence[Channel]) -> list[Finding]:
    findings: list[Finding] = []
    tells = case.tells or frozenset()
    is_told = case.settings.operator_webhook is not None or "operator_webhook" in tells
    if not is_told and all(each.disabled_at for each in channels):
        what = (
            "No channel is on, and no operator's webhook is known here: nobody would hear of a connection in trouble."
        )
        command = "Set operator_webhook in secret_settings, then terraform apply; or hedgerow channels add for a tenant"
        findings.append(found("operator.untold", "HEDGEROW_OPERATOR_WEBHOOK", what, command=command))
    if case.tells is not None and "alerts" not in tells:
        what = "The cloud's own alerts reach nobody."
        command = "Set alert_emails or alert_channels, then terraform apply"
        findings.append(found("operator.untold", "alert_emails", what, command=command))
    return findings


def _operators(case: Case) -> list[Finding]:
    url = case.settings.operator_webhook
    if url is None:
        return []
    settings = places.at_address(recognising.kind_of(url.get_secret_value()), url)
    try:
        recognising.check(settings, case.settings.allowed_private_hosts)
    except InvalidError as error:
        what = f"No message to the operator can be sent. {error.detail}"
        return [found("operator.webhook", "HEDGEROW_OPERATOR_WEBHOOK", what, command=error.hint)]
    return []


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
    # The oldest first: what came through later says that the channel works again.
    came = {each.channel_id: each.created_at for each in page.items if each.state == "sent"}
    dead = [
        each
        for each in page.items
        if each.state == "dead" and not (each.channel_id in came and came[each.channel_id] > each.created_at)
    ]
    if not dead:
        return []
    first = dead[0]
    why = f": {first.trouble.detail}" if first.trouble else "."
    whose = some(sorted({each.tenant_id for each in dead}))
    what = f"{counted(len(dead), 'notification')} of the last day given up, of {whose}{why}"
    command = f"hedgerow channels test {first.channel_id}"
    return [
        found(
            "notification.failed",
            first.channel_id,
            what,
            since=first.created_at,
            command=command,
            tenant=_tenant(first.tenant_id),
        )
    ]


def _channel(channel: Channel) -> Finding:
    what = f"{channel.name} of {channel.tenant_id} ({channel.kind}, {channel.shown}): " + (
        channel.trouble.detail if channel.trouble else "off."
    )
    command = f"hedgerow channels {'enable' if channel.disabled_at else 'test'} {channel.id}"
    if channel.trouble and channel.trouble.code in GONE:
        # Switched on as it is, it would be off again at its next message.
        command = f"hedgerow channels change {channel.id} --address: a new one, which switches it on again"
    tenant = _tenant(channel.tenant_id)
    return found("channel.broken", channel.id, what, since=channel.disabled_at, command=command, tenant=tenant)


def _webhook(webhook: Webhook) -> Finding:
    what = f"{webhook.shown} of {webhook.tenant_id}: " + (webhook.trouble.detail if webhook.trouble else "off.")
    command = f"hedgerow webhooks test {webhook.id}"
    tenant = _tenant(webhook.tenant_id)
    return found("webhook.off", webhook.id, what, since=webhook.disabled_at, command=command, tenant=tenant)


def _tenant(id: str) -> str:
    """Empty for what is the operator's own, which the admin key reaches."""
    return id if id.startswith("ten_") else ""
