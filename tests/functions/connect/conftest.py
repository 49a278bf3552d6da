"""A room for each test: a stage whose way out leads to local PostHogs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest

from local.posthog import LocalPostHog
from tests.functions.connect.room import Room, ToLocalPostHogs
from tests.stage import NOW, staged


@pytest.fixture
def posthogs() -> Iterator[tuple[LocalPostHog, LocalPostHog, LocalPostHog]]:
    with (
        LocalPostHog(now=NOW, timezone="Europe/Berlin") as us,
        LocalPostHog(now=NOW) as eu,
        LocalPostHog(now=NOW) as own,
    ):
        us.load([{"event": "signed up", "distinct_id": "u1", "timestamp": NOW.isoformat()}])
        yield us, eu, own


@pytest.fixture
async def room(posthogs: tuple[LocalPostHog, LocalPostHog, LocalPostHog]) -> AsyncIterator[Room]:
    us, eu, own = posthogs
    to = {
        f"all://{host}": httpx.ASGITransport(app=posthog.app)
        for posthog, hosts in (
            (us, ("us.posthog.com", "us.i.posthog.com")),
            (eu, ("eu.posthog.com", "eu.i.posthog.com")),
            (own, ("posthog.example.com",)),
        )
        for host in hosts
    }
    async with staged() as stage:
        guarded = stage.app.outbound
        async with httpx.AsyncClient(transport=guarded.http._transport, mounts=to) as http:
            stage.app = replace(stage.app, outbound=ToLocalPostHogs(http, guarded))
            yield Room(stage, us, eu, own)
