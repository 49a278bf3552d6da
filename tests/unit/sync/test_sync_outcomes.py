"""What a run's end means: retries, quiet, attention, next due times, wholes of parts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.sync import outcomes
from functions.sync.answers import Facts
from functions.sync.asking import Asked
from functions.sync.windows import Ask, Span
from hedgerow import runs, tiers
from hedgerow.errors import OutboundError
from hedgerow.models import Connection, ProjectSlot, RunKind, SyncRun

RULES = tiers.load()
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
TODAY = NOW.date()
SLOT = ProjectSlot(id="slot_1", holder_run_id="run_1", until=NOW)
WINDOW = Span(TODAY - timedelta(days=3), TODAY)
ASK = Ask("UTC", WINDOW, None, WINDOW, WINDOW, False, 5)

CONNECTION = Connection.model_validate(
    {
        "id": "con_1",
        "tenant_id": "ten_1",
        "name": "shop",
        "host": "https://us.posthog.com",
        "project_id": "1",
        "secret_ref": "con_1/1",
        "state": "connected",
        "state_since": NOW,
        "tier": "pro",
        "created_at": NOW,
        "due_at": NOW - timedelta(minutes=1),
    }
)


def run(kind: RunKind, attempts: int = 1) -> SyncRun:
    return SyncRun(
        id="run_1",
        connection_id="con_1",
        tenant_id="ten_1",
        kind=kind,
        state="running",
        from_day=WINDOW.first,
        to_day=TODAY,
        created_at=NOW,
        began_at=NOW,
        attempts=attempts,
    )


def refused(code: str, *, transient: bool = False, retry_after: float | None = None) -> OutboundError:
    return OutboundError("PostHog said no.", code=code, hint="Do this.", transient=transient, retry_after=retry_after)


def test_success_moves_the_due_time_on_and_clears_the_trouble() -> None:
    ended = outcomes.succeeded(run("scheduled"), CONNECTION, ASK, Asked(Facts(rows=9)), RULES, NOW)
    assert ended.run.state == "succeeded"
    assert ended.connection.due_at == ended.run.next_due_at == tiers.next_due(CONNECTION, RULES, NOW)
    assert ended.connection.progress.last_success_day == TODAY
    assert ended.connection.progress.rechecked == 5


def test_a_refresh_of_the_past_does_not_pull_the_last_success_back() -> None:
    ahead = outcomes.succeeded(run("refresh"), CONNECTION, ASK, Asked(Facts()), RULES, NOW).connection
    past = Ask("UTC", Span(date(2026, 1, 1), date(2026, 1, 5)), None, None, WINDOW, False, 0)
    assert (
        outcomes.succeeded(run("refresh"), ahead, past, Asked(Facts()), RULES, NOW).connection.progress.last_success_day
        == TODAY
    )


@pytest.mark.parametrize("code", sorted(outcomes.NEEDS_ATTENTION))
def test_a_refused_key_stops_every_attempt_until_a_person_acts(code: str) -> None:
    ended = outcomes.failed(run("scheduled"), CONNECTION, SLOT, refused(code), RULES, NOW)
    assert (ended.connection.state, ended.connection.due_at, ended.connection.state_since) == (
        "needs_attention",
        None,
        NOW,
    )
    assert ended.connection.trouble is not None
    assert ended.connection.trouble.hint == "Do this."
    assert ended.run.state == "failed"


@pytest.mark.parametrize(("said", "quiet"), [(47.0, 47), (None, 60), (0.0, 1)])
def test_a_rate_limit_closes_the_project_and_the_run_waits_without_losing_an_attempt(
    said: float | None, quiet: int
) -> None:
    error = refused("rate_limited", transient=True, retry_after=said)
    ended = outcomes.failed(run("first"), CONNECTION, SLOT, error, RULES, NOW)
    until = NOW + timedelta(seconds=quiet)
    assert ended.slot is not None
    assert (ended.slot.closed_until, ended.slot.holder_run_id) == (until, None)
    assert (ended.run.state, ended.run.due_at, ended.run.attempts) == ("pending", until, 0)
    assert ended.connection.state == "connected"


def test_a_passing_fault_is_tried_again_and_in_the_end_fails() -> None:
    error = refused("unreachable", transient=True)
    first = outcomes.failed(run("first", attempts=1), CONNECTION, SLOT, error, RULES, NOW)
    assert (first.run.state, first.run.due_at) == ("pending", NOW + timedelta(minutes=1))
    last = outcomes.failed(run("first", attempts=outcomes.MOST_ATTEMPTS), CONNECTION, SLOT, error, RULES, NOW)
    assert last.run.state == "failed"


def test_a_failed_scheduled_run_comes_back_soon_but_never_later_than_its_slot() -> None:
    error = refused("busy", transient=True)
    first = outcomes.failed(run("scheduled"), CONNECTION, SLOT, error, RULES, NOW)
    assert first.run.state == "failed"
    assert first.connection.due_at == first.run.next_due_at
    assert first.connection.due_at is not None
    assert NOW < first.connection.due_at <= NOW + timedelta(minutes=1)
    assert first.connection.progress.failures == 1


def test_an_answer_that_cannot_be_used_waits_for_the_next_slot() -> None:
    ended = outcomes.failed(run("scheduled"), CONNECTION, SLOT, refused("malformed_answer"), RULES, NOW)
    assert ended.connection.due_at == tiers.next_due(CONNECTION, RULES, NOW)


@given(st.integers(0, 1_000))
def test_backoff_grows_and_is_bounded(attempts: int) -> None:
    assert (
        outcomes.FIRST_BACKOFF
        <= outcomes.backoff(attempts)
        <= outcomes.backoff(attempts + 1)
        <= outcomes.LONGEST_BACKOFF
    )


def test_the_last_part_closes_the_whole_and_a_failed_part_fails_it() -> None:
    whole, *parts = runs.plan(CONNECTION, "refresh", date(2025, 1, 1), TODAY, NOW)
    assert len(parts) == whole.parts
    assert {day for part in parts for day in Span(part.from_day, part.to_day).days()} == set(
        Span(date(2025, 1, 1), TODAY).days()
    )
    assert sum(Span(part.from_day, part.to_day).length for part in parts) == Span(date(2025, 1, 1), TODAY).length
    for number, part in enumerate(parts):
        ended = part.model_copy(update={"state": "failed" if number == 1 else "succeeded", "rows": 2, "began_at": NOW})
        if number == 1:
            failed = outcomes.failed(
                part.model_copy(update={"attempts": 9}), CONNECTION, SLOT, refused("query_invalid"), RULES, NOW
            )
            ended = failed.run
        whole = outcomes.whole_after(whole, ended, NOW)
        assert whole.state == ("running" if number + 1 < len(parts) else "failed")
    assert whole.error is not None
    assert whole.error.code == "query_invalid"
    assert whole.rows == 2 * (len(parts) - 1)
