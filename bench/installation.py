"""An installation to measure: an App whose store is counted, a clock that is moved, connected to a local PostHog."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bench.serving import serving
from hedgerow import days, runs
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.sealed import SealedVault
from hedgerow.app import App
from hedgerow.models import Connection, SyncRun, Tenant
from hedgerow.outbound import GuardedOutbound
from hedgerow.ports import Add
from hedgerow.records import new_id
from hedgerow.settings import Settings
from tests.crash import CountingStore, Ledger

if TYPE_CHECKING:
    from hedgerow.ports import Store
    from local.posthog import LocalPostHog

ADMIN_KEY = "the-admin-key-of-the-bench"
NOW = datetime(2026, 11, 20, 8, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Installation:
    """`ledger` counts every document the app reads and writes, the sealed vault's included; `store` is the uncounted one."""

    app: App
    store: Store
    posthog: LocalPostHog
    host: str
    ledger: Ledger

    async def connected(self) -> tuple[Connection, SyncRun]:
        """A Scale connection to the PostHog, with the pending 30-day run that connecting begins."""
        now = self.app.now()
        tenant = Tenant(id=new_id("ten"), name="Bench", tier="scale", created_at=now)
        id = new_id("con")
        connection = Connection(
            id=id,
            tenant_id=tenant.id,
            name="Bench",
            host=self.host,
            project_id=self.posthog.project_id,
            secret_ref=await self.app.vault.write(id, SecretStr(self.posthog.personal_api_key)),
            state="connected",
            state_since=now,
            tier="scale",
            timezone=self.posthog.project.timezone,
            created_at=now,
        )
        today = days.today(now, connection.timezone)
        first = today - timedelta(days=runs.FIRST_DAYS - 1)
        (run,) = runs.plan(connection, "first", first, today, now)
        await self.app.store.commit(Add(tenant), Add(connection), Add(run))
        return connection, run

    async def reread(self, connection: Connection) -> Connection:
        """The connection as it stands; not counted."""
        held = await self.store.get(Connection, connection.id)
        if held is None:
            raise LookupError(connection.id)
        return held


@asynccontextmanager
async def installed(store: Store, posthog: LocalPostHog) -> AsyncIterator[Installation]:
    """In the time of the PostHog's clock. Closes what it opened, the store not."""
    async with serving(posthog.app) as address:
        ledger = Ledger()
        counting = CountingStore(store, ledger)
        config = Settings(admin_key=SecretStr(ADMIN_KEY), allowed_private_hosts=(address,))
        queue, outbound = EmbeddedQueue(":memory:"), GuardedOutbound(config.allowed_private_hosts)
        app = App(config, counting, SealedVault(counting, bytes(32)), queue, outbound, posthog.clock.now)
        try:
            yield Installation(app, store, posthog, f"http://{address}", ledger)
        finally:
            await outbound.close()
            await queue.close()
