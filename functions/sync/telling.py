"""What a run's end and its findings are told as, in the activity of the tenant. Pure.

A scheduled run that found nothing new is not told: every connection has one every few
minutes, and telling it would cost a write more than the sync itself. Told are runs that
stored something, that somebody asked for, that failed, or that ended a series of failures;
of a refresh in parts the whole, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hedgerow.activity import Activity, Scalar, entry
from hedgerow.models import ChangeSet, Connection, SyncRun, Trouble

Fields = dict[str, Scalar | list[str]]

# A webhook's body stays readable; the changes themselves are at GET …/changes.
MOST_LISTED = 100


def run_ended(run: SyncRun, at: datetime, *, after_trouble: bool) -> list[Activity]:
    """The entry of a run that is over, if it is one to tell; `after_trouble`: its connection had failed before."""
    if run.state == "failed":
        fields = _of_run(run) | _of_trouble(run.error)
        return [entry("run.failed", run.tenant_id, run.connection_id, at, fields, run.id)]
    if run.state != "succeeded" or not (run.points or run.kind in ("first", "refresh") or after_trouble):
        return []
    return [entry("run.succeeded", run.tenant_id, run.connection_id, at, _of_run(run), run.id)]


def needs_attention(before: Connection, after: Connection, run: SyncRun, at: datetime) -> list[Activity]:
    """The entry of a connection that a run found to need a person."""
    if after.state != "needs_attention" or before.state == "needs_attention":
        return []
    fields: Fields = {"name": after.name, "run_id": run.id, **_of_trouble(after.trouble)}
    return [entry("connection.needs_attention", after.tenant_id, after.id, at, fields, run.id)]


def metrics_changed(run: SyncRun, sets: Sequence[ChangeSet], at: datetime) -> list[Activity]:
    """One entry of all that a run changed in complete days."""
    if not sets:
        return []
    changes = [change for each in sets for change in each.changes]
    metrics = list(dict.fromkeys(change.metric for change in changes))
    days = sorted({str(change.day) for change in changes})
    fields: Fields = {
        "run_id": run.id,
        "reason": sets[0].reason,
        "changes": len(changes),
        "metrics": metrics[:MOST_LISTED],
        "days": days[-MOST_LISTED:],
        "complete": max(len(metrics), len(days)) <= MOST_LISTED,
    }
    told = (each.id for each in sets)
    return [entry("metrics.changed", run.tenant_id, run.connection_id, at, fields, run.id, *told)]


def _of_run(run: SyncRun) -> Fields:
    return {
        "run_id": run.id,
        "kind": run.kind,
        "from": str(run.from_day),
        "to": str(run.to_day),
        "rows": run.rows,
        "points": run.points,
        "days_changed": [str(day) for day in run.days_changed[-MOST_LISTED:]],
    }


def _of_trouble(trouble: Trouble | None) -> Fields:
    return {} if trouble is None else {"code": trouble.code, "detail": trouble.detail, "hint": trouble.hint}
