"""Judging a connection's rules when a run of it ended, or when a tick found one due.

Each rule and value is decided by itself and written in one commit; what changed nothing
is not written. One rule's error stops no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from typing import TypeVar

from functions.alerts.conditions.series import Verdict
from functions.alerts.incidents import chronicle, ending, health, looking, machine
from functions.alerts.incidents.committing import Visit, Written, announce, write
from functions.alerts.incidents.looking import Look
from functions.alerts.incidents.waking import OF_CONNECTION
from functions.alerts.records import AlertRule, Incident, RuleState
from functions.alerts.spec import BacklogSeries
from hedgerow.app import App
from hedgerow.errors import ConflictError, HedgerowError
from hedgerow.logs import log
from hedgerow.models import Connection
from hedgerow.ports import Where

R = TypeVar("R", AlertRule, RuleState)

PAGE = 200
_TRIES = 6
GONE = ("disconnecting", "disconnected")


async def evaluate_connection(app: App, connection: Connection, only: Collection[str] | None = None) -> dict[str, int]:
    """Judge a connection's rules, or `only` these; what was opened, resolved or told worse, counted.

    Every rule is tried; an error of one is raised after the others were judged.
    """
    visit = Visit(app, connection, app.now())
    kept = await _all(app, AlertRule, connection.id)
    states = await _all(app, RuleState, connection.id)
    rules = [rule for rule in health.with_health(connection, kept) if only is None or rule.id in only]
    if only is not None:
        states = [state for state in states if state.rule_id in only]
    failures: list[BaseException] = []
    for rule in rules:
        mine = [state for state in states if state.rule_id == rule.id]
        failures += await _kept_apart(_judge(visit, rule, mine))
    known = {rule.id for rule in rules}
    for state in states:
        if state.rule_id not in known:
            failures += await _kept_apart(ending.end(visit, state, None, "The rule was removed.", tell=_tells(visit)))
    await announce(app, visit.planned, visit.now)
    if failures:
        raise failures[0]
    return visit.counts


async def judge_rule(app: App, connection: Connection, rule: AlertRule) -> dict[str, int]:
    """Judge one rule of a connection now, as saving it does."""
    return await evaluate_connection(app, connection, {rule.id})


async def _kept_apart(work: Awaitable[None]) -> list[BaseException]:
    """What the work raised. In a task of its own, so that not even a bug in one rule keeps the others waiting."""
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    if isinstance(outcome, BaseException):
        log().warning("alerts.rule_failed", error=type(outcome).__name__, detail=str(outcome)[:300])
        return [outcome]
    return []


async def _judge(visit: Visit, rule: AlertRule, states: list[RuleState]) -> None:
    connection = visit.connection
    if connection.state in GONE:
        for state in states:
            await ending.end(visit, state, rule, f"{connection.name} was disconnected.", tell=False)
        return
    if not rule.enabled:
        for state in states:
            await ending.end(visit, state, rule, f"`{rule.name}` was switched off.", tell=True)
        return
    by_value = {state.value: state for state in states}
    looks = await _looks(visit, rule, by_value)
    for look in looks:
        await _settle(visit, rule, look, by_value.get(look.value))
    for value in by_value.keys() - {look.value for look in looks}:
        await ending.leave(visit, by_value[value], rule, _gone(value))


async def _looks(visit: Visit, rule: AlertRule, states: Mapping[str | None, RuleState]) -> list[Look]:
    """A look at each value there is; the same verdict for all where nothing can be judged."""
    connection = visit.connection
    values: Collection[str | None] = states or (None,)
    kept = [value for value, state in states.items() if state.phase != "quiet"]
    if connection.state != "connected" and _needs_a_sync(rule):
        waiting = Verdict("waiting", f"{OF_CONNECTION}{connection.state}", f"{connection.name} is {connection.state}.")
        return [looking.steady(value, waiting) for value in values]
    try:
        return await looking.look(visit.app, connection, rule, visit.now, kept)
    except HedgerowError as error:
        if error.transient:
            raise
        errored = Verdict("errored", error.code, f"{error.detail} {error.hint}".strip())
        return [looking.steady(value, errored) for value in values]


def _needs_a_sync(rule: AlertRule) -> bool:
    """Does it say nothing while nothing is synced? Health speaks then, and capture goes on."""
    return not _is_of_health(rule) and not isinstance(rule.series, BacklogSeries)


def _gone(value: str | None) -> str:
    return (
        f"`{value}` is not among the values judged any more."
        if value is not None
        else "It is judged value by value now."
    )


async def _settle(visit: Visit, rule: AlertRule, look: Look, state: RuleState | None) -> None:
    """Carry one value's verdicts through the machine; when somebody else wrote, read and decide again."""
    for _ in range(_TRIES):
        try:
            return await _carry(visit, rule, look, state)
        except ConflictError:
            state = await visit.app.store.get(RuleState, machine.state_id(rule.id, look.value))
            current = await visit.app.store.get(Connection, visit.connection.id)
            if current is None or current.state in GONE:
                return None
            visit.connection = current
    raise ConflictError(f"The state of rule {rule.id} changed too often while it was judged.")


async def _carry(visit: Visit, rule: AlertRule, look: Look, state: RuleState | None) -> None:
    app, now = visit.app, visit.now
    stored = state
    state = state or machine.fresh(rule, look.value)
    # Both before seeding: what is seeded has been judged already.
    verdicts, seeds = await look.judged(state)
    for seed in seeds:
        state = machine.remembering(state, rule, seed)
    incident = await app.store.get(Incident, state.incident_id) if state.incident_id else None
    before = incident
    if state.phase == "open" and (incident is None or incident.state != "open"):
        state = machine.closed(state, now)
        incident = before = None
    for verdict in verdicts:
        step = machine.after(state, rule, verdict, now, incident)
        state = step.state
        if step.effect == "open":
            incident = chronicle.opened(step, rule, visit.connection, verdict, now)
        elif incident is not None:
            incident = chronicle.after(incident, step, rule, verdict, now)
        if step.effect is not None:
            written = await _write(visit, rule, state, incident, step.effect)
            state, stored, before = written.state, written.state, written.incident
            incident = before if state.phase == "open" else None
    if incident != before or _is_news(stored, state, visit):
        if stored is None and _is_of_health(rule) and state.phase == "quiet":
            return  # Most connections are well: no record says so.
        await write(visit, rule, state, incident if incident != before else None)


async def _write(
    visit: Visit, rule: AlertRule, state: RuleState, incident: Incident | None, effect: machine.Effect
) -> Written:
    if effect == "open":
        written = await write(visit, rule, state, incident, tell="opened", happened="incident.opened")
    elif effect == "resolve":
        written = await write(visit, rule, state, incident, tell="resolved", happened="incident.resolved")
    else:
        written = await write(visit, rule, state, incident, tell="worse")
    visit.counted({"open": "opened", "worse": "worse", "resolve": "resolved"}[effect])
    return written


def _is_news(stored: RuleState | None, state: RuleState, visit: Visit) -> bool:
    """Is there something to write? A later time to look again is none, while the earlier one has not come."""
    if stored is None:
        return True
    if state.model_copy(update={"due_at": stored.due_at}) != stored:
        return True
    if stored.due_at is None or stored.due_at <= visit.now:
        return state.due_at != stored.due_at
    return state.due_at is not None and state.due_at < stored.due_at


def _is_of_health(rule: AlertRule) -> bool:
    return rule.template == health.TEMPLATE


def _tells(visit: Visit) -> bool:
    return visit.connection.state not in GONE


async def _all(app: App, kind: type[R], connection_id: str) -> list[R]:
    found: list[R] = []
    cursor: str | None = None
    while True:
        page = await app.store.find(kind, Where("connection_id", "==", connection_id), limit=PAGE, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
