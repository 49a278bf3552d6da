"""A project's time zone moved: every day is cut elsewhere now, so what PostHog still has is synced again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from functions.sync.answers import AnswerMalformedError
from functions.sync.windows import Ask
from hedgerow import days, months, runs
from hedgerow.errors import OutboundError
from hedgerow.models import Connection, MetricMonth
from hedgerow.ports import Add, Swap, Where

if TYPE_CHECKING:
    from functions.sync.visit import Visit
    from hedgerow.posthog.client import PostHog

STEADY = timedelta(hours=1)


class ZoneUnsteadyError(OutboundError):
    """The project's time zone changes from answer to answer."""

    code = "timezone_unsteady"
    hint = "Set the project's time zone in PostHog once; the sync after the next hour takes it up."


FIRST_EVENT = (
    "select count() as events, toString(toDate(toTimeZone(min(timestamp), {zone}))) as first from events limit 1"
)


def refuse_unsteady(visit: Visit, zone: str) -> None:
    """A zone that moves again at once is no zone: re-syncing for every answer would never end."""
    moved_at = visit.connection.progress.zone_moved_at
    if visit.run.kind == "rezone" or (moved_at is not None and abs(visit.app.now() - moved_at) < STEADY):
        raise ZoneUnsteadyError(
            f"PostHog named the time zone {zone}, and {visit.ask.zone} less than an hour before.",
        )


async def move(visit: Visit, zone: str) -> None:
    """Commit the new zone together with the runs that re-sync the history; this run publishes them at its end."""
    connection = visit.connection
    moved = connection.model_copy(
        update={
            "timezone": zone,
            "progress": connection.progress.model_copy(
                update={"heavy_at": None, "recheck_day": None, "rechecked": 0, "zone_moved_at": visit.app.now()}
            ),
        }
    )
    first = await _oldest_day(visit, connection)
    now = visit.app.now()
    today = days.today(now, zone)
    planned = runs.plan(moved, "rezone", first, today, now) if first is not None and first <= today else ()
    begin = next((run.id for run in planned if run.parts == 1 or run.part == 1), None)
    waiting = (*visit.run.waiting, begin) if begin else visit.run.waiting
    run = visit.run.model_copy(update={"waiting": waiting})
    done = await visit.app.store.commit(Swap(moved), Swap(run), *(Add(new) for new in planned))
    visit.held = replace(visit.held, connection=done.of(moved), run=done.of(run))


async def clip(visit: Visit, posthog: PostHog) -> Ask | None:
    """The ask without the days before PostHog's first event; None when nothing is left.

    Those days keep their values: their events are gone from PostHog, they are not zero.
    """
    answer = await posthog.query(
        visit.connection.project_id or "", FIRST_EVENT, {"zone": visit.ask.zone}, name="hedgerow first event"
    )
    row = answer.rows[0] if answer.rows else (0, None)
    if len(row) != 2:
        raise AnswerMalformedError("PostHog answered the first event's day with other columns than asked.")
    events, first = row
    if not events or not isinstance(first, str):
        return None
    try:
        begin = max(date.fromisoformat(first[:10]), visit.ask.window.first)
    except ValueError as error:
        raise AnswerMalformedError("PostHog answered the first event's day with what is no date.") from error
    if begin > visit.ask.window.last:
        return None
    window = replace(visit.ask.window, first=begin)
    return replace(visit.ask, window=window, heavy=window)


async def _oldest_day(visit: Visit, connection: Connection) -> date | None:
    page = await visit.app.store.find(MetricMonth, Where("connection_id", "==", connection.id), limit=1)
    if not page.items:
        return None
    month = months.unpack(page.items[0].month, page.items[0].packed)
    held = [day for points in month.series.values() for day in points]
    return month.date_of(min(held)) if held else None
