"""An incident, or several, as a notice: what happened with numbers, since when, how sure, and the links. Reads nothing it is not given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from functions.alerts.records import Incident, Notification, Step
from functions.alerts.spec import Severity
from hedgerow.channels.notice import Link, Mood, Notice
from hedgerow.models import Connection

Fact = tuple[str, str]
MOST_LISTED = 10
_LOUDNESS: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
_MOODS: dict[str, Mood] = {"worse": "worse", "acknowledged": "acknowledged", "snoozed": "snoozed"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """The signed addresses of one incident; "" where there are none."""

    acknowledge: str = ""
    snooze: str = ""
    useful: str = ""
    useless: str = ""
    incident: str = ""
    chart: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An incident as it is to be told, with its addresses."""

    incident: Incident
    addresses: Addresses


def incident_notice(
    lead: Notification, told: Told, connection: Connection | None, *, was_told: bool, now: datetime
) -> Notice:
    """One incident's message. `was_told`: its opening stands in the channel already."""
    incident = told.incident
    step = incident.timeline[lead.step] if lead.step < len(incident.timeline) else None
    zone = connection.timezone if connection is not None else "UTC"
    return Notice(
        key=lead.id,
        mood=_mood(lead, incident),
        severity=incident.severity,
        title=_title(lead, incident, step, zone, was_told=was_told),
        at=now,
        facts=_facts(incident, zone, now),
        links=_links(told, connection),
        chart_url=told.addresses.chart or None,
        kind=f"incident.{_happening(lead, incident)}",
        body=body(incident),
    )


def group_notice(lead: Notification, group: Sequence[Told], connection: Connection | None, *, now: datetime) -> Notice:
    """The message several incidents of a connection share, as they all stand now."""
    incidents = [told.incident for told in group]
    opened = [one for one in incidents if one.state == "open"]
    where = incidents[0].connection_name
    title = f"{len(incidents)} alert rules fired together on {where}."
    if not opened:
        title = f"All {len(incidents)} incidents that began together on {where} are over."
    elif len(opened) < len(incidents):
        title = f"{len(opened)} of the {len(incidents)} incidents that began together on {where} are still open."
    listed = sorted(incidents, key=lambda one: (one.state != "open", -_LOUDNESS[one.severity]))
    facts = [(_name(one), _line(one)) for one in listed[:MOST_LISTED]]
    if len(listed) > MOST_LISTED:
        facts.append(("And", f"{len(listed) - MOST_LISTED} more"))
    loudest = max((one.severity for one in incidents), key=_LOUDNESS.__getitem__)
    return Notice(
        key=lead.id,
        mood="firing" if opened else "resolved",
        severity=loudest,
        title=title,
        at=now,
        facts=tuple(facts),
        links=_group_links(group, connection),
        kind=f"incident.{'opened' if opened else 'resolved'}",
        body={"incidents": [body(one) for one in incidents]},
    )


def body(incident: Incident) -> dict[str, object]:
    """An incident as a webhook's body carries it."""
    return incident.model_dump(
        mode="json",
        include={
            "id", "tenant_id", "connection_id", "connection_name", "rule_id", "rule_name", "value", "state",
            "severity", "since", "opened_at", "resolved_at", "acknowledged_at", "sentence", "observed", "low",
            "high", "peak", "sureness",
        },
    )  # fmt: skip


def span_words(begin: datetime, end: datetime) -> str:
    """How long, as people say it: 40 min, 2 h 10 min, 3 days."""
    minutes = max(0, int((end - begin).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} days"


def at_words(at: datetime, zone: str) -> str:
    """An instant in a zone: Fri 20 Nov, 15:30 (Europe/Berlin)."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M} ({zone})"


def _mood(lead: Notification, incident: Incident) -> Mood:
    return "resolved" if incident.state == "resolved" else _MOODS.get(lead.kind, "firing")


def _happening(lead: Notification, incident: Incident) -> str:
    return "resolved" if incident.state == "resolved" else lead.kind


def _title(lead: Notification, incident: Incident, step: Step | None, zone: str, *, was_told: bool) -> str:
    if incident.state != "resolved":
        return step.sentence if step is not None and step.kind == lead.kind and step.sentence else incident.sentence
    end = next((one.sentence for one in reversed(incident.timeline) if one.kind == "resolved"), "")
    over = end or f"{incident.rule_name} is back to what is usual."
    if was_told:
        return over
    # The opening could not be sent in time: one message says both.
    return f"Since {at_words(incident.since, zone)}, and over by now: {incident.sentence} {over}"


def _facts(incident: Incident, zone: str, now: datetime) -> tuple[Fact, ...]:
    end = incident.resolved_at or now
    facts = [("Since", f"{at_words(incident.since, zone)}, {span_words(incident.since, end)}")]
    if incident.value is not None:
        facts.append(("Value", incident.value))
    facts.append(("Sureness", f"{round(incident.sureness * 100)} %"))
    facts.append(("Project", incident.connection_name))
    facts.append(("Rule", incident.rule_name))
    if incident.acknowledged_at is not None:
        who = f" by {incident.acknowledged_by}" if incident.acknowledged_by else ""
        facts.append(("Acknowledged", f"{at_words(incident.acknowledged_at, zone)}{who}"))
    if incident.state == "open" and incident.snoozed_until is not None and incident.snoozed_until > now:
        facts.append(("Snoozed until", at_words(incident.snoozed_until, zone)))
    if incident.was_corrected:
        facts.append(("Corrected", "Late data moved the number: it was opened by data that was not complete."))
    elif incident.on_incomplete and incident.state == "open":
        facts.append(("Note", "The newest data is not complete yet; late data may still move the number."))
    return tuple(facts)


def _links(told: Told, connection: Connection | None) -> tuple[Link, ...]:
    at, is_open = told.addresses, told.incident.state == "open"
    pairs = [
        ("Acknowledge", at.acknowledge if is_open and told.incident.acknowledged_at is None else ""),
        ("Snooze", at.snooze if is_open else ""),
        ("Useful", at.useful),
        ("Not useful", at.useless),
        ("Incident", at.incident),
        ("Rule", at.rule),
        ("PostHog", _posthog(connection)),
    ]
    return tuple(Link(label, url) for label, url in pairs if url)


def _group_links(group: Sequence[Told], connection: Connection | None) -> tuple[Link, ...]:
    """Acknowledging is one incident's: a button each for the first few that are open."""
    opened = [told for told in group if told.incident.state == "open" and told.incident.acknowledged_at is None]
    pairs = [(f"Acknowledge {_name(told.incident)}", told.addresses.acknowledge) for told in opened[:3]]
    pairs += [(_name(told.incident), told.addresses.incident) for told in group[:3]]
    pairs.append(("PostHog", _posthog(connection)))
    return tuple(Link(label[:75], url) for label, url in pairs if url)


def _posthog(connection: Connection | None) -> str:
    if connection is None or connection.project_id is None:
        return ""
    return f"{connection.host}/project/{connection.project_id}"


def _name(incident: Incident) -> str:
    return incident.rule_name if incident.value is None else f"{incident.rule_name}: {incident.value}"


def _line(incident: Incident) -> str:
    return incident.sentence if incident.state == "open" else f"Over. {incident.sentence}"
