"""A room for the accept path: `capture` on a real uvicorn, an upstream that counts what arrives, and the books."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import httpx
import orjson
import uvicorn
from aiohttp import web
from starlette.requests import Request

from functions.capture import redelivering
from functions.capture.hosting import Host, host_of
from functions.capture.main import capture
from hedgerow import wiring
from hedgerow.capture_rules import CaptureRules
from hedgerow.deliveries import Delivery
from hedgerow.models import Connection, Tenant, TokenClaim
from hedgerow.posthog.keys import claim_id
from hedgerow.records import new_id
from hedgerow.tallies import CaptureCount
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hedgerow.app import App
    from hedgerow.capture_rules import CatalogRules, MergeRules, PrivacyRules
    from hedgerow.ports import Store

Event = dict[str, Any]
Row = tuple[str, str, str, str]
OK = b'{"status":1}'
V1 = "/i/v1/analytics/events"


@dataclass(frozen=True)
class Batch:
    """One request as PostHog would read it."""

    path: str
    token: str | None
    events: list[Event]
    headers: Mapping[str, str]
    historical: bool = False

    @property
    def is_v1(self) -> bool:
        return self.path.startswith("/i/v1/")


Answer = Callable[[Batch], web.StreamResponse | Awaitable[web.StreamResponse]]


def healthy(batch: Batch) -> web.StreamResponse:
    """What PostHog says when all is well."""
    if not batch.is_v1:
        return web.json_response({"status": 1})
    return web.json_response({"results": {event["uuid"]: {"result": "ok"} for event in batch.events}})


def strict(batch: Batch) -> web.StreamResponse:
    """A PostHog that refuses any batch with an event named "poison"."""
    if any(event["event"] == "poison" for event in batch.events):
        return web.Response(status=400, text="failed to parse request: poison")
    return healthy(batch)


@dataclass
class Upstream:
    """Answers what `answer` says. `rows` are the rows PostHog would hold, `bodies` every copy of each."""

    answer: Answer = healthy
    takes_even_so: bool = False
    """Whether it takes what it then does not say 200 to: an answer that was lost."""
    seen: list[Batch] = field(default_factory=list)
    rows: Counter[Row] = field(default_factory=Counter)
    bodies: dict[str, list[Event]] = field(default_factory=dict)
    port: int = 0
    _runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def uuids(self) -> set[str]:
        """The events it holds."""
        return {row[0] for row in self.rows}

    async def meet(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        batch = (
            Batch(request.path, body[0]["properties"].get("token") or body[0].get("api_key"), body, request.headers)
            if isinstance(body, list)
            else Batch(
                request.path,
                body.get("api_key") or request.headers.get("Authorization", "").removeprefix("Bearer "),
                body["batch"],
                request.headers,
                body.get("historical_migration", False),
            )
        )
        self.seen.append(batch)
        if self.takes_even_so:
            self._take(batch, set())
        answer = self.answer(batch)
        if not isinstance(answer, web.StreamResponse):
            answer = await answer
        if answer.status == 200 and not self.takes_even_so:
            self._take(batch, _left(batch, answer))
        return answer

    def _take(self, batch: Batch, left: set[str]) -> None:
        for event in batch.events:
            if event["uuid"] not in left:
                self.rows[event["uuid"], event["event"], event["distinct_id"], event["timestamp"]] += 1
                self.bodies.setdefault(event["uuid"], []).append(event)

    @property
    def is_on(self) -> bool:
        return self._runner is not None

    async def on(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/{path:.*}", self.meet)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def off(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()


def _left(batch: Batch, answer: web.StreamResponse) -> set[str]:
    """What a v1 answer says was not taken."""
    if not batch.is_v1 or not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return set()
    try:
        results = json.loads(answer.body)["results"]
    except (ValueError, KeyError, TypeError):
        return set()
    return {uuid for uuid, verdict in results.items() if verdict["result"] in {"drop", "retry"}}


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


def v1_headers(token: str) -> dict[str, str]:
    """What v1 asks for."""
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "PostHog-Sdk-Info": "posthog-python/7.91.1",
        "PostHog-Attempt": "1",
        "PostHog-Request-Id": str(uuid4()),
        "PostHog-Request-Timestamp": "2026-11-20T15:30:00Z",
    }


def event(name: str = "paid", at: str = "2026-11-20T15:29:58.000Z", **fields: Any) -> Event:
    """A new event as an SDK writes it."""
    made: Event = {
        "uuid": str(uuid4()),
        "event": name,
        "distinct_id": "u1",
        "timestamp": at,
        "properties": {"plan": "pro"},
    }
    return {**made, **fields}


def request(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """The bytes of a POST; `length` may lie."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: h.test", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(path: str, *parts: bytes, end: bool = True) -> bytes:
    """The bytes of a POST in chunks."""
    head = f"POST {path} HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return head + body + (b"0\r\n\r\n" if end else b"")


def envelope(token: str, events: Sequence[object]) -> bytes:
    """A v0 batch as bytes."""
    return orjson.dumps({"api_key": token, "batch": list(events)})


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, 1)


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
