"""The first forward: frozen events to PostHog at once, within the budget, or a word on why not.

What goes out here already carries everything a later copy will carry, so that both are one
row in PostHog.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

from hedgerow.deliveries import compressed, packed_batch
from hedgerow.posthog.ingestion import PATHS, USER_AGENT, V1_PATH, Outcome, send

if TYPE_CHECKING:
    from functions.capture.accept.breakers import Breakers
    from functions.capture.events import Frozen
    from functions.capture.projects import Project
    from hedgerow.app import App
    from hedgerow.deliveries import Lane

COMPRESS_FROM_BYTES = 512 * 1024
"""Below it packing costs more than the way: 100 kB take a millisecond of a core, and as long on a line of 1 Gbit/s."""
MOST_TOGETHER_BYTES = 256 * 1024
WITHOUT_V1_SECONDS = 600.0
LEAST_SECONDS = 0.25
"""Of a second question within one budget: less would only look like a PostHog that does not answer."""
_ATTEMPT = re.compile(r"[1-9][0-9]{0,5}")
V1_PATHS: dict[str, str] = {"events": V1_PATH, "ai": "/i/v1/ai/events"}
BROKEN = Outcome("failed", "forward_broke_off", "The forward ended without an outcome.")
CLOSED = Outcome("failed", "posthog_down", "PostHog did not answer just now; it is asked again every few seconds.")


@dataclass(slots=True)
class Carried:
    """Headers of the SDK's request that go on with its events."""

    user_agent: str = ""
    address_chain: str = ""
    sdk_info: str = ""
    attempt: str = "1"
    request_id: str = ""
    created_at: str = ""


@dataclass(slots=True)
class _Group:
    """Events of several requests on their way in one: JSON without its brackets, and what became of them."""

    carried: Carried
    outcome: asyncio.Future[Outcome]
    parts: list[bytes] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class Verdicts:
    """What PostHog said of each event of a v1 batch: all delivered but those named."""

    outcome: Outcome
    dropped: dict[str, str] = field(default_factory=dict)
    """uuid to details."""
    again: set[str] = field(default_factory=set)
    warned: dict[str, str] = field(default_factory=dict)


class Forwarding:
    """Forwards for one instance, with its breakers."""

    def __init__(self, app: App, breakers: Breakers) -> None:
        self._app = app
        self._breakers = breakers
        self._without_v1: dict[str, float] = {}
        self._gathering: dict[tuple[str, str, bool], _Group] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def forward(
        self,
        project: Project,
        lane: Lane,
        events: Sequence[Frozen],
        carried: Carried,
        *,
        historical: bool,
        until: float = 0.0,
    ) -> Outcome:
        """Protocol v0, or a recording. `until`: when the request's budget ends, where some of it is used up."""
        if self._breakers.is_open(upstream_of(project), time.monotonic()):
            return CLOSED
        encoded = orjson.dumps([event.body for event in events])
        if lane == "recordings":
            return await self._send(upstream_of(project), PATHS[lane], encoded, _headers(carried))
        if lane == "events" and len(encoded) < MOST_TOGETHER_BYTES and not until:
            return await self._together(project, encoded[1:-1], carried, historical=historical)
        body = packed_batch(project.token, encoded[1:-1], historical=historical)
        return await self._send(upstream_of(project), PATHS[lane], body, _headers(carried), until)

    async def _together(self, project: Project, events: bytes, carried: Carried, *, historical: bool) -> Outcome:
        """Share one request to PostHog with whatever is ready in the same turn of the loop.

        Nobody waits for anybody: where one request comes at a time each goes alone, and under
        load PostHog is asked less often than we are.
        """
        key = (project.origin, project.token, historical)
        group = self._gathering.get(key)
        if group is None or group.size + len(events) > MOST_TOGETHER_BYTES:
            loop = asyncio.get_running_loop()
            group = self._gathering[key] = _Group(carried, loop.create_future())
            loop.call_soon(self._leave, key, group)
        group.parts.append(events)
        group.size += len(events)
        until = time.monotonic() + self._app.settings.forward_seconds
        outcome = await group.outcome
        if outcome.kind in {"refused", "too_large"} and len(group.parts) > 1:
            # Whose fault it is shows when each goes alone.
            body = packed_batch(project.token, events, historical=historical)
            return await self._send(upstream_of(project), PATHS["events"], body, _headers(carried), until)
        return outcome

    def _leave(self, key: tuple[str, str, bool], group: _Group) -> None:
        if self._gathering.get(key) is group:
            del self._gathering[key]
        task = asyncio.get_running_loop().create_task(self._carry(key, group))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, key: tuple[str, str, bool], group: _Group) -> None:
        origin, token, historical = key
        body = packed_batch(token, b",".join(group.parts), historical=historical)
        try:
            group.outcome.set_result(
                await self._send(_upstream(origin, token), PATHS["events"], body, _headers(group.carried))
            )
        finally:
            if not group.outcome.done():
                group.outcome.set_result(BROKEN)

    async def forward_v1(
        self, project: Project, lane: Lane, events: Sequence[Frozen], carried: Carried, *, historical: bool
    ) -> Verdicts:
        """Protocol v1; v0 where the upstream does not know it."""
        from functions.capture.wire.freezing import as_v1
        from functions.capture.wire.timestamps import written
        from functions.capture.wire.uuids import canonical

        url = project.origin + V1_PATHS[lane]
        if self._without_v1.get(url, 0.0) > time.monotonic():
            return Verdicts(await self.forward(project, lane, events, carried, historical=historical))
        now = written(self._app.now())
        batch: dict[str, object] = {"created_at": carried.created_at or now, "batch": [as_v1(each) for each in events]}
        if historical:
            batch["historical_migration"] = True
        headers = {
            **_headers(carried),
            "Authorization": f"Bearer {project.token}",
            # What is wrong with a header must not be the end of the events.
            "PostHog-Sdk-Info": carried.sdk_info if "/" in carried.sdk_info else USER_AGENT,
            "PostHog-Attempt": carried.attempt if _ATTEMPT.fullmatch(carried.attempt) else "1",
            "PostHog-Request-Id": canonical(carried.request_id) or str(uuid.uuid4()),
            "PostHog-Request-Timestamp": now,
        }
        until = time.monotonic() + self._app.settings.forward_seconds
        outcome = await self._send(upstream_of(project), V1_PATHS[lane], orjson.dumps(batch), headers)
        if outcome.status in {404, 405}:
            self._without_v1[url] = time.monotonic() + WITHOUT_V1_SECONDS
            self._breakers.succeeded(upstream_of(project))
            return Verdicts(await self.forward(project, lane, events, carried, historical=historical, until=until))
        return _read(outcome)

    async def _send(
        self, upstream: str, path: str, body: bytes, headers: dict[str, str], until: float = 0.0
    ) -> Outcome:
        if not self._breakers.may_try(upstream, time.monotonic()):
            return CLOSED
        if len(body) >= COMPRESS_FROM_BYTES:
            body = await asyncio.to_thread(compressed, body)
            headers["Content-Encoding"] = "gzip"
        seconds = max(LEAST_SECONDS, until - time.monotonic()) if until else self._app.settings.forward_seconds
        outcome = await send(
            self._app.outbound.session, upstream.partition(" ")[0] + path, body, headers, seconds=seconds
        )
        if outcome.kind == "failed":
            self._breakers.failed(upstream, time.monotonic())
        else:
            self._breakers.succeeded(upstream)
        return outcome


def upstream_of(project: Project) -> str:
    """What a breaker is about: a project at its host. One that alone fails must not shut the host to the others."""
    return _upstream(project.origin, project.token)


def _upstream(origin: str, token: str) -> str:
    return f"{origin} {token}"


def _headers(carried: Carried) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": carried.user_agent or USER_AGENT,
        # A few bytes come back; unpacking them would cost more than they weigh.
        "Accept-Encoding": "identity",
    }
    if carried.address_chain:
        headers["X-Forwarded-For"] = carried.address_chain
    return headers


def _read(outcome: Outcome) -> Verdicts:
    """The verdicts of a v1 answer. A 200 that cannot be read is no success: nobody knows what became of the events."""
    verdicts = Verdicts(outcome)
    if outcome.kind != "delivered":
        return verdicts
    try:
        found = orjson.loads(outcome.body)["results"]
        said = {str(key): (_word(value), str(value.get("details") or "")) for key, value in found.items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        verdicts.outcome = Outcome(
            "failed", "posthog_unreadable", "PostHog answered 200 without a readable verdict.", outcome.status
        )
        return verdicts
    for key, (word, details) in said.items():
        if word == "drop":
            verdicts.dropped[key.lower()] = details
        elif word == "retry":
            verdicts.again.add(key.lower())
        elif word == "warning":
            verdicts.warned[key.lower()] = details
    return verdicts


def _word(verdict: Mapping[str, object]) -> Literal["ok", "warning", "drop", "retry"]:
    match verdict.get("result"):
        case "drop":
            return "drop"
        case "retry":
            return "retry"
        case "warning":
            return "warning"
    return "ok"
