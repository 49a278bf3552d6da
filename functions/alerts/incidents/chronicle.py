"""What an incident's record says, step by step. Pure: each function gives the record as it should be written."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from functions.alerts.conditions.series import Verdict
from functions.alerts.incidents import waking
from functions.alerts.incidents.machine import Transition, excess
from functions.alerts.records import AlertRule, Incident, Step, StepKind
from hedgerow.models import Connection

LONGEST = 200
"""Lines of a timeline; its end, and room for it, are always kept."""

_ALWAYS: frozenset[StepKind] = frozenset({"resolved", "corrected"})


def opened(
    transition: Transition, rule: AlertRule, connection: Connection, verdict: Verdict, now: datetime
) -> Incident:
    """The incident that a transition opens."""
    state = transition.state
    born = Incident(
        id=cast("str", state.incident_id),
        tenant_id=rule.tenant_id,
        connection_id=connection.id,
        rule_id=rule.id,
        rule_name=rule.name,
        connection_name=connection.name,
        value=state.value,
        severity=rule.severity,
        since=state.firing_since or now,
        opened_at=now,
        sentence=transition.sentence,
        bucket=verdict.bucket,
        observed=verdict.observed,
        low=verdict.low,
        high=verdict.high,
        peak=verdict.observed,
        sureness=verdict.sureness,
        on_incomplete=verdict.is_incomplete,
    )
    return stepped(born, "opened", transition.sentence, now)


def after(incident: Incident, transition: Transition, rule: AlertRule, verdict: Verdict, now: datetime) -> Incident:
    """The open incident after a transition; the very same one when it has nothing new to say."""
    if transition.is_edited:
        incident = stepped(incident, "edited", f"`{rule.name}` was edited; it is judged by the new settings.", now)
    if transition.effect == "resolve":
        return resolved(incident, transition.sentence, now, is_corrected=transition.is_corrected)
    if verdict.state == "firing" and _is_newer(incident, rule, verdict):
        incident = _at_its_newest(incident, rule, verdict)
    if transition.effect == "worse":
        awake = {"snoozed_until": None} if _slept_out(incident, now) else {}
        incident = stepped(incident.model_copy(update=awake), "worse", transition.sentence, now)
    return incident


def resolved(incident: Incident, sentence: str, now: datetime, *, is_corrected: bool = False) -> Incident:
    """The incident, over. `is_corrected`: it would not have opened on the data that is there now."""
    if is_corrected:
        note = "It was opened on incomplete data." if incident.on_incomplete else "It was opened on data that changed."
        incident = stepped(incident, "corrected", note, now)
    over = incident.model_copy(
        update={"state": "resolved", "resolved_at": now, "snoozed_until": None, "was_corrected": is_corrected}
    )
    return stepped(over, "resolved", sentence, now)


def stepped(incident: Incident, kind: StepKind, sentence: str, now: datetime, by: str = "") -> Incident:
    """With one more line in its timeline. A full one keeps its beginning and takes only how it ended."""
    room = LONGEST if kind in _ALWAYS else LONGEST - 10
    if len(incident.timeline) >= room:
        return incident
    step = Step(at=now, kind=kind, sentence=sentence, by=by)
    return incident.model_copy(update={"timeline": (*incident.timeline, step)})


def _is_newer(incident: Incident, rule: AlertRule, verdict: Verdict) -> bool:
    is_going_on = waking.is_so_far(rule.series) and verdict.bucket == incident.bucket
    if verdict.bucket is None or is_going_on:
        return verdict.observed != incident.observed
    return incident.bucket is None or verdict.bucket > incident.bucket


def _at_its_newest(incident: Incident, rule: AlertRule, verdict: Verdict) -> Incident:
    is_peak = excess(verdict.observed, verdict.low, verdict.high) > excess(incident.peak, verdict.low, verdict.high)
    # What a day was at noon says nothing beside what is usual at six.
    is_peak = is_peak or waking.is_so_far(rule.series)
    return incident.model_copy(
        update={
            "sentence": verdict.sentence,
            "bucket": verdict.bucket,
            "observed": verdict.observed,
            "low": verdict.low,
            "high": verdict.high,
            "sureness": verdict.sureness,
            "peak": verdict.observed if is_peak or incident.peak is None else incident.peak,
        }
    )


def _slept_out(incident: Incident, now: datetime) -> bool:
    return incident.snoozed_until is not None and incident.snoozed_until <= now
