"""Why a connection has no data, or why it is old, and the next command. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from hedgerow import tiers
from hedgerow.models import Connection, SyncRun, Tier
from hedgerow.posthog.keys import WHERE_PERSONAL
from hedgerow.tiers import TierRules

OwnCode = Literal[
    "fine",
    "disconnecting",
    "disconnected",
    "paused",
    "needs_attention",
    "capture_only",
    "activity_tracking_off",
    "rate_limited",
    "first_sync_pending",
    "first_sync_running",
    "sync_running",
    "retrying",
    "last_run_failed",
    "never_synced",
    "no_events",
    "by_hand",
    "overdue",
    "too_many_hours",
]
TOO_MANY_HOURS: Final = "too_many_hours"
FRESH = timedelta(hours=1)
# Two missed ticks and a slow run are no outage.
LATE = timedelta(minutes=20)
# After these a new key is needed; after any other the old one may work again.
NEW_KEY = frozenset({"key_refused", "secret_gone", "personal_keys_forbidden"})


class Diagnosis(BaseModel):
    """What is the matter, in one code and two sentences, and what to type next."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="One of the codes in docs/connecting.md.")
    detail: str
    hint: str
    command: str = Field(description="The next command, empty where nothing is to be done.")


def diagnose(
    connection: Connection,
    run: SyncRun | None,
    closed_until: datetime | None,
    rules: dict[Tier, TierRules],
    now: datetime,
) -> Diagnosis:
    """The first thing that explains the state of the metrics; `fine` when nothing needs explaining."""
    return (
        _of_state(connection)
        or _of_trouble(connection, run)
        or _of_run(connection, run, closed_until, now)
        or _of_age(connection, run, rules, now)
        or _of_hours(connection)
        or _fine(connection)
    )


def _of_state(connection: Connection) -> Diagnosis | None:
    since = _at(connection.state_since)
    match connection.state:
        case "disconnecting" | "disconnected":
            return _said(
                connection.state,
                f"Disconnected since {since}: nothing is fetched. What was stored stays readable as long as the tier keeps it.",
                "Connect the same project again: it comes back under this id, with its history.",
                f"hedgerow connect --host {connection.host}",
            )
        case "needs_attention":
            return _attention(connection, since)
        case "paused":
            return _said(
                "paused",
                f"Paused since {since}: nothing is fetched.",
                "Resume it.",
                f"hedgerow connections resume {connection.id}",
            )
        case "connected":
            pass
    if connection.secret_ref is None:
        return _said(
            "capture_only",
            "Only a project token was given: there are no metrics to show.",
            f"A personal API key adds metrics, queries and flags: make one in {WHERE_PERSONAL}.",
            f"hedgerow connections rotate {connection.id}",
        )
    if not connection.activity_tracking:
        return _said(
            "activity_tracking_off",
            "Activity tracking is off for this tenant: no syncs, no queries.",
            "The operator turns it on with PATCH /v1/tenants/{id}.",
            f"hedgerow tenants update {connection.tenant_id} --activity-tracking on",
        )
    return None


def _attention(connection: Connection, since: str) -> Diagnosis:
    trouble = connection.trouble
    if trouble is None:
        return _said(
            "needs_attention",
            f"Stopped since {since}.",
            "Test it again.",
            f"hedgerow connections resume {connection.id}",
        )
    verb = "rotate" if trouble.code in NEW_KEY else "resume"
    return _said(
        trouble.code,
        f"Stopped since {since}, and not tried again: {trouble.detail}",
        trouble.hint,
        f"hedgerow connections {verb} {connection.id}",
    )


def _of_trouble(connection: Connection, run: SyncRun | None) -> Diagnosis | None:
    """From afar the newest run is not read; what it failed of stands on the connection."""
    trouble = connection.trouble
    if run is not None or trouble is None or trouble.code == TOO_MANY_HOURS:
        return None
    detail = f"The last sync did not succeed: {trouble.detail}"
    return _said("last_run_failed", detail, trouble.hint, f"hedgerow connections show {connection.id}")


def _of_run(
    connection: Connection, run: SyncRun | None, closed_until: datetime | None, now: datetime
) -> Diagnosis | None:
    look = f"hedgerow runs {connection.id}"
    unfinished = run is not None and run.state in {"pending", "running"}
    if closed_until is not None and closed_until > now and (unfinished or _is_old(connection, now)):
        return _said(
            "rate_limited",
            f"PostHog limits this project's queries until {_at(closed_until)}; its limits vary by plan, and many events make syncs heavier.",
            "Wait for the limit to reset: Hedgerow goes on by itself. If it comes back often, sync less often with `every`, or ask PostHog for higher limits.",
            look,
        )
    if run is not None and run.state == "pending" and run.error is not None:
        when = f" The first tick after {_at(run.due_at)} tries again." if run.due_at else ""
        return _said("retrying", f"The last attempt failed: {run.error.detail}{when}", run.error.hint, look)
    if unfinished and run is not None:
        return _under_way(connection, run, look)
    if run is not None and run.state == "failed" and (run.finished_at or run.created_at) >= connection.state_since:
        trouble = run.error or connection.trouble
        said = trouble.detail if trouble else "its log has the reason."
        hint = trouble.hint if trouble else "Try again."
        return _said(
            "last_run_failed",
            f"The last sync, {_at(run.finished_at or run.created_at)}, failed: {said}",
            hint,
            f"hedgerow sync {connection.id}",
        )
    return None


def _under_way(connection: Connection, run: SyncRun, look: str) -> Diagnosis:
    if connection.progress.last_success_at is None:
        code: OwnCode = "first_sync_running" if run.state == "running" else "first_sync_pending"
        state = "is running" if run.state == "running" else "waits for its turn"
        return _said(
            code,
            f"The first sync, {run.from_day} to {run.to_day}, {state}.",
            "It usually takes one to two minutes, longer with many events.",
            look,
        )
    return _said(
        "sync_running",
        f"A sync of {run.from_day} to {run.to_day} is under way; until it ends the last success counts.",
        "Look again in a minute.",
        look,
    )


def _of_age(
    connection: Connection, run: SyncRun | None, rules: dict[Tier, TierRules], now: datetime
) -> Diagnosis | None:
    sync = f"hedgerow sync {connection.id}"
    success = connection.progress.last_success_at
    if success is None:
        return _said(
            "never_synced",
            "No sync of this connection has ended yet.",
            "See what runs; refresh if nothing does.",
            sync if run is not None else f"hedgerow runs {connection.id}",
        )
    if run is not None and run.state == "succeeded" and run.rows == 0:
        return _said(
            "no_events",
            f"PostHog has no events from {run.from_day} to {run.to_day}.",
            "Verify that your application sends events to PostHog with this project's token, and that the time range you look at has some.",
            f"hedgerow metrics {connection.id}",
        )
    every = tiers.interval(connection, rules)
    if every is None and now - success > FRESH:
        return _said(
            "by_hand",
            f"The metrics are {_age(now - success)} old: on the {connection.tier} tier a sync is begun by hand.",
            "Refresh to fetch the last 7 days; Pro and Scale sync by themselves.",
            sync,
        )
    if every is not None and now - success > every + LATE:
        return _said(
            "overdue",
            f"The last sync was {_age(now - success)} ago, and one is due every {_age(every)}: the schedule does not run, or is far behind.",
            "The operator checks that the tick of this tier fires every five minutes; a refresh works meanwhile.",
            sync,
        )
    return None


def _of_hours(connection: Connection) -> Diagnosis | None:
    """The sync succeeded, yet could not keep every hour that rules ask for."""
    trouble = connection.trouble
    if trouble is None or trouble.code != TOO_MANY_HOURS:
        return None
    return _said(TOO_MANY_HOURS, trouble.detail, trouble.hint, f"hedgerow alerts list {connection.id}")


def _fine(connection: Connection) -> Diagnosis:
    success = connection.progress.last_success_at
    due = f" The next sync is due {_at(connection.due_at)}." if connection.due_at else ""
    return _said(
        "fine",
        f"Synced {_at(success) if success else 'never'}.{due}",
        "No data where you look? Check that the time range has events.",
        f"hedgerow metrics {connection.id}",
    )


def _said(code: str, detail: str, hint: str, command: str) -> Diagnosis:
    return Diagnosis(code=code, detail=detail, hint=hint, command=command)


def _is_old(connection: Connection, now: datetime) -> bool:
    success = connection.progress.last_success_at
    return success is None or now - success > FRESH


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _age(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2_880 else f"{minutes // 1440} days"
