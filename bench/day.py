"""A first sync and a day of scheduled ones, each through the real `sync_connection`, with what each cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bench.events import select
from bench.installation import Installation, installed
from bench.pushing import call, envelope
from functions.sync.main import sync_connection
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, SyncRun
from hedgerow.runs import scheduled_id
from local.posthog import LocalPostHog

if TYPE_CHECKING:
    from hedgerow.ports import Store

EVENTS = 20_000
EVENT_DAYS = 60
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cost:
    """One sync: requests at PostHog; documents read and written, and commits; whether it stored anything."""

    at: datetime
    requests: int
    reads: int
    writes: int
    commits: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The first sync and the scheduled ones of the 24 hours after it; PostHog gets no event in them."""

    first: Cost
    scheduled: tuple[Cost, ...]

    @property
    def idle(self) -> tuple[Cost, ...]:
        """Those that found nothing to store: a new day has zeros that are new, a closed one becomes complete."""
        return tuple(cost for cost in self.scheduled if not cost.stored)


async def a_day(store: Store, begins_at: datetime) -> Day:
    """Live through a day on this store."""
    with LocalPostHog(now=begins_at) as posthog:
        posthog.clock.freeze()
        posthog.load_rows(select(EVENTS, EVENT_DAYS, begins_at))
        for number in range(5):
            posthog.put_flag(f"flag-{number}")
        async with installed(store, posthog) as installation:
            connection, run = await installation.connected()
            asked = SyncRequested(connection_id=connection.id, run_id=run.id)
            first = await _sync(installation, asked, run.id)
            connection = await installation.reread(connection)
            costs: list[Cost] = []
            while connection.due_at is not None and connection.due_at < begins_at + DAY:
                posthog.clock.move_to(connection.due_at)
                costs.append(await _scheduled(installation, connection))
                connection = await installation.reread(connection)
            return Day(first, tuple(costs))


async def _scheduled(installation: Installation, connection: Connection) -> Cost:
    if connection.due_at is None:
        raise ValueError("nothing is scheduled")
    asked = SyncRequested(connection_id=connection.id, due_at=connection.due_at)
    return await _sync(installation, asked, scheduled_id(connection.id, connection.due_at))


async def _sync(installation: Installation, asked: SyncRequested, run_id: str) -> Cost:
    """Push one message; raises `RuntimeError` when the sync did not succeed: its cost would mean nothing."""
    ledger = installation.ledger
    before = (ledger.reads, ledger.writes, ledger.commits, sum(installation.posthog.requests.values()))
    months_before = _month_writes(installation)
    answer = await call(installation.app, sync_connection, envelope(asked))
    after = (ledger.reads, ledger.writes, ledger.commits, sum(installation.posthog.requests.values()))
    reads, writes, commits, requests = (now - then for now, then in zip(after, before, strict=True))
    run = await installation.store.get(SyncRun, run_id)
    if answer.status_code != 204 or run is None or run.state != "succeeded":
        raise RuntimeError(f"a sync ended as {run.state if run else None}: {run.error if run else answer.body!r}")
    stored = _month_writes(installation) > months_before
    return Cost(installation.app.now(), requests, reads, writes, commits, stored)


def _month_writes(installation: Installation) -> int:
    lines = installation.ledger.lines
    return lines["add metric_months"] + lines["swap metric_months"]
