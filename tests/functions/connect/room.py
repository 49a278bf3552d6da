"""A stage whose way out leads to local PostHogs: a US one, an EU one, and a self-hosted one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

from functions.connect.main import connect
from local.posthog import LocalPostHog
from tests.stage import ADMIN_KEY, Stage, staged

if TYPE_CHECKING:
    import aiohttp

    from hedgerow.models import Role, Tenant, Tier
    from hedgerow.ports import Store

US, EU, OWN = "https://us.posthog.com", "https://eu.posthog.com", "https://posthog.example.com"


@dataclass(frozen=True)
class ToLocalPostHogs:
    """The way out of these tests: httpx by host to an application; what is no such host leaves as it would."""

    http: httpx.AsyncClient
    guarded: Any

    @property
    def session(self) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = self.guarded.session
        return session


@dataclass
class Room:
    """The stage, its PostHogs, and who calls."""

    stage: Stage
    us: LocalPostHog
    eu: LocalPostHog
    own: LocalPostHog

    @asynccontextmanager
    async def tenant(self, tier: Tier = "pro", role: Role = "write") -> AsyncIterator[tuple[Tenant, httpx.AsyncClient]]:
        """A new tenant and a client with a key of that role."""
        tenant = await self.stage.tenant(tier)
        async with self.stage.calling(connect, await self.stage.key(tenant, role)) as client:
            yield tenant, client

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client with the admin key."""
        async with self.stage.calling(connect, ADMIN_KEY) as client:
            yield client

    def keys(self, **more: object) -> dict[str, object]:
        """A body with the US project's personal key."""
        return {"host": US, "personal_api_key": self.us.personal_api_key, "project_id": self.us.project_id, **more}


@asynccontextmanager
async def furnished(
    us: LocalPostHog, eu: LocalPostHog, own: LocalPostHog, store: Store | None = None
) -> AsyncIterator[Room]:
    """A room on a store in memory, or on the one given."""
    to = {
        f"all://{host}": httpx.ASGITransport(app=posthog.app)
        for posthog, hosts in (
            (us, ("us.posthog.com", "us.i.posthog.com")),
            (eu, ("eu.posthog.com", "eu.i.posthog.com")),
            (own, ("posthog.example.com",)),
        )
        for host in hosts
    }
    async with staged(store=store) as stage:
        guarded = stage.app.outbound
        async with httpx.AsyncClient(transport=guarded.http._transport, mounts=to) as http:
            stage.app = replace(stage.app, outbound=ToLocalPostHogs(http, guarded))
            yield Room(stage, us, eu, own)


def verdict(answer: httpx.Response, name: str) -> dict[str, Any]:
    """One capability of an answer."""
    found: dict[str, Any] = next(one for one in answer.json()["capabilities"] if one["name"] == name)
    return found
