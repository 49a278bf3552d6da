"""What a run's end means for the run, its connection and its project's slot. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from functions.sync.asking import Asked
from functions.sync.windows import Ask
from hedgerow import days, slots, tiers
from hedgerow.errors import HedgerowError, OutboundError, RejectedError, TooLargeError
from hedgerow.models import Connection, ProjectSlot, SyncProgress, SyncRun, Tier, Trouble
from hedgerow.tiers import TierRules

# These end every attempt until a person acts: the key, the project or its permissions are wrong.
NEEDS_ATTENTION = frozenset(
    {"key_refused", "scope_missing", "project_forbidden", "personal_keys_forbidden", "project_missing", "secret_gone"}
)
ASKED_FOR_QUIET = frozenset({"rate_limited", "concurrency_limited"})
# Of a run that succeeded.
TOO_MANY_HOURS = "too_many_hours"
MOST_ATTEMPTS = 6
# Of a run whose attempts die, and are brought back by ticks. A scheduled one has a next slot; what somebody asked for
# outlives three hours of a vault that fails, or of a deployment that lacks a right.
MOST_BEGUN, MOST_ASKED_FOR_BEGUN = 6, 36
# What our own store refuses for good waits longer from slot to slot, for some days in all: a release that mends it
# is often nearer than a person, and comes to many connections at once.
REFUSED = (RejectedError, TooLargeError)
MOST_REFUSED = 10
FIRST_REFUSED_WAIT = timedelta(minutes=30)
LONGEST_REFUSED_WAIT = timedelta(days=1)
FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(minutes=30)
QUIET_UNSAID = timedelta(seconds=60)


class GivenUpError(HedgerowError):
    """A run was begun as often as it may be, and no attempt came to its end."""

    code = "given_up"
    hint = "Refresh once more; if this stays, the server's log has what the attempts died of."


@dataclass(frozen=True, slots=True)
class Ended:
    """The records as they should be after a run; `slot` None leaves it as it is."""

    run: SyncRun
    connection: Connection
    slot: ProjectSlot | None = None


def succeeded(
    run: SyncRun,
    connection: Connection,
    ask: Ask,
    asked: Asked,
    rules: dict[Tier, TierRules],
    now: datetime,
    trouble: Trouble | None = None,
) -> Ended:
    """The run is done; the connection's next due time, what the next run needs to know, and what it could not do."""
    began = run.began_at or now
    today = days.today(began, ask.zone)
    progress = connection.progress.model_copy(
        update={
            "last_success_at": began,
            "last_success_day": _newest(connection.progress.last_success_day, ask.window.last),
            "failures": 0,
            "refused": 0,
            "by_family": asked.by_family,
            "days_per_query": asked.days_per_query,
            **_lateness(connection.progress, asked, began),
            **({"heavy_at": began} if ask.heavy is not None and ask.heavy.last >= today else {}),
            **({"recheck_day": today, "rechecked": ask.rechecked} if run.kind == "scheduled" else {}),
        }
    )
    planned = connection.model_copy(update={"progress": progress, "trouble": trouble})
    due = tiers.next_due(planned, rules, now)
    # A due time beyond the next slot is of a clock that was ahead.
    if run.kind == "scheduled" or connection.due_at is None or due is None or connection.due_at > due:
        planned = planned.model_copy(update={"due_at": due})
    done = run.model_copy(
        update={
            "state": "succeeded",
            "finished_at": now,
            "due_at": None,
            "rows": asked.facts.rows,
            "error": None,
            "next_due_at": planned.due_at,
        }
    )
    return Ended(done, planned)


def failed(
    run: SyncRun,
    connection: Connection,
    slot: ProjectSlot | None,
    error: HedgerowError,
    rules: dict[Tier, TierRules],
    now: datetime,
) -> Ended:
    """The run waits for another try, or has failed; the connection says why and when it goes on."""
    if isinstance(error, REFUSED):
        return _refused(run, connection, error, rules, now)
    trouble = Trouble(code=error.code, detail=error.detail, hint=error.hint)
    if error.code in ASKED_FOR_QUIET and slot is not None:
        until = now + _quiet(error)
        waiting = run.model_copy(
            update={"state": "pending", "due_at": until, "error": trouble, "attempts": run.attempts - 1}
        )
        return Ended(waiting, connection.model_copy(update={"trouble": trouble}), slots.closed(slot, until))
    if error.code in NEEDS_ATTENTION:
        stopped = connection.model_copy(
            update={"state": "needs_attention", "state_since": now, "trouble": trouble, "due_at": None}
        )
        return Ended(_over(run, trouble, None, now), stopped)
    failures = connection.progress.failures + 1
    held = connection.model_copy(
        update={"trouble": trouble, "progress": connection.progress.model_copy(update={"failures": failures})}
    )
    if run.kind == "scheduled":
        due = _next_try(held, rules, failures, now) if error.transient else tiers.next_due(held, rules, now)
        return Ended(_over(run, trouble, due, now), held.model_copy(update={"due_at": due}))
    if error.transient and run.attempts < MOST_ATTEMPTS:
        again = run.model_copy(update={"state": "pending", "due_at": now + backoff(run.attempts), "error": trouble})
        return Ended(again, held)
    return Ended(_over(run, trouble, connection.due_at, now), held)


def begun_too_often(run: SyncRun) -> GivenUpError | None:
    """Why this run may not be begun again; None while it may."""
    if run.attempts < (MOST_BEGUN if run.kind == "scheduled" else MOST_ASKED_FOR_BEGUN):
        return None
    return GivenUpError(f"The run was begun {run.attempts} times, and no attempt came to its end.")


def too_many_hours(dropped: int) -> Trouble:
    """What a connection says whose month of hours holds more than fits."""
    many = f"{dropped} hourly series were" if dropped > 1 else "One hourly series was"
    return Trouble(
        code=TOO_MANY_HOURS,
        detail=f"The hours of this connection's rules do not fit a month's record: {many} left out, the smallest first, and rules over them see no data.",
        hint="Delete hourly rules, give them daily series, or break them down by a property of fewer values.",
    )


def had_failed(connection: Connection) -> bool:
    """Whether what went wrong before was the run itself."""
    return connection.trouble is not None and connection.trouble.code != TOO_MANY_HOURS


def stopped(run: SyncRun, connection: Connection | None, now: datetime) -> SyncRun:
    """The run, ended because its connection was paused, disconnected, purged or moved to another zone meanwhile."""
    if connection is None:
        trouble = Trouble(
            code="connection_gone", detail="The connection was purged.", hint="Connect the project again."
        )
    elif not connection.activity_tracking:
        trouble = Trouble(
            code="activity_off",
            detail="Activity tracking is off for this tenant: nothing is synced.",
            hint="The operator switches it on with PATCH /v1/tenants/{id}.",
        )
    elif connection.state == "connected":
        trouble = Trouble(
            code="connection_changed",
            detail="The connection changed while the run was under way; it wrote nothing more.",
            hint="Refresh once more.",
        )
    else:
        trouble = Trouble(
            code=f"connection_{connection.state}",
            detail=f"The connection is {connection.state}; the run wrote nothing more.",
            hint="Bring the connection back to `connected`, then refresh.",
        )
    return _over(run, trouble, connection.due_at if connection else None, now)


def backoff(attempts: int) -> timedelta:
    """One minute, doubling, never more than half an hour."""
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempts - 1, 10)) if attempts > 0 else FIRST_BACKOFF


def whole_after(whole: SyncRun, part: SyncRun, now: datetime) -> SyncRun:
    """The run the user asked for, after one of its parts ended; whichever ends last closes it."""
    done = whole.parts_done + 1
    is_last = done == whole.parts
    lost = whole.error or (part.error if part.state == "failed" else None)
    return whole.model_copy(
        update={
            "state": ("failed" if lost else "succeeded") if is_last else "running",
            "parts_done": done,
            "began_at": whole.began_at or part.began_at,
            "finished_at": now if is_last else None,
            "rows": whole.rows + part.rows,
            "points": whole.points + part.points,
            "days_changed": tuple(sorted({*whole.days_changed, *part.days_changed})),
            "requests": whole.requests + part.requests,
            "error": lost,
            "next_due_at": part.next_due_at,
        }
    )


def _refused(
    run: SyncRun, connection: Connection, error: HedgerowError, rules: dict[Tier, TierRules], now: datetime
) -> Ended:
    """The run has failed; the schedule tries again later and later, and stops when that was often enough."""
    trouble = Trouble(
        code=error.code,
        detail="What this run found in PostHog is larger than Hedgerow's own store takes."
        if isinstance(error, TooLargeError)
        else "Hedgerow's own store refuses what this run found in PostHog.",
        hint="Tell whoever runs this Hedgerow: the server's log has the reason. The schedule tries again later and later; once it has stopped, `hedgerow connections resume` begins anew.",
    )
    progress = connection.progress
    # No failures: a success came between, or a person has brought the connection back.
    times = (progress.refused if progress.failures else 0) + (run.kind == "scheduled")
    counted = progress.model_copy(update={"failures": progress.failures + 1, "refused": times})
    held = connection.model_copy(update={"trouble": trouble, "progress": counted})
    if run.kind != "scheduled":
        return Ended(_over(run, trouble, held.due_at, now), held)
    if times >= MOST_REFUSED:
        stopped = {"state": "needs_attention", "state_since": now, "due_at": None}
        return Ended(_over(run, trouble, None, now), held.model_copy(update=stopped))
    due = tiers.next_due(held, rules, now + _refused_wait(times))
    return Ended(_over(run, trouble, due, now), held.model_copy(update={"due_at": due}))


def _refused_wait(times: int) -> timedelta:
    """None before the second try, then half an hour, doubling, never more than a day."""
    return min(LONGEST_REFUSED_WAIT, FIRST_REFUSED_WAIT * 2 ** (times - 2)) if times > 1 else timedelta()


def _lateness(known: SyncProgress, asked: Asked, began: datetime) -> dict[str, object]:
    """How far PostHog was and how late events come to it.

    Where it holds no event of the last days, what was known stays; where it refuses to
    say, nothing is known, and an instant without arrivals remembers that.
    """
    question, late = asked.asked_late, asked.facts.late
    if not asked.questions:
        return {}
    if question is None:
        return {"asked_at": known.asked_at or began, "newest_event_at": None, "arrivals": ()}
    return {
        "asked_at": question.asked_at,
        "newest_event_at": late.newest_event_at or known.newest_event_at,
        "arrivals": late.arrivals or known.arrivals,
    }


def _over(run: SyncRun, trouble: Trouble, next_due: datetime | None, now: datetime) -> SyncRun:
    return run.model_copy(
        update={"state": "failed", "finished_at": now, "due_at": None, "error": trouble, "next_due_at": next_due}
    )


def _next_try(connection: Connection, rules: dict[Tier, TierRules], failures: int, now: datetime) -> datetime | None:
    due = tiers.next_due(connection, rules, now)
    return None if due is None else min(due, now + backoff(failures))


def _quiet(error: HedgerowError) -> timedelta:
    said = error.retry_after if isinstance(error, OutboundError) else None
    return QUIET_UNSAID if said is None else timedelta(seconds=max(1.0, said))


def _newest(held: date | None, day: date) -> date:
    return day if held is None else max(held, day)
