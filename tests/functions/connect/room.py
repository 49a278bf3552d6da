"""A stage whose way out leads to local PostHogs: a US one, an EU one, and a self-hosted one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

from functions.connect.main import connect
from local.posthog import LocalPostHog
from tests.stage import ADMIN_KEY, NOW, Stage, staged

if TYPE_CHECKING:
    import aiohttp
    from starlette.types import ASGIApp, Receive, Scope, Send

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


class PostHogs:
    """Local PostHogs, each built when it is first needed. `close` them at the end."""

    def __init__(self) -> None:
        self._built: dict[str, LocalPostHog] = {}

    def at(self, name: str) -> LocalPostHog:
        """The one of this name."""
        if name not in self._built:
            self._built[name] = LocalPostHog(now=NOW, timezone="Europe/Berlin" if name == "us" else "UTC")
            if name == "us":
                self._built[name].load([{"event": "signed up", "distinct_id": "u1", "timestamp": NOW.isoformat()}])
        return self._built[name]

    def app(self, name: str) -> ASGIApp:
        """Its application, which builds it at the first call."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.at(name).app(scope, receive, send)

        return app

    def asked(self, name: str) -> int:
        """How many requests it saw; none where it was never needed."""
        return sum(self._built[name].requests.values()) if name in self._built else 0

    def close(self) -> None:
        """Close those that were built."""
        for built in self._built.values():
            built.close()


@dataclass
class Room:
    """The stage, its PostHogs, and who calls."""

    stage: Stage
    posthogs: PostHogs

    @property
    def us(self) -> LocalPostHog:
        """The one behind https://us.posthog.com, in Berlin's zone and with one event."""
        return self.posthogs.at("us")

    @property
    def eu(self) -> LocalPostHog:
        """The one behind https://eu.posthog.com."""
        return self.posthogs.at("eu")

    @property
    def own(self) -> LocalPostHog:
        """The self-hosted one, without events."""
        return self.posthogs.at("own")

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
async def furnished(store: Store | None = None) -> AsyncIterator[Room]:
    """A room on a store in memory, or on the one given."""
    posthogs = PostHogs()
    homes: dict[str, tuple[str, ...]] = {
        "us": ("us.posthog.com", "us.i.posthog.com"),
        "eu": ("eu.posthog.com", "eu.i.posthog.com"),
        "own": ("posthog.example.com",),
    }
    to = {
        f"all://{host}": httpx.ASGITransport(app=posthogs.app(name)) for name, hosts in homes.items() for host in hosts
    }
    try:
        async with staged(store=store) as stage:
            guarded = stage.app.outbound
            async with httpx.AsyncClient(transport=guarded.http._transport, mounts=to) as http:
                stage.app = replace(stage.app, outbound=ToLocalPostHogs(http, guarded))
                yield Room(stage, posthogs)
    finally:
        posthogs.close()


def verdict(answer: httpx.Response, name: str) -> dict[str, Any]:
    """One capability of an answer."""
    found: dict[str, Any] = next(one for one in answer.json()["capabilities"] if one["name"] == name)
    return found
