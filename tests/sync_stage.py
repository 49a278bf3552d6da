"""A stage for the sync: a local PostHog with its clock standing still, an App whose way out leads there,
a tenant, a connection, and the queue carried out by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr

from functions.sync import refreshing, syncing, ticking
from hedgerow import hours, months, runs, tiers
from hedgerow.activity import Activity
from hedgerow.adapters.embedded import EmbeddedQueue, Wanted
from hedgerow.adapters.sealed import SealedVault
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.app import App
from hedgerow.days import today
from hedgerow.hours import HourMonth, HourPoint
from hedgerow.measures import Measure
from hedgerow.messages import RunEnded, SyncRequested
from hedgerow.models import ChangeSet, Connection, MetricMonth, ProjectSlot, QueryText, SyncRun, Tenant, Tier
from hedgerow.months import Point
from hedgerow.ports import Add, Swap, Where
from hedgerow.records import new_id
from hedgerow.sealed_secrets import SealedSecret
from hedgerow.settings import Settings
from local.posthog import LocalPostHog

if TYPE_CHECKING:
    import aiohttp

    from hedgerow.ports import Store

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
KINDS = (Tenant, Connection, SealedSecret, SyncRun, ProjectSlot, MetricMonth, HourMonth, QueryText, ChangeSet, Activity)


@dataclass
class StraightOut:
    """The way out, leading straight into the local PostHog."""

    client: httpx.AsyncClient

    @property
    def http(self) -> httpx.AsyncClient:
        return self.client

    @property
    def session(self) -> aiohttp.ClientSession:
        raise AssertionError("the sync goes out by httpx")


@dataclass
class SyncStage:
    """One installation with one connection to the local PostHog."""

    posthog: LocalPostHog
    app: App
    queue: EmbeddedQueue
    tenant: Tenant
    connection_id: str
    deliveries: list[str] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """The store, as the App sees it."""
        return self.app.store

    async def connection(self) -> Connection:
        """The connection as it stands."""
        found = await self.store.get(Connection, self.connection_id)
        assert found is not None
        return found

    async def runs(self) -> list[SyncRun]:
        """Every run, newest first."""
        page = await self.store.find(SyncRun, Where("connection_id", "==", self.connection_id), limit=1000)
        return list(page.items)

    async def points(self) -> dict[tuple[str, date], Point]:
        """Every stored point by series and day."""
        page = await self.store.find(MetricMonth, Where("connection_id", "==", self.connection_id), limit=1000)
        return {
            (name, month.date_of(day)): point
            for record in page.items
            for month in [months.unpack(record.month, record.packed)]
            for name, points in month.series.items()
            for day, point in points.items()
        }

    async def hours(self) -> dict[tuple[str, int], HourPoint]:
        """Every stored hourly point by series and the epoch second of its hour."""
        page = await self.store.find(HourMonth, Where("connection_id", "==", self.connection_id), limit=1000)
        return {
            (name, hour): point
            for record in page.items
            for name, points in hours.unpack(record.month, record.packed).series.items()
            for hour, point in points.items()
        }

    async def measure(self, *measures: Measure) -> None:
        """Ask for these measures from the next sync on."""
        await self.store.commit(Swap((await self.connection()).model_copy(update={"measures": measures})))

    async def activity(self) -> list[Activity]:
        """What was told, oldest first."""
        page = await self.store.find(Activity, Where("tenant_id", "==", self.tenant.id), limit=1000)
        return list(page.items)

    async def changes(self) -> list[ChangeSet]:
        """What changed, newest first."""
        page = await self.store.find(ChangeSet, Where("connection_id", "==", self.connection_id), limit=1000)
        return list(page.items)

    async def first_sync(self) -> None:
        """What connect does: the thirty-day run, pending and published; then carried out."""
        connection = await self.connection()
        last = today(self.app.now(), connection.timezone)
        planned = runs.plan(connection, "first", last - timedelta(days=runs.FIRST_DAYS - 1), last, self.app.now())
        await self.store.commit(*(Add(run) for run in planned))
        await self.app.queue.publish(SyncRequested(connection_id=connection.id, run_id=planned[0].id))
        await self.carry_out()

    async def refresh(self, first: date | None = None, last: date | None = None) -> SyncRun:
        """A refresh by hand, carried out; the run the user was given, as it stands then."""
        run = await refreshing.refresh(self.app, await self.connection(), first, last)
        await self.carry_out()
        found = await self.store.get(SyncRun, run.id)
        assert found is not None
        return found

    async def tick(self) -> int:
        """A tick of the connection's tier, and all it leads to."""
        connection = await self.connection()
        due = await ticking.tick(self.app, connection.tier)
        await self.carry_out()
        return due

    async def carry_out(self, app: App | None = None) -> None:
        """Deliver messages, in order, until none is left."""
        done: list[int] = []
        topics = [Wanted(topic, 0, 100) for topic in (SyncRequested.topic, RunEnded.topic)]
        while waiting := await self.queue.exchange(done, topics):
            for message in waiting:
                if message.topic == RunEnded.topic:
                    self.announced.append(message.key)
                    continue
                self.deliveries.append(message.key)
                await syncing.sync(app or self.app, SyncRequested.model_validate_json(message.body))
            done = [message.id for message in waiting]

    def forward(self, step: timedelta) -> None:
        """Move both clocks."""
        self.posthog.clock.advance(step)

    @asynccontextmanager
    async def copied_to(self, store: Store) -> AsyncIterator[SyncStage]:
        """The same installation, record for record, on an empty store, with a queue of its own."""
        for kind in KINDS:
            records = (await self.store.find(kind, limit=1000)).items
            await store.commit(*(Add(record.model_copy(update={"version": 0})) for record in records))
        queue = EmbeddedQueue(":memory:")
        app = replace(self.app, store=store, vault=SealedVault(store, bytes(32)), queue=queue)
        yield replace(self, app=app, queue=queue, deliveries=[], announced=[])
        await queue.close()

    def with_ports(self, **ports: Any) -> SyncStage:
        """The same installation seen through other ports."""
        return replace(self, app=replace(self.app, **ports))


@asynccontextmanager
async def sync_stage(
    events: Iterable[Mapping[str, Any]] = (),
    *,
    zone: str = "UTC",
    tier: Tier = "pro",
    now: datetime = NOW,
    store: Store | None = None,
    settings: Mapping[str, Any] | None = None,
    clock: Callable[[LocalPostHog], Callable[[], datetime]] = lambda posthog: posthog.clock.now,
) -> AsyncIterator[SyncStage]:
    """A stage with these events already in PostHog and one connected connection, nothing synced yet."""
    with LocalPostHog(now=now, timezone=zone) as posthog:
        posthog.clock.freeze()
        posthog.clock.move_to(now)
        posthog.load(dict(event) for event in events)
        here = store or SqliteStore(":memory:")
        queue = EmbeddedQueue(":memory:")
        transport = httpx.ASGITransport(app=posthog.app)
        async with httpx.AsyncClient(transport=transport) as client:
            app = App(
                Settings(**dict(settings or {})),
                here,
                SealedVault(here, bytes(32)),
                queue,
                StraightOut(client),
                clock(posthog),
            )
            tenant = Tenant(id=new_id("ten"), name="Acme", tier=tier, created_at=now)
            connection = Connection(
                id=new_id("con"),
                tenant_id=tenant.id,
                name="Shop",
                host="http://posthog.local",
                project_id=posthog.project_id,
                state="connected",
                state_since=now,
                tier=tier,
                timezone=zone,
                created_at=now,
            )
            reference = await app.vault.write(connection.id, SecretStr(posthog.personal_api_key))
            connection = connection.model_copy(update={"secret_ref": reference})
            due = tiers.next_due(connection, tiers.load(), now)
            await here.commit(Add(tenant), Add(connection.model_copy(update={"due_at": due})))
            yield SyncStage(posthog, app, queue, tenant, connection.id)
        await queue.close()
        if store is None:
            await here.close()
