"""The reconciliation: our own books, kept first, then what PostHog holds, and the difference with its reasons.

Our own numbers are always told, also while PostHog cannot be asked: that is when they are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from functions.capture.outbox import arrivals, booking, differences
from functions.capture.outbox.booking import BookError, Books
from functions.capture.outbox.books_views import (
    Counts,
    InPostHog,
    Reconciliation,
    booked_view,
    difference_view,
    error_view,
    hour_view,
    total_view,
)
from functions.capture.outbox.spans import Span, span_of
from hedgerow import counting_up
from hedgerow.app import App
from hedgerow.counting_up import Sums
from hedgerow.errors import HedgerowError, OutboundError, SecretGoneError, StateConflictError
from hedgerow.models import Connection
from hedgerow.ownership import may_ask
from hedgerow.posthog.client import PostHog
from hedgerow.turns import turn

LONGEST = timedelta(days=8)
LONGEST_COUNTS = timedelta(days=31)
# Events accepted this long before or after the span may carry a time inside it.
AROUND = timedelta(hours=24)
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Compared:
    """What was found in PostHog, and whether anything there is missing for no reason."""

    shown: InPostHog
    missing: int = 0


async def counts(app: App, connection: Connection, begin: str | None, end: str | None) -> Counts:
    """Every hour's numbers, and whether they balance. `InvalidError` for a span that cannot be read."""
    span = span_of(begin, end, zone=connection.timezone, now=app.now(), longest=LONGEST_COUNTS)
    counted = await counting_up.read(app.store, connection.id, span.begin, span.end)
    if not counted.is_whole:
        raise booking.too_much("records of counts")
    hours = counting_up.by_hour(counted.records)
    items = [hour_view(hour) for hour in hours.values()]
    errors = [
        error_view(BookError(hour.at, "not_balanced", _unbalanced(hour.total), hour.total.difference))
        for hour in hours.values()
        if hour.total.difference
    ]
    return Counts(
        begin=span.begin,
        end=span.end,
        balanced=not errors,
        total=total_view(hours.values()),
        items=items,
        errors=errors,
    )


async def reconcile(app: App, connection: Connection, begin: str | None, end: str | None) -> Reconciliation:
    """Keep the books, ask PostHog, compare. `InvalidError` for a span that cannot be read."""
    span = span_of(begin, end, zone=connection.timezone, now=app.now(), longest=LONGEST)
    books = await booking.keep_books(app, connection, span)
    compared = await _compared(app, connection, span, books)
    code, detail, hint = _verdict(books, compared)
    return Reconciliation(
        ok=code == "balanced",
        code=code,
        detail=detail,
        hint=hint,
        begin=span.begin,
        end=span.end,
        here=total_view(books.hours.values()),
        in_outbox={state: books.lying.total(state) for state in booking.BOOKABLE},
        booked=[booked_view(books, hour) for hour in books.booked],
        booked_now=books.booked_now,
        moving=sorted(books.moving),
        errors=[error_view(error) for error in books.errors],
        hours=[hour_view(hour) for hour in books.hours.values()],
        posthog=compared.shown,
    )


async def _compared(app: App, connection: Connection, span: Span, books: Books) -> _Compared:
    try:
        may_ask(connection)
        around = [
            await counting_up.read(app.store, connection.id, first, last)
            for first, last in ((span.begin - AROUND, span.begin), (span.end, span.end + AROUND))
        ]
        outside = counting_up.by_hour(record for counted in around for record in counted.records)
        hours = [*outside.values(), *books.hours.values()]
        since = app.now() - booking.FRESH
        sums = differences.delivered(hours, span, books.lying.fresh, since)
        asked = arrivals.Asked(span.begin, span.end, sums.others, sums.names)
        key = await app.vault.read(connection.secret_ref or "")
        posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
        async with turn(app, connection, again="Reconcile again"):
            answer = await posthog.query(
                connection.project_id or "", arrivals.TEXT, asked.values(), name=arrivals.QUERY_NAME
            )
        arrived = asked.read(answer.columns, answer.rows)
    except (StateConflictError, OutboundError, SecretGoneError) as error:
        return _Compared(_unasked(error))
    found = differences.compare(sums, arrived, span)
    shown = InPostHog(
        asked=True,
        delivered=sums.delivered.total(),
        arrived=sum(arrived.values()),
        not_compared=sums.left_out,
        differences=[difference_view(each) for each in found[:MOST_SHOWN]],
        more=max(0, len(found) - MOST_SHOWN),
    )
    return _Compared(shown, sum(-each.difference for each in found if not each.is_explained))


def _unasked(error: HedgerowError) -> InPostHog:
    return InPostHog(asked=False, code=error.code, detail=error.detail, hint=error.hint)


def _verdict(books: Books, compared: _Compared) -> tuple[str, str, str]:
    """What to say first."""
    if books.errors:
        worst = books.errors[0]
        return (
            "books_wrong",
            f"The counts of {len({error.hour for error in books.errors})} hour(s) cannot be right, first {worst.hour:%Y-%m-%d %H:00} UTC: {worst.detail}",
            "Reconcile again in a minute. If it stays, keep this answer: a second of counts lost in a kill is booked by itself, this is something else.",
        )
    if compared.missing:
        return (
            "missing_in_posthog",
            f"PostHog took {compared.missing} event(s) that it does not hold, and nothing here explains it.",
            "The differences below name them and what to look at in PostHog.",
        )
    if not compared.shown.asked:
        return (
            "balanced",
            f"Our own books balance. PostHog was not asked: {compared.shown.detail}",
            compared.shown.hint or "",
        )
    waits = books.lying.total("pending")
    if waits:
        return (
            "balanced",
            f"The books balance; {waits} event(s) of these hours wait for PostHog.",
            "`hedgerow outbox` says why.",
        )
    return "balanced", "The books balance, and what was delivered arrived.", ""


def _unbalanced(total: Sums) -> str:
    return (
        f"{total.accepted} accepted is not {total.delivered} delivered + {total.pending} pending "
        f"+ {total.held} held + {total.dead} dead."
    )
