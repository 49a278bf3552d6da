"""A stage for the families' tests: a whole App on the embedded adapters in memory, a clock the test moves,
tenants with keys, connections with months of points, and an HTTP client to a family.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import httpx
from pydantic import SecretStr
from starlette.requests import Request

from hedgerow import keys, months, wiring
from hedgerow.adapters.embedded import EmbeddedQueue, Waiting, Wanted
from hedgerow.adapters.sealed import SealedVault
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.app import App
from hedgerow.messages import PurgeRequested
from hedgerow.models import Connection, MetricMonth, Role, SyncProgress, Tenant, Tier
from hedgerow.months import Month, Point, Write
from hedgerow.outbound import GuardedOutbound
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.settings import Settings

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hedgerow.messages import Message
    from hedgerow.models import ConnectionState
    from hedgerow.ports import Store
    from hedgerow.records import Record

ADMIN_KEY = "the-operators-key"
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
PERSONAL_KEY = "phx_nobodys0123456789"

R = TypeVar("R", bound="Record")
Target = Callable[[Request], Awaitable[object]]


@dataclass
class Clock:
    """Stands still until a test moves it."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, step: timedelta) -> None:
        self.at += step


@dataclass
class Stage:
    """One installation. `close` it at the end."""

    app: App
    clock: Clock
    store: Store
    queue: EmbeddedQueue

    async def tenant(self, tier: Tier = "pro", name: str = "Acme") -> Tenant:
        """A tenant of this tier."""
        return await self.add(Tenant(id=new_id("ten"), name=name, tier=tier, created_at=self.clock()))

    async def key(self, tenant: Tenant, role: Role = "write") -> str:
        """The text of a new key of the tenant."""
        record, text = keys.make(tenant.id, "test", role, self.clock())
        await self.store.commit(Add(record))
        return text.get_secret_value()

    async def connection(
        self,
        tenant: Tenant,
        zone: str = "UTC",
        state: ConnectionState = "connected",
        project: str = "1",
        token: str | None = None,
        host: str = "https://us.posthog.com",
    ) -> Connection:
        """A connection of the tenant with a personal key in the vault."""
        id = new_id("con")
        reference = await self.app.vault.write(id, SecretStr(PERSONAL_KEY))
        return await self.add(
            Connection(
                id=id,
                tenant_id=tenant.id,
                name="Shop",
                host=host,
                project_id=project,
                project_token=token,
                secret_ref=reference,
                state=state,
                state_since=self.clock(),
                tier=tenant.tier,
                timezone=zone,
                created_at=self.clock(),
                progress=SyncProgress(last_success_at=self.clock() - timedelta(minutes=7)),
            )
        )

    async def add(self, record: R) -> R:
        """Write a record; the answer has its version."""
        return (await self.store.commit(Add(record))).of(record)

    async def points(
        self, connection: Connection, points: Mapping[tuple[str, date], float], write: Write | None = None
    ) -> None:
        """Write points, by series and day, as one run's visit. Months must not be there yet."""
        write = write or self.write(connection)
        by_month: dict[str, Month] = {}
        for (name, day), value in points.items():
            month = by_month.setdefault(f"{day:%Y-%m}", Month(f"{day:%Y-%m}"))
            month.put(name, day, Point(value, write))
        await self.store.commit(*(Add(month_record(connection, month, self.clock())) for month in by_month.values()))

    def write(self, connection: Connection, began_at: datetime | None = None) -> Write:
        """A visit of a run that begins now, in the connection's zone."""
        return Write("run_of_the_test", began_at or self.clock(), connection.timezone)

    async def published(self, *topics: str) -> list[str]:
        """The keys of the messages that wait in these topics, oldest first."""
        wanted = [Wanted(topic, 0, 1_000) for topic in topics]
        return [waiting.key for waiting in await self.queue.exchange([], wanted)]

    async def deliver(self, target: Target, message: Message) -> int:
        """Push a message to a topic target as Pub/Sub does; the status of its answer."""
        body = Waiting(1, message.topic, message.key, message.model_dump_json(), "2026-11-20T15:30:00Z").envelope(
            "test"
        )

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
        with wiring.override(self.app):
            answer = cast("Response", await target(Request(scope, receive)))
        return answer.status_code

    async def carry_out(self, app: App | None = None) -> None:
        """What `purge_connection` does, for every message that waits for it."""
        from functions.disconnect import carrying_out

        for key in dict.fromkeys(await self.published(PurgeRequested.topic)):
            whose = {"tenant_id" if key.startswith("ten_") else "connection_id": key}
            await carrying_out.carry_out(app or self.app, PurgeRequested.model_validate(whose))

    @asynccontextmanager
    async def calling(self, target: Target, key: str | None) -> AsyncIterator[httpx.AsyncClient]:
        """A client whose every call goes to this family's function, with this key."""

        async def family(scope: Scope, receive: Receive, send: Send) -> None:
            answer = cast("ASGIApp", await target(Request(scope, receive)))
            await answer(scope, receive, send)

        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=family)
        with wiring.override(self.app):
            async with httpx.AsyncClient(
                transport=transport, base_url="http://hedgerow.test", headers=headers
            ) as client:
                yield client


def month_record(connection: Connection, month: Month, at: datetime) -> MetricMonth:
    """The record of a month of this connection."""
    return MetricMonth(
        id=months.record_id(connection.id, month.month),
        connection_id=connection.id,
        month=month.month,
        packed=months.pack(month),
        updated_at=at,
    )


@asynccontextmanager
async def staged(allowed: Sequence[str] = (), store: Store | None = None) -> AsyncIterator[Stage]:
    """A stage on stores in memory, or on the one given, which is the caller's to close."""
    config = Settings(admin_key=SecretStr(ADMIN_KEY), allowed_private_hosts=tuple(allowed), requests_per_minute=100_000)
    here, queue, clock = store or SqliteStore(":memory:"), EmbeddedQueue(":memory:"), Clock()
    outbound = GuardedOutbound(config.allowed_private_hosts)
    app = App(config, here, SealedVault(here, bytes(32)), queue, outbound, clock)
    try:
        yield Stage(app, clock, here, queue)
    finally:
        await outbound.close()
        await queue.close()
        if store is None:
            await here.close()
