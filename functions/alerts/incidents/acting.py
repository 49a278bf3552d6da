"""What people do to an incident: acknowledge, snooze, rate; and ending those of a rule that goes.

Each is safe to repeat, and written with its line in the timeline and the notifications of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from functions.alerts.incidents import chronicle, ending, machine
from functions.alerts.incidents.committing import announce
from functions.alerts.notifying import planning, saying
from functions.alerts.records import AlertRule, Incident, NotificationKind, RuleState
from hedgerow import traces
from hedgerow.app import App
from hedgerow.errors import ConflictError, InvalidError, MissingError, StateConflictError
from hedgerow.logs import bound, log
from hedgerow.models import ApiKey, Connection
from hedgerow.ports import Change, Swap

LONGEST_SNOOZE = timedelta(days=30)
MOST_VALUES = 200
_TRIES = 6


async def acknowledge(app: App, incident: Incident, by: str) -> Incident:
    """Somebody looks after it. `StateConflictError` once it is resolved; the first one to say so is kept."""

    def acknowledged(current: Incident, now: datetime) -> Incident:
        if current.acknowledged_at is not None:
            return current
        _must_be_open(current, "acknowledged")
        taken = current.model_copy(update={"acknowledged_at": now, "acknowledged_by": by})
        return chronicle.stepped(taken, "acknowledged", "Somebody looks after it.", now, by)

    return await _change(app, incident, acknowledged, "acknowledged")


async def snooze(app: App, incident: Incident, until: datetime, by: str) -> Incident:
    """Quiet until then, also for a next incident of the same rule and value; told again if it is still so at the end.

    `InvalidError` for an instant that has passed or is more than 30 days away,
    `StateConflictError` once it is resolved.
    """
    now = app.now()
    connection = await app.store.get(Connection, incident.connection_id)
    zone = connection.timezone if connection is not None else "UTC"
    if not now < until <= now + LONGEST_SNOOZE:
        raise InvalidError(
            "An incident is snoozed until an instant within the next 30 days.",
            code="snooze_out_of_range",
            hint='Send `{"minutes": 60}`, or `{"until": …}` with an instant and its zone.',
            members={"field": "until"},
        )

    def snoozed(current: Incident, now: datetime) -> Incident:
        if current.snoozed_until == until:
            return current
        _must_be_open(current, "snoozed")
        quiet = current.model_copy(update={"snoozed_until": until})
        return chronicle.stepped(quiet, "snoozed", f"Snoozed until {saying.at_words(until, zone)}.", now, by)

    return await _change(app, incident, snoozed, "snoozed")


async def rate(app: App, incident: Incident, useful: bool, by: str) -> Incident:  # noqa: FBT001 - the answer to one question
    """Was it worth telling? The last answer counts, once an incident, whoever gave it."""

    def rated(current: Incident, now: datetime) -> Incident:
        if current.rated_useful == useful:
            return current
        said = current.model_copy(update={"rated_useful": useful, "rated_by": by})
        word = "Called useful." if useful else "Called noise."
        return chronicle.stepped(said, "rated", word, now, by)

    if incident.rated_useful == useful:
        return incident
    return await _change(app, incident, rated, None)


async def name_of_key(app: App, key_id: str) -> str:
    """Who acts by the API, as people know them: the key's label."""
    key = await app.store.get(ApiKey, key_id) if key_id else None
    return key.label if key is not None and key.label else saying.BY_API


async def _change(
    app: App,
    incident: Incident,
    changed: Callable[[Incident, datetime], Incident],
    tell: NotificationKind | None,
) -> Incident:
    """Swap the incident for what `changed` makes of it; with its rule's counters, its state's snooze and whom it tells.

    What people do goes on in the incident's trace, from the sync that found it to their answer.
    """
    with traces.going_on(incident.traceparent), bound(incident_id=incident.id, connection_id=incident.connection_id):
        return await _changed(app, incident, changed, tell)


async def _changed(
    app: App,
    incident: Incident,
    changed: Callable[[Incident, datetime], Incident],
    tell: NotificationKind | None,
) -> Incident:
    current: Incident | None = incident
    for _ in range(_TRIES):
        if current is None:
            raise missing()
        after = changed(current, app.now())
        if after == current:
            return current
        told = await _told(app, after, tell)
        beside = [*await _counted(app, current, after), *await _quieted(app, current, after)]
        try:
            done = await app.store.commit(Swap(after), *beside, *told)
        except ConflictError:
            current = await app.store.get(Incident, incident.id)
            continue
        log().info(f"incident.{tell or 'rated'}")
        await announce(app, planning.notifications_of(told), app.now())
        return done.of(after)
    raise ConflictError(f"Incident {incident.id} changed too often while it was {tell or 'rated'}.")


def missing() -> MissingError:
    """The one refusal of an incident that is not the caller's, or is not."""
    return MissingError(
        "There is no such incident.",
        code="incident_not_found",
        hint="Check the id; GET /v1/incidents lists yours.",
    )


def _must_be_open(incident: Incident, what: str) -> None:
    if incident.state != "open":
        raise StateConflictError(
            f"The incident is resolved, so it cannot be {what}.",
            code="incident_resolved",
            hint="Nothing is left to do; GET /v1/incidents?state=open lists the open ones.",
        )


async def _told(app: App, incident: Incident, tell: NotificationKind | None) -> list[Change]:
    if tell is None:
        return []
    rule = await app.store.get(AlertRule, incident.rule_id) or ending.remains(incident)
    return await planning.plan(app, rule, incident, len(incident.timeline) - 1, tell, app.now())


async def _counted(app: App, before: Incident, after: Incident) -> list[Change]:
    """The rule with what people now think of its incidents; nothing where that is the same, or no record is kept."""
    was, now = _verdict_of_people(before), _verdict_of_people(after)
    rule = await app.store.get(AlertRule, after.rule_id) if was != now else None
    if rule is None:
        return []
    return [
        Swap(
            rule.model_copy(
                update={
                    "useful": max(0, rule.useful + (now is True) - (was is True)),
                    "useless": max(0, rule.useless + (now is False) - (was is False)),
                }
            )
        )
    ]


def _verdict_of_people(incident: Incident) -> bool | None:
    """What was said of it; an incident somebody acknowledged was of use unless they say otherwise."""
    if incident.rated_useful is not None:
        return incident.rated_useful
    return True if incident.acknowledged_at is not None else None


async def _quieted(app: App, before: Incident, after: Incident) -> list[Change]:
    """The rule's state with the incident's snooze, due when that ends."""
    if before.snoozed_until == after.snoozed_until or after.snoozed_until is None:
        return []
    state = await app.store.get(RuleState, machine.state_id(after.rule_id, after.value))
    if state is None or state.incident_id != after.id:
        return []
    due = min(after.snoozed_until, state.due_at or after.snoozed_until)
    return [Swap(state.model_copy(update={"snoozed_until": after.snoozed_until, "due_at": due}))]
