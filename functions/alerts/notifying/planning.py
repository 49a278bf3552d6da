"""Which channels are told of an incident's step, and when: records to commit with the step itself.

Decides nothing about the message: grouping, budget and words come when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from functions.alerts.notifying.quiet import quiet_until
from functions.alerts.records import AlertRule, Channel, Incident, Notification, NotificationKind
from hedgerow import traces
from hedgerow.app import App
from hedgerow.models import Tenant
from hedgerow.ports import Add, Change
from hedgerow.records import derived_id

OPERATOR = "operator"
"""The channel id of HEDGEROW_OPERATOR_WEBHOOK, which has no record."""

HEALTH = "health"
_BEGINS: frozenset[NotificationKind] = frozenset({"opened"})
_LOUD: frozenset[NotificationKind] = frozenset({"opened", "worse"})


async def plan(
    app: App, rule: AlertRule, incident: Incident, step_number: int, kind: NotificationKind, now: datetime
) -> list[Change]:
    """The notifications of this step that are not there yet, one a channel.

    An opening goes to the rule's channels; every later step goes where the opening went
    (`incident.channels`, which the caller fills with `channels_of` this answer). While rule
    or incident is snoozed nothing begins and nothing gets louder; what mends a message that
    stands is still told. Below critical, quiet hours put it off.
    """
    if kind in _LOUD and _is_snoozed(rule, incident, now):
        return []
    if kind in _BEGINS:
        channel_ids = await channels_for(app, rule)
    else:
        channel_ids = incident.channels
    quiet = quiet_until(rule.policy.quiet_hours, now) if incident.severity != "critical" else None
    planned = [
        Notification(
            id=notification_id(incident.id, step_number, channel_id),
            tenant_id=incident.tenant_id,
            connection_id=incident.connection_id,
            channel_id=channel_id,
            subject_id=incident.id,
            rule_id=rule.id,
            step=step_number,
            kind=kind,
            severity=incident.severity,
            created_at=now,
            due_at=quiet or now,
            traceparent=traces.traceparent(),
        )
        for channel_id in channel_ids
    ]
    known = await app.store.get_many(Notification, [one.id for one in planned])
    return [Add(one) for one, there in zip(planned, known, strict=True) if there is None]


def channels_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """The channels a plan tells: what belongs in `Incident.channels` when it opens."""
    return tuple(
        change.record.channel_id
        for change in changes
        if isinstance(change, Add) and isinstance(change.record, Notification)
    )


def notifications_of(changes: Iterable[Change]) -> tuple[Notification, ...]:
    """The notifications a plan adds, to be announced once they are committed."""
    return tuple(
        change.record for change in changes if isinstance(change, Add) and isinstance(change.record, Notification)
    )


def notification_id(incident_id: str, step_number: int, channel_id: str) -> str:
    """The id of one step's notification to one channel, whoever plans it."""
    return derived_id("ntf", incident_id, str(step_number), channel_id)


async def channels_for(app: App, rule: AlertRule) -> tuple[str, ...]:
    """Where an incident of this rule is told: its channels that work, else the tenant's default one.

    When none of them works they are planned all the same: the incident's timeline then
    says that nobody was told, and why.
    """
    own = await _known(app, rule.tenant_id, rule.channels)
    chosen = [one for one in own if one.disabled_at is None]
    if not chosen:
        tenant = await app.store.get(Tenant, rule.tenant_id)
        default = tenant.default_channel_id if tenant is not None else None
        chosen = await _known(app, rule.tenant_id, (default,) if default else ()) or own
    ids = [one.id for one in chosen]
    if rule.template == HEALTH and app.settings.operator_webhook is not None:
        ids.append(OPERATOR)
    return tuple(dict.fromkeys(ids))


async def _known(app: App, tenant_id: str, channel_ids: Sequence[str]) -> list[Channel]:
    found = await app.store.get_many(Channel, list(dict.fromkeys(channel_ids))) if channel_ids else []
    return [one for one in found if one is not None and one.tenant_id == tenant_id]


def _is_snoozed(rule: AlertRule, incident: Incident, now: datetime) -> bool:
    return any(until is not None and now < until for until in (rule.snoozed_until, incident.snoozed_until))
