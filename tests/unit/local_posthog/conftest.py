"""A local PostHog in this process, a client that holds its key, and a short way to ask HogQL."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from local.posthog import LocalPostHog

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)


class Caller:
    """Asks one project of a local PostHog over its ASGI app."""

    def __init__(self, posthog: LocalPostHog, client: httpx.AsyncClient) -> None:
        self.posthog = posthog
        self.client = client

    async def ask(self, hogql: str, **body: Any) -> httpx.Response:
        query: dict[str, Any] = {"kind": "HogQLQuery", "query": hogql, **body.pop("query", {})}
        return await self.client.post(
            f"/api/projects/{self.posthog.project_id}/query/",
            json={"query": query, "refresh": "force_blocking", **body},
        )

    async def rows(self, hogql: str, *, converts_zone: bool = True, **values: Any) -> list[list[Any]]:
        modifiers = {"convertToProjectTimezone": converts_zone}
        answer = await self.ask(hogql, query={"values": values, "modifiers": modifiers})
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["results"]
        return found

    async def refusal(self, hogql: str, **values: Any) -> dict[str, Any]:
        answer = await self.ask(hogql, query={"values": values})
        assert answer.status_code == 400, answer.text
        refused: dict[str, Any] = answer.json()
        return refused

    async def capture(self, *events: dict[str, Any], **batch: Any) -> httpx.Response:
        body = {"api_key": self.posthog.project_token, "batch": list(events), **batch}
        return await self.client.post("/batch/", json=body)


@pytest.fixture(scope="session", autouse=True)
def _engine() -> Iterator[None]:
    """Hold ClickHouse open for the whole run: opening it anew for each test costs half a second."""
    from local.posthog.engine import open_engine

    engine = open_engine()
    yield
    engine.close()


@pytest.fixture
def posthog() -> Iterator[LocalPostHog]:
    with LocalPostHog(now=NOW) as local:
        local.clock.freeze()
        local.clock.move_to(NOW)
        yield local


@pytest.fixture
async def caller(posthog: LocalPostHog) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=posthog.app),
        base_url="http://posthog.test",
        headers={"Authorization": f"Bearer {posthog.personal_api_key}"},
    ) as client:
        yield Caller(posthog, client)
