"""A room for the accept path: `capture` on a real uvicorn, an upstream that counts what arrives, and the books."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import httpx
import orjson
import uvicorn
from starlette.requests import Request

from functions.capture.hosting import Host, host_of
from functions.capture.main import capture
from functions.capture.redelivery import redelivering
from hedgerow import wiring
from hedgerow.capture_rules import CaptureRules
from hedgerow.deliveries import Delivery
from hedgerow.models import Connection, Tenant, TokenClaim
from hedgerow.posthog.keys import claim_id
from hedgerow.records import new_id
from hedgerow.tallies import CaptureCount
from tests.functions.capture.counting_upstream import Answer, Upstream, healthy
from tests.functions.capture.wire_bytes import V1, v1_headers
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hedgerow.app import App
    from hedgerow.capture_rules import CatalogRules, MergeRules, PrivacyRules
    from hedgerow.ports import Store


@dataclass
class Room:
    """One installation behind a real server; `project` makes a connected project."""

    stage: Stage
    app: App
    upstream: Upstream
    tenant: Tenant
    client: httpx.AsyncClient
    port: int
    tokens: dict[str, Connection] = field(default_factory=dict)

    @property
    def host(self) -> Host:
        """Capture's own parts."""
        return host_of(self.app)

    async def project(
        self,
        token: str = "",
        *,
        origin: str = "",
        tenant: Tenant | None = None,
        privacy: PrivacyRules | None = None,
        catalog: CatalogRules | None = None,
        merges: MergeRules | None = None,
    ) -> str:
        """The token of a new project."""
        token = token or f"phc_{uuid4().hex}"
        made = await self.stage.connection(tenant or self.tenant, token=token, project=str(len(self.tokens) + 1))
        there = made.model_copy(
            update={"id": new_id("con"), "version": 0, "ingestion_host": origin or self.upstream.origin}
        )
        connection = self.tokens[token] = await self.stage.add(there)
        await self.stage.add(TokenClaim(id=claim_id(token), connection_id=connection.id, proved=True))
        rules = {"privacy": privacy, "catalog": catalog, "merges": merges}
        given = {name: rule for name, rule in rules.items() if rule is not None}
        if given:
            await self.stage.add(
                CaptureRules.model_validate(
                    {"id": connection.id, "tenant_id": connection.tenant_id, "connection_id": connection.id, **given}
                )
            )
        return token

    async def send(
        self, path: str, body: object, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """A POST; what is no bytes goes as JSON."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.client.post(path, content=content, headers=headers, **options)

    async def v0(self, token: str, events: Sequence[object], **options: Any) -> httpx.Response:
        """A batch in v0."""
        return await self.send("/batch/", {"api_key": token, "batch": list(events)}, **options)

    async def v1(self, token: str, events: Sequence[object], path: str = V1) -> httpx.Response:
        """A batch in v1."""
        return await self.send(path, {"created_at": "2026-11-20T15:30:00Z", "batch": list(events)}, v1_headers(token))

    async def raw(self, *parts: bytes | float, ends: bool = True, seconds: float = 20.0) -> bytes:
        """Bytes on a socket of their own, with pauses between them; the answer, or nothing when we leave first."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                if isinstance(part, bytes):
                    writer.write(part)
                    await writer.drain()
                else:
                    await asyncio.sleep(part)
            if not ends:
                return b""
            async with asyncio.timeout(seconds):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
                )
                return head + await reader.readexactly(length)
        finally:
            writer.close()

    async def tick(self) -> dict[str, object]:
        """A minute passes, and redelivery's tick."""
        self.stage.clock.forward(timedelta(minutes=1))
        return await redelivering.redeliver(self.stage.app)

    async def drained(self) -> None:
        """Ticks until nothing waits."""
        for _ in range(12):
            if not await self.waiting():
                return
            await self.tick()
        raise AssertionError("the outbox does not empty")

    async def waiting(self) -> list[Delivery]:
        """Pending deliveries."""
        return [delivery for delivery in await self.deliveries() if delivery.state == "pending"]

    async def deliveries(self) -> list[Delivery]:
        """All of them."""
        return list((await self.stage.store.find(Delivery, limit=1_000)).items)

    async def dead(self) -> dict[str, int]:
        """Dead events by the code of their trouble."""
        found: Counter[str] = Counter()
        for delivery in await self.deliveries():
            if delivery.state == "dead":
                found[delivery.trouble.code if delivery.trouble else ""] += delivery.count
        return dict(found)

    async def books(self, token: str | None = None) -> dict[str, int]:
        """Events by state as counted, without zeros; checked against each other and against what lies in the outbox."""
        await self.host.counts.flush()
        sums: Counter[str] = Counter()
        for record in (await self.stage.store.find(CaptureCount, limit=1_000)).items:
            if record.connection_id and (token is None or self.tokens[token].id == record.connection_id):
                for row in record.rows:
                    sums.update(row.model_dump(exclude={"name", "shift"}))
        assert sums["accepted"] == sums["delivered"] + sums["pending"] + sums["held"] + sums["dead"], sums
        kept = [each for each in await self.deliveries() if token in {None, *self._tokens_of(each.connection_id)}]
        for state in ("pending", "held", "dead"):
            lies = sum(each.count for each in kept if each.state == state)
            assert lies == sums[state], (state, lies, sums)
        return {state: number for state, number in sums.items() if number}

    async def marks(self) -> dict[str, int]:
        """Everything else that was counted."""
        await self.host.counts.flush()
        sums: Counter[str] = Counter()
        for record in (await self.stage.store.find(CaptureCount, limit=1_000)).items:
            sums.update(record.marks)
        return dict(sums)

    def _tokens_of(self, connection_id: str) -> set[str]:
        return {token for token, connection in self.tokens.items() if connection.id == connection_id}


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[int]:
    """The port `capture` listens on."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        with wiring.override(app):
            await cast("ASGIApp", await capture(Request(scope, receive)))(scope, receive, send)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1_000)
        config = uvicorn.Config(door, log_level="error", lifespan="off", access_log=False, proxy_headers=False)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 -- uvicorn has a flag and no event
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def room(
    answer: Answer = healthy,
    *,
    store: Store | None = None,
    before: Callable[[App], App] | None = None,
    **settings: object,
) -> AsyncIterator[Room]:
    """A room for the block; `before` may wrap the App's ports for capture, not for redelivery."""
    upstream = Upstream(answer)
    await upstream.on()
    try:
        async with staged([f"127.0.0.1:{upstream.port}"], store) as stage:
            changed = replace(stage.app, settings=stage.app.settings.model_copy(update=settings))
            app = before(changed) if before else changed
            async with (
                serving(app) as port,
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
            ):
                yield Room(stage, app, upstream, await stage.tenant(), client, port)
                await host_of(app).counts.flush()
    finally:
        await upstream.off()
