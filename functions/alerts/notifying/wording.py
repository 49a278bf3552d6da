"""An incident, or several, as a notice: what happened with numbers, since when, how sure, and the links. Reads nothing it is not given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.alerts.notifying.saying import at_words, span_words, who
from functions.alerts.records import Incident, Notification, Step
from functions.alerts.severity import Severity
from hedgerow.channels.notice import Link, Mood, Notice
from hedgerow.models import Connection

Fact = tuple[str, str]
MOST_LISTED = 10
MOST_ACTED_ON = 3
_QUIETER = ("acknowledged", "snoozed")
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
        beside=_beside(lead, incident, zone),
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
    acted = next((one for one in opened if one.id == lead.subject_id and lead.kind in _QUIETER), None)
    if not opened:
        title = f"All {len(incidents)} incidents that began together on {where} are over."
    elif len(opened) < len(incidents):
        title = f"{len(opened)} of the {len(incidents)} incidents that began together on {where} are still open."
    zone = connection.timezone if connection is not None else "UTC"
    if acted is not None:
        # Where a message cannot be edited this is a new one: it must not read like another alarm.
        title = f"{_name(acted)}: {lead.kind} {_beside(lead, acted, zone)}. {title}"
    listed = sorted(group, key=lambda one: (one.incident.state != "open", -_LOUDNESS[one.incident.severity]))
    facts = [(_name(one.incident), _line(one.incident, zone, now)) for one in listed[:MOST_LISTED]]
    if len(listed) > MOST_LISTED:
        facts.append(("And", f"{len(listed) - MOST_LISTED} more"))
    loudest = max((one.severity for one in incidents), key=_LOUDNESS.__getitem__)
    return Notice(
        key=lead.id,
        mood=_group_mood(lead, opened),
        severity=loudest,
        title=title,
        at=now,
        facts=tuple(facts),
        links=_group_links(listed[:MOST_LISTED], connection),
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


def _mood(lead: Notification, incident: Incident) -> Mood:
    return "resolved" if incident.state == "resolved" else _MOODS.get(lead.kind, "firing")


def _happening(lead: Notification, incident: Incident) -> str:
    return "resolved" if incident.state == "resolved" else lead.kind


def _group_mood(lead: Notification, opened: Sequence[Incident]) -> Mood:
    if not opened:
        return "resolved"
    is_quieter = lead.kind in _QUIETER and len(opened) == 1
    return _MOODS[lead.kind] if is_quieter else "firing"


def _beside(lead: Notification, incident: Incident, zone: str) -> str:
    """Who looks after it, or until when it is quiet; the sentence stays what is wrong."""
    if incident.state != "open":
        return ""
    if lead.kind == "acknowledged":
        return f"by {who(incident.acknowledged_by)}"
    if lead.kind == "snoozed" and incident.snoozed_until is not None:
        return f"until {at_words(incident.snoozed_until, zone)}"
    return ""


def _title(lead: Notification, incident: Incident, step: Step | None, zone: str, *, was_told: bool) -> str:
    if incident.state != "resolved":
        if lead.kind in _QUIETER:
            return incident.sentence
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
    if round(incident.sureness * 100) < 100:
        facts.append(("Sureness", f"{round(incident.sureness * 100)} %"))
    facts.append(("Project", incident.connection_name))
    facts.append(("Rule", incident.rule_name))
    if incident.acknowledged_at is not None:
        at = at_words(incident.acknowledged_at, zone)
        facts.append(("Acknowledged", f"{at}, by {who(incident.acknowledged_by)}"))
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
        ("Incident", at.incident),
        ("Rule", at.rule),
        ("PostHog", _posthog(connection)),
        ("Useful", at.useful),
        ("Not useful", at.useless),
    ]
    return tuple(Link(label, url) for label, url in pairs if url)


def _group_links(listed: Sequence[Told], connection: Connection | None) -> tuple[Link, ...]:
    """Every incident that is listed; acknowledging and snoozing are one incident's, for the first few that are open."""
    opened = [told for told in listed if told.incident.state == "open" and told.incident.acknowledged_at is None]
    pairs: list[tuple[str, str]] = []
    for told in opened[:MOST_ACTED_ON]:
        pairs.append((f"Acknowledge {_name(told.incident)}", told.addresses.acknowledge))
        pairs.append((f"Snooze {_name(told.incident)}", told.addresses.snooze))
    pairs += [(f"Incident {_name(told.incident)}", told.addresses.incident) for told in listed]
    pairs.append(("PostHog", _posthog(connection)))
    return tuple(Link(label[:75], url) for label, url in pairs if url)


def _posthog(connection: Connection | None) -> str:
    if connection is None or connection.project_id is None:
        return ""
    return f"{connection.host}/project/{connection.project_id}"


def _name(incident: Incident) -> str:
    return incident.rule_name if incident.value is None else f"{incident.rule_name}: {incident.value}"


def _line(incident: Incident, zone: str, now: datetime) -> str:
    if incident.state != "open":
        return f"Over. {incident.sentence}"
    said = [incident.sentence]
    if incident.acknowledged_at is not None:
        said.append(f"Acknowledged by {who(incident.acknowledged_by)}.")
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        said.append(f"Snoozed until {at_words(incident.snoozed_until, zone)}.")
    return " ".join(said)
