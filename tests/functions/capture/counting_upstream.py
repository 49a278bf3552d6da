"""An upstream that reads both protocols as PostHog does, answers what a test wants, and counts the rows it would hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Event = dict[str, Any]
Row = tuple[str, str, str, str]


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
