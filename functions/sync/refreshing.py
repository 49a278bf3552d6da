"""Refresh by hand, and reading runs."""

from __future__ import annotations

from datetime import date, timedelta

from hedgerow import days, runs, tiers
from hedgerow.app import App
from hedgerow.errors import InvalidError, MissingError, StateConflictError
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncRun
from hedgerow.ownership import may_ask
from hedgerow.ports import Add, Page, Where

EARLIEST = date(2000, 1, 1)
# A person may press the button often; what waits already will bring the same numbers. Nine parts make two years.
MOST_WAITING = 60


async def refresh(app: App, connection: Connection, first: date | None, last: date | None) -> SyncRun:
    """Begin a run for the window, seven days where none is given; every part is pending before this returns."""
    may_ask(connection)
    today = days.today(app.now(), connection.timezone)
    for day in (first, last):
        if day is not None and day < EARLIEST:
            raise InvalidError(
                f"{day} is before {EARLIEST}: no PostHog has events of that time.",
                code="window_too_old",
                hint="Give a newer day as `from` and `to`.",
            )
    last = last or today
    first = first or last - timedelta(days=runs.REFRESH_DAYS - 1)
    _check(first, last, today)
    oldest = tiers.oldest_kept(connection.tier, tiers.load(app.settings.tiers_file), today)
    if oldest is not None and last < oldest:
        raise InvalidError(
            f"The {connection.tier} tier keeps days from {oldest} on; every day of this window is older.",
            code="window_not_kept",
            hint="Refresh newer days, or have the tier changed: Pro and Scale keep every day.",
        )
    await _check_waiting(app, connection)
    planned = runs.plan(connection, "refresh", first, last, app.now())
    await app.store.commit(*(Add(run) for run in planned))
    begin = planned[0] if len(planned) == 1 else planned[1]
    await app.queue.publish(SyncRequested(connection_id=connection.id, run_id=begin.id))
    return planned[0]


async def runs_of(app: App, connection: Connection, limit: int, cursor: str | None) -> Page[SyncRun]:
    """A connection's runs, newest first."""
    return await app.store.find(SyncRun, Where("connection_id", "==", connection.id), limit=limit, cursor=cursor)


async def run_of(app: App, connection: Connection, run_id: str) -> SyncRun:
    """One run of this connection."""
    run = await app.store.get(SyncRun, run_id)
    if run is None or run.connection_id != connection.id:
        raise MissingError("There is no such run.", code="run_not_found")
    return run


def _check(first: date, last: date, today: date) -> None:
    if first > today:
        raise InvalidError(
            f"`from` is after today, {today} in the project's time zone.",
            code="window_in_future",
            hint="Leave `from` out, or give today or a day before it.",
        )
    if first > last:
        raise InvalidError("`from` is after `to`.", code="window_reversed", hint="Give the older day as `from`.")
    if last > today:
        raise InvalidError(
            f"`to` is after today, {today} in the project's time zone.",
            code="window_in_future",
            hint="Leave `to` out, or give today or a day before it.",
        )
    if (last - first).days >= runs.LONGEST_DAYS:
        raise InvalidError(
            f"The window has {(last - first).days + 1} days; a refresh takes up to {runs.LONGEST_DAYS}.",
            code="window_too_long",
            hint="Refresh two years at a time.",
        )


async def _check_waiting(app: App, connection: Connection) -> None:
    mine = Where("connection_id", "==", connection.id)
    waiting = await app.store.count(SyncRun, mine, Where("state", "==", "pending"))
    if waiting >= MOST_WAITING:
        raise StateConflictError(
            f"{waiting} runs of this connection wait already.",
            code="runs_waiting",
            hint="Wait until they are done; `hedgerow runs`, or GET …/runs, shows them.",
        )
