"""Ending incidents for reasons that are no verdict: the rule is off or gone, the connection leaves."""

from __future__ import annotations

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import chronicle, machine
from functions.alerts.incidents.committing import Visit, kept, write
from functions.alerts.records import AlertRule, Incident, RuleState
from functions.alerts.spec import SyncSeries
from hedgerow.errors import ConflictError
from hedgerow.ports import Delete

_TRIES = 6


async def end(visit: Visit, state: RuleState, rule: AlertRule | None, sentence: str, *, tell: bool) -> None:
    """Resolve the state's incident if it has one open; without a rule the state goes too. Safe to repeat.

    A `ConflictError` remains only when others keep writing.
    """
    for _ in range(_TRIES):
        try:
            return await _end(visit, state, rule, sentence, tell=tell)
        except ConflictError:
            current = await visit.app.store.get(RuleState, state.id)
            if current is None:
                return None
            state = current
    raise ConflictError(f"The state of rule {state.rule_id} changed too often while its incident was ended.")


async def _end(visit: Visit, state: RuleState, rule: AlertRule | None, sentence: str, *, tell: bool) -> None:
    incident = await visit.app.store.get(Incident, state.incident_id) if state.incident_id else None
    quiet = _at_rest(machine.closed(state, visit.now) if state.phase == "open" else state)
    if incident is not None and incident.state == "open":
        over = chronicle.resolved(incident, sentence, visit.now)
        spoken = rule or remains(incident)
        written = await write(
            visit, spoken, quiet, over, tell="resolved" if tell else None, happened="incident.resolved"
        )
        quiet = written.state
        visit.counted("resolved")
    elif quiet != state:
        quiet = (await visit.app.store.commit(kept(quiet))).of(quiet)
    if rule is None:
        await visit.app.store.commit(Delete(RuleState, quiet.id, quiet.version))


def _at_rest(state: RuleState) -> RuleState:
    """Without marks: should it be judged again one day, that begins anew."""
    nothing = {"firing_since": None, "firing_before": None, "marks": (), "due_at": None}
    return state.model_copy(update={"phase": "quiet", **nothing})


def remains(incident: Incident) -> AlertRule:
    """As much of a deleted rule as it takes to tell its channels that the incident is over."""
    return AlertRule(
        id=incident.rule_id,
        tenant_id=incident.tenant_id,
        connection_id=incident.connection_id,
        name=incident.rule_name,
        series=SyncSeries(),
        condition=Threshold(above=0),
        severity=incident.severity,
        created_at=incident.opened_at,
        updated_at=incident.opened_at,
    )
