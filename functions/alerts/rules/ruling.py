"""Keeping rules: checked, written together with what the sync must measure for them, edited, removed.

Every change of a connection's rules swaps the connection too, which is what keeps names
unique and its measures complete when two people save at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.incidents import health
from functions.alerts.records import AlertRule, Channel
from functions.alerts.series import checking, measuring
from functions.alerts.spec import RuleForm
from hedgerow import days, runs, tiers
from hedgerow.app import App
from hedgerow.errors import ConflictError, InvalidError, MissingError, StateConflictError
from hedgerow.measures import Measure
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncRun
from hedgerow.ownership import no_connection
from hedgerow.ports import Add, Change, Delete, Swap, Where
from hedgerow.records import new_id

MOST_RULES = 100
BACKFILL_DAYS = 30
# What changes what is judged; the rest of a rule may be edited without its streaks beginning anew.
JUDGED = ("series", "condition")
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Saved:
    """A rule as it now stands, and the run that measures the days before for it."""

    rule: AlertRule
    connection: Connection
    run: SyncRun | None


async def rules_of(app: App, connection_id: str) -> list[AlertRule]:
    """Every rule of a connection, by name."""
    page = await app.store.find(AlertRule, Where("connection_id", "==", connection_id), limit=MOST_RULES + 10)
    return list(page.items)


async def rule_of(app: App, connection: Connection, rule_id: str) -> AlertRule:
    """One rule of this connection, the one it has from the start included."""
    rule = await app.store.get(AlertRule, rule_id)
    if rule is not None and rule.connection_id == connection.id:
        return rule
    born = health.health_rule(connection)
    if rule_id == born.id:
        return born
    raise MissingError(
        "There is no such rule.",
        code="rule_not_found",
        hint="Check the id; `hedgerow alerts`, or GET /v1/connections/{id}/rules, lists them.",
    )


async def create(app: App, connection: Connection, form: RuleForm, template: str | None = None) -> Saved:
    """A new rule; `rule_exists` when the connection has one of this name."""
    _check(form)
    now = app.now()
    rule = AlertRule(
        id=new_id("rule"),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        template=template,
        created_at=now,
        updated_at=now,
        **await _fields(app, connection.tenant_id, form),
    )
    return await _keep(app, connection, rule)


async def replace(app: App, connection: Connection, rule: AlertRule, form: RuleForm) -> Saved:
    """Another form for a rule that stands. An incident that is open stays open and is judged by the new settings."""
    _check(form)
    fields = await _fields(app, connection.tenant_id, form)
    is_judged_anew = any(fields[name] != getattr(rule, name) for name in JUDGED)
    changed = rule.model_copy(
        update={**fields, "updated_at": app.now(), "revision": rule.revision + (1 if is_judged_anew else 0)}
    )
    return await _keep(app, connection, changed)


async def remove(app: App, connection: Connection, rule: AlertRule) -> None:
    """Take a rule away, and what only it needed measured. The rule of the start is switched off instead."""
    if rule.template == health.TEMPLATE:
        await _keep(app, connection, rule.model_copy(update={"enabled": False, "updated_at": app.now()}))
        return
    for _ in range(_TRIES):
        current = await _current(app, connection)
        others = [each for each in await rules_of(app, connection.id) if each.id != rule.id]
        try:
            await app.store.commit(Delete(AlertRule, rule.id), Swap(_watching(current, others)))
        except ConflictError:
            continue
        return
    raise _too_busy()


async def snooze(app: App, connection: Connection, rule: AlertRule, minutes: int) -> AlertRule:
    """Quiet until so many minutes from now; 0 ends it."""
    until = app.now() + timedelta(minutes=minutes) if minutes else None
    return (await _keep(app, connection, rule.model_copy(update={"snoozed_until": until}))).rule


async def resolve_channels(app: App, tenant_id: str, names: Sequence[str]) -> tuple[str, ...]:
    """The ids of channels named or given by id; `channel_not_found` for one the tenant has not."""
    if not names:
        return ()
    page = await app.store.find(Channel, Where("tenant_id", "==", tenant_id), limit=200)
    known = {key: channel.id for channel in page.items for key in (channel.name, channel.id)}
    for name in names:
        if name not in known:
            raise InvalidError(
                f"There is no channel `{name[:80]}`.",
                code="channel_not_found",
                hint="Add it first: `hedgerow channels add`, or POST /v1/channels. GET /v1/channels lists yours.",
            )
    return tuple(dict.fromkeys(known[name] for name in names))


async def _keep(app: App, connection: Connection, rule: AlertRule) -> Saved:
    for _ in range(_TRIES):
        current = await _current(app, connection)
        held = await rules_of(app, connection.id)
        others = [each for each in held if each.id != rule.id]
        _room_for(rule, others)
        watching = _watching(current, [*others, rule])
        planned = _backfill(app, current, watching)
        stands = next((each for each in held if each.id == rule.id), None)
        written = rule.model_copy(update={"version": stands.version if stands else 0})
        write: Change = Swap(written) if stands else Add(written)
        try:
            done = await app.store.commit(write, Swap(watching), *(Add(run) for run in planned))
        except ConflictError:
            continue
        if planned:
            await app.queue.publish(SyncRequested(connection_id=current.id, run_id=planned[0].id))
        return Saved(done.of(written), done.of(watching), planned[0] if planned else None)
    raise _too_busy()


async def _current(app: App, connection: Connection) -> Connection:
    current = await app.store.get(Connection, connection.id)
    if current is None:
        raise no_connection()
    if current.state in ("disconnecting", "disconnected"):
        raise StateConflictError(
            f"The connection is {current.state}: nothing is synced that a rule could judge.",
            code=f"connection_{current.state}",
            hint="Connect the project again.",
        )
    return current


def _room_for(rule: AlertRule, others: Sequence[AlertRule]) -> None:
    namesake = next((each for each in others if each.name == rule.name), None)
    if namesake is not None:
        raise StateConflictError(
            f"This connection has a rule `{rule.name}` already.",
            code="rule_exists",
            hint="Give this one another `name`, or change that one: PUT /v1/connections/{id}/rules/{rule}.",
            members={"id": namesake.id},
        )
    if len(others) >= MOST_RULES:
        raise StateConflictError(
            f"This connection has {len(others)} rules; {MOST_RULES} is the most.",
            code="too_many_rules",
            hint="Remove one that nobody needs: the digest names those that nobody found useful.",
        )


def _watching(connection: Connection, rules: Sequence[AlertRule]) -> Connection:
    """The connection with what its rules need measured."""
    live = [rule for rule in rules if rule.enabled]
    measures = measuring.merge_measures([(rule.name, measuring.measures_of(rule.series)) for rule in live])
    watched = any(rule.template != health.TEMPLATE for rule in live)
    return connection.model_copy(update={"measures": measures, "is_watched": watched})


def _backfill(app: App, before: Connection, after: Connection) -> tuple[SyncRun, ...]:
    """A run over the last days where something is measured that was not, and there is history for it."""
    if not _wants_more(before.measures, after.measures) or not tiers.is_syncable(after) or not after.activity_tracking:
        return ()
    today = days.today(app.now(), after.timezone)
    first = today - timedelta(days=BACKFILL_DAYS - 1)
    oldest = tiers.oldest_kept(after.tier, tiers.load(app.settings.tiers_file), today)
    return runs.plan(after, "refresh", max(first, oldest) if oldest else first, today, app.now())


def _wants_more(before: Sequence[Measure], after: Sequence[Measure]) -> bool:
    held = {(each.id, hourly) for each in before for hourly in ((False, True) if each.hourly else (False,))}
    return any((each.id, each.hourly) not in held for each in after)


def _check(form: RuleForm) -> None:
    if isinstance(form.condition, Threshold) and form.condition.above is None and form.condition.below is None:
        raise InvalidError(
            "The threshold has no number.",
            code="no_threshold",
            hint="Give `above`, `below` or both. A back-test without any suggests one: POST /v1/alerts/backtest.",
            members={"field": "condition"},
        )
    checking.check(form.series)
    checking.check_pair(form.series, form.condition)


async def _fields(app: App, tenant_id: str, form: RuleForm) -> dict[str, object]:
    channels = await resolve_channels(app, tenant_id, form.channels)
    return {name: getattr(form, name) for name in RuleForm.model_fields} | {"channels": channels}


def _too_busy() -> ConflictError:
    return ConflictError("This connection's rules are being changed by others.")
