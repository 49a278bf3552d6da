"""One commit for what a transition begins: state, incident, notifications and activity together or not at all.

Announcing comes after, and may be lost with the process: a tick finds what is due.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from functions.alerts.notifying import planning
from functions.alerts.records import AlertRule, Incident, Notification, NotificationKind, RuleState
from hedgerow import activity, traces
from hedgerow.activity import ActivityKind
from hedgerow.app import App
from hedgerow.logs import log
from hedgerow.messages import NotificationDue
from hedgerow.models import Connection
from hedgerow.ports import Add, Change, Swap


@dataclass(slots=True)
class Visit:
    """One look at a connection's rules: the connection as last read or written, and whom to tell at its end."""

    app: App
    connection: Connection
    now: datetime
    planned: list[Notification] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def counted(self, what: str) -> None:
        """One more of these was done."""
        self.counts[what] = self.counts.get(what, 0) + 1


@dataclass(frozen=True, slots=True)
class Written:
    """The records as they now stand in the store."""

    state: RuleState
    incident: Incident | None


async def write(
    visit: Visit,
    rule: AlertRule,
    state: RuleState,
    incident: Incident | None,
    *,
    tell: NotificationKind | None = None,
    happened: ActivityKind | None = None,
) -> Written:
    """Commit these, with the notifications of the incident's newest step; `ConflictError` when another was faster.

    A state's first writing swaps the connection along: nothing is begun for one that has
    been disconnected or purged meanwhile.
    """
    told: list[Change] = []
    if incident is not None and tell is not None:
        told = await planning.plan(visit.app, rule, incident, len(incident.timeline) - 1, tell, visit.now)
        if tell == "opened":
            begins = {"channels": planning.channels_of(told), "traceparent": traces.traceparent()}
            incident = incident.model_copy(update=begins)
    changes = [kept(state), *told]
    if incident is not None:
        changes.append(kept(incident))
        if happened is not None:
            changes.append(Add(entry(incident, happened, visit.now)))
    if not state.version:
        changes.append(Swap(visit.connection))
    done = await visit.app.store.commit(*changes)
    if not state.version:
        visit.connection = done.of(visit.connection)
    visit.planned += planning.notifications_of(told)
    if incident is not None and tell is not None:
        log().info(f"incident.{tell}", incident_id=incident.id, rule_id=rule.id, connection_id=incident.connection_id)
    return Written(done.of(state), done.of(incident) if incident is not None else None)


def kept(record: RuleState | Incident | AlertRule) -> Change:
    """Add what was never written, swap what was."""
    return Swap(record) if record.version else Add(record)


def entry(incident: Incident, kind: ActivityKind, now: datetime) -> activity.Activity:
    """What the product around Hedgerow is told of an incident's beginning and end."""
    fields: dict[str, activity.Scalar | list[str]] = {
        "incident_id": incident.id,
        "rule_id": incident.rule_id,
        "rule": incident.rule_name,
        "connection": incident.connection_name,
        "value": incident.value,
        "severity": incident.severity,
        "since": incident.since.isoformat(),
        "opened_at": incident.opened_at.isoformat(),
        "sentence": incident.timeline[-1].sentence if incident.timeline else incident.sentence,
    }
    if kind == "incident.resolved":
        fields |= {"resolved_at": now.isoformat(), "was_corrected": incident.was_corrected}
    return activity.entry(kind, incident.tenant_id, incident.connection_id, now, fields, incident.id)


async def announce(app: App, planned: Iterable[Notification], now: datetime) -> None:
    """Ask for the notifications that are due to be sent; the others wait for a tick."""
    due = [one for one in planned if one.due_at is not None and one.due_at <= now]
    await app.queue.publish(*(NotificationDue(notification_id=one.id, attempt=one.attempts) for one in due))
