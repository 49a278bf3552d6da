"""A room for each test: a stage whose way out leads to local PostHogs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from local.posthog import LocalPostHog
from tests.functions.connect.room import Room, furnished
from tests.stage import NOW


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
    async with furnished(*posthogs) as built:
        yield built
