"""The stand-ins of the chat services, and a client that speaks to them in process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from local.chat import ChatServices
from tests.stage import Clock


@pytest.fixture
async def chat() -> AsyncIterator[tuple[ChatServices, httpx.AsyncClient]]:
    services = ChatServices(Clock())
    transport = httpx.ASGITransport(app=services)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test") as client:
        yield services, client
