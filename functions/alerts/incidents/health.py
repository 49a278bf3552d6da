"""The rule every connection has from the start: told when it needs attention, or has not synced for three intervals.

Until somebody edits it or switches it off there is no record of it; its id is derived,
so that the record is the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import Series, Verdict
from functions.alerts.records import AlertRule
from functions.alerts.spec import Policy, SyncSeries
from hedgerow.models import Connection
from hedgerow.records import derived_id

TEMPLATE = "health"
NAME = "Connection health"
INTERVALS = 3.0


def health_rule(connection: Connection) -> AlertRule:
    """The rule as it is born."""
    return AlertRule(
        id=rule_id(connection.id),
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        name=NAME,
        series=SyncSeries(),
        condition=Threshold(above=INTERVALS),
        policy=Policy(cooldown_minutes=30),
        severity="warning",
        template=TEMPLATE,
        created_at=connection.created_at,
        updated_at=connection.created_at,
    )


def rule_id(connection_id: str) -> str:
    """The id of a connection's health rule, kept or not."""
    return derived_id("rule", TEMPLATE, connection_id)


def with_health(connection: Connection, kept: Iterable[AlertRule]) -> list[AlertRule]:
    """A connection's rules with the one from the start, first and as it was kept where it was."""
    rules = list(kept)
    own = next((rule for rule in rules if rule.id == rule_id(connection.id)), None) or health_rule(connection)
    return [own, *(rule for rule in rules if rule.id != own.id)]


def judge_sync(connection: Connection, condition: Threshold, series: Series, every: timedelta | None) -> Verdict:
    """How the sync does, in words that say what to do. `every`: the interval; None when synced by hand."""
    observed, bucket = series.values[-1], series.begins[-1]
    most = INTERVALS if condition.above is None else condition.above
    if connection.state == "needs_attention":
        trouble = connection.trouble
        what = f"{trouble.detail} {trouble.hint}".strip() if trouble is not None else "It does not sync."
        return Verdict("firing", "needs_attention", f"{connection.name} needs attention. {what}", bucket, observed)
    if observed < most:
        return Verdict("not_firing", "well", _well(connection, every), bucket, observed, high=most, recovered=True)
    late = f"{connection.name} has not synced for {_span((every or timedelta()) * observed)}"
    due = f"; a sync is due every {_span(every)}." if every is not None else "."
    why = f" Last trouble: {connection.trouble.detail}" if connection.trouble is not None else ""
    return Verdict("firing", "sync_stale", f"{late}{due}{why}", bucket, observed, high=most)


def _well(connection: Connection, every: timedelta | None) -> str:
    if connection.state == "paused":
        return f"{connection.name} was paused; nothing is expected of it."
    return f"{connection.name} syncs again." if every is not None else f"{connection.name} needs no attention any more."


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes // 1440} days"
