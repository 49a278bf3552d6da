"""Ending incidents for reasons that are no verdict: the rule is off or gone, the connection or a value leaves."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import chronicle, machine, retiring
from functions.alerts.incidents.committing import Visit, kept, write
from functions.alerts.records import AlertRule, Incident, RuleState
from functions.alerts.spec import SyncSeries
from hedgerow.errors import ConflictError
from hedgerow.ports import Delete

FORGOTTEN = timedelta(days=35)
"""After which nothing is remembered of a value of a breakdown that is gone."""

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


async def leave(visit: Visit, state: RuleState, rule: AlertRule, sentence: str) -> None:
    """End what is open of a value that is judged no more; of one that has long been gone the state goes too."""
    if not _is_forgotten(state, visit.now):
        await end(visit, state, rule, sentence, tell=True)
        return
    with suppress(ConflictError):  # Somebody has judged it meanwhile, and it stays.
        await visit.app.store.commit(Delete(RuleState, state.id, state.version))


def _is_forgotten(state: RuleState, now: datetime) -> bool:
    """Its incidents' ids are counted from the state: while one is kept, the state is."""
    if state.phase != "quiet" or (state.snoozed_until is not None and state.snoozed_until > now):
        return False
    kept = FORGOTTEN + timedelta(days=retiring.INCIDENT_DAYS if state.opened else 0)
    times = (state.resolved_at, state.last.at if state.last is not None else None)
    return all(time is None or time < now - kept for time in times)


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
