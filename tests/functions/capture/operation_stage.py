"""A stage for the operations: the `capture` function, a connection, and a local PostHog on a port of loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from pydantic import SecretStr

from functions.capture.hosting import Host, host_of
from functions.capture.main import capture
from hedgerow.deliveries import Delivery
from hedgerow.models import Connection, Tenant, TokenClaim
from hedgerow.ports import Swap, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.tallies import CaptureCount, CountRow, added
from local.posthog import LocalPostHog
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from functions.capture.projects import Project

URL = "https://mysite.com/products/123?utm=1"
BODIES: dict[str, dict[str, Any]] = {
    "alias": {"DistinctId": "user@example.com", "Alias": "anonymous_123"},
    "event": {"DistinctId": "u1", "EventName": "purchase_completed", "Properties": {"amount": 99.99, "none": None}},
    "identity": {
        "DistinctId": "u1",
        "Name": "Jöhn 🌿",
        "Plan": "pro",
        "SignupDate": "2024-02-03",
        "PropertiesSet": {"address": {"city": "Oslo"}},
    },
    "page": {"DistinctId": "u1", "PageUrl": URL, "Referrer": "https://google.com", "Properties": {"utm": "x"}},
    "screen": {"DistinctId": "u1", "ScreenViewName": "Home", "AppVersion": "2.1.0", "Properties": {"os": "14"}},
}
OK = {"Data": {"status": 1}, "OriginalStatusCode": 200, "StatusCode": 200, "ErrorMessage": ""}


@dataclass(frozen=True)
class Arrived:
    """An event as PostHog keeps it."""

    uuid: str
    name: str
    distinct_id: str
    at: datetime
    properties: dict[str, Any]


@dataclass
class Shop:
    """One tenant with one connected project, and who calls with its project token."""

    stage: Stage
    posthog: LocalPostHog
    tenant: Tenant
    connection: Connection
    client: httpx.AsyncClient

    @property
    def host(self) -> Host:
        """Capture's own parts in this process."""
        return host_of(self.stage.app)

    async def project(self) -> Project:
        """The project as capture sees it."""
        found = await self.host.projects.by_token(self.posthog.project_token)
        assert found is not None
        return found

    async def ask(self, operation: str, body: object, query: str = "", bearer: str | None = None) -> httpx.Response:
        """One operation, with the project token unless another key is given."""
        headers = {"Authorization": f"Bearer {self.posthog.project_token if bearer is None else bearer}"}
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(f"/v1/capture/{operation}{query}", content=sent, headers=headers)

    async def change(self, **fields: object) -> None:
        """Change the connection at rest."""
        self.connection = self.connection.model_copy(update=fields)
        self.connection = (await self.stage.store.commit(Swap(self.connection))).of(self.connection)
        self.host.projects.forget(self.connection.id)

    async def arrived(self) -> list[Arrived]:
        """What PostHog holds, oldest first."""
        rows = await self.query(
            "select uuid, event, distinct_id, timestamp, properties from events order by timestamp limit 100"
        )
        return [
            Arrived(str(uuid), name, id, datetime.fromisoformat(at), _object(properties))
            for uuid, name, id, at, properties in rows
        ]

    async def persons(self) -> list[tuple[list[str], dict[str, Any]]]:
        """The ids and properties of each person."""
        rows = await self.query(
            "select groupArray(i.distinct_id), any(p.properties) from person_distinct_ids i "
            "join persons p on i.person_id = p.id group by p.id limit 100"
        )
        return [(sorted(ids), _object(properties)) for ids, properties in rows]

    async def deliveries(self) -> list[Delivery]:
        """What stands in the outbox."""
        found = await self.stage.store.find(Delivery, Where("connection_id", "==", self.connection.id), limit=100)
        return list(found.items)

    async def query(self, hogql: str) -> list[list[Any]]:
        """PostHog's rows."""
        transport = httpx.ASGITransport(app=self.posthog.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://posthog.test") as posthog:
            answer = await posthog.post(
                f"/api/projects/{self.posthog.project_id}/query/",
                json={"query": {"kind": "HogQLQuery", "query": hogql}, "refresh": "force_blocking"},
                headers={"Authorization": f"Bearer {self.posthog.personal_api_key}"},
            )
        assert answer.status_code == 200, answer.text
        rows: list[list[Any]] = answer.json()["results"]
        return rows

    async def counted(self) -> dict[str, CountRow]:
        """What was counted, by name."""
        await self.host.counts.flush()
        page = await self.stage.store.find(CaptureCount, Where("connection_id", "==", self.connection.id), limit=100)
        rows: tuple[CountRow, ...] = ()
        for record in page.items:
            rows = added(rows, record.rows)
        return {row.name: row for row in rows}


def _object(properties: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(properties) if isinstance(properties, str) else properties
    return read


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[int]:
    """The port of loopback an application listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", access_log=False))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 -- uvicorn has a flag and no event
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def shop(*, personal_key: bool = True) -> AsyncIterator[Shop]:
    """A shop whose PostHog's clock stands where Hedgerow's does."""
    with LocalPostHog(now=NOW) as posthog:
        async with serving(posthog.app) as port, staged([f"127.0.0.1:{port}"]) as stage:
            tenant = await stage.tenant()
            token, id = posthog.project_token, posthog.project_id
            host = f"http://127.0.0.1:{port}"
            connection = await stage.connection(tenant, project=id, token=token, host=host)
            await stage.add(TokenClaim(id=claim_id(token), connection_id=connection.id, proved=True))
            async with stage.calling(capture, None) as client:
                made = Shop(stage, posthog, tenant, connection, client)
                reference = await stage.app.vault.write(connection.id, SecretStr(posthog.personal_api_key))
                await made.change(secret_ref=reference if personal_key else None)
                yield made
