"""A tick: publish what is due, page by page, and beside it whatever a crash left lying."""

from __future__ import annotations

import asyncio
from datetime import datetime

from hedgerow import disconnection, drafts, telemetry, tiers
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.logs import log
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, RunState, SyncRun, Tier
from hedgerow.ports import Page, Where
from hedgerow.records import Index, Instant, Record

# Pages are read one after another: fewer, larger ones make a long tick short, and two of them are some megabytes.
PAGE = 2_000
RUNS_PAGE = 500


class DueConnection(Record):
    """What a tick reads of a connection, ten thousand times."""

    collection = Connection.collection
    indexes = (Index("tier", "due_at"),)
    partial = True

    tier: Tier
    due_at: Instant | None = None


def tier_of(name: str) -> Tier:
    """The tier of this name."""
    for tier in tiers.TIERS:
        if tier == name:
            return tier
    raise InvalidError(f"There is no tier `{name[:40]}`.", hint=f"Tiers are {', '.join(tiers.TIERS)}.")


async def tick(app: App, tier: Tier) -> int:
    """How many connections of the tier were due and published.

    Nothing is written: a connection stays due until its run commits, and a doubled tick
    makes messages of the same key. What a crash left is looked for beside the pages, not
    after them: a tick that is cut short every time would never come to it. What fails in
    one walk keeps no other from its work; it is raised when all have ended.
    """
    now = app.now()
    publishing = asyncio.create_task(_publish_due(app, tier, now))
    sweeps = (_sweep(app, "pending"), _sweep(app, "running"), disconnection.sweep(app), drafts.sweep(app, now))
    sweeping = [asyncio.create_task(sweep) for sweep in sweeps]
    for outcome in await asyncio.gather(publishing, *sweeping, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
    (due, oldest), left = publishing.result(), sum(sweep.result() for sweep in sweeping)
    waited = (now - oldest).total_seconds()
    log().info("tick.done", tier=tier, due=due, swept=left, oldest_due_seconds=round(waited))
    telemetry.record(app, telemetry.OLDEST_DUE, waited, tier=tier)
    return due


async def _publish_due(app: App, tier: Tier, now: datetime) -> tuple[int, datetime]:
    """How many connections were due, and since when the first of them."""

    async def page_after(cursor: str | None) -> Page[DueConnection]:
        return await app.store.find(
            DueConnection, Where("tier", "==", tier), Where("due_at", "<=", now), limit=PAGE, cursor=cursor
        )

    page = await page_after(None)
    due = 0
    oldest = min((one.due_at for one in page.items if one.due_at is not None), default=now)
    while True:
        due += len(page.items)
        publishing = app.queue.publish(*(SyncRequested(connection_id=one.id, due_at=one.due_at) for one in page.items))
        if page.next_cursor is None:
            await publishing
            return due, oldest
        # The next page is read while this one is published: half of a tick is waiting for either.
        _, page = await asyncio.gather(publishing, page_after(page.next_cursor))


async def _sweep(app: App, state: RunState) -> int:
    """Runs whose time has come: waiting ones, or running ones whose lease ended with their process."""
    swept = 0
    cursor: str | None = None
    while True:
        page = await app.store.find(
            SyncRun, Where("state", "==", state), Where("due_at", "<=", app.now()), limit=RUNS_PAGE, cursor=cursor
        )
        await app.queue.publish(*(SyncRequested(connection_id=run.connection_id, run_id=run.id) for run in page.items))
        swept += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return swept
