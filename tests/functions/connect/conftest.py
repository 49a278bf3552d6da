"""A room for each test: a stage whose way out leads to local PostHogs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.functions.connect.room import Room, furnished


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with furnished() as built:
        yield built
