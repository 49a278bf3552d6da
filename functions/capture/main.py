"""The capture family's targets: the SDKs' host with the five operations, the outbox API, redelivery's tick.

`capture` is a plain ASGI application without a framework's router: an event passes here
between a product and PostHog.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import functions_framework.aio

from functions.capture import answers
from functions.capture.answers import Answer
from functions.capture.hosting import Host, host_of
from functions.capture.inbound import Inbound
from functions.capture.ingesting import ingest
from functions.capture.paths import place_of
from hedgerow import problems, wiring
from hedgerow.app import App
from hedgerow.entrypoint import Target, api_from, on_tick
from hedgerow.errors import HedgerowError, RefusedError
from hedgerow.logs import log

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from functions.capture.passing import Passed

STALL_SECONDS = 30.0
"""How long a client may be silent in the middle of its body."""
OPERATIONS = "/v1/capture/"


async def _door(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; whatever happens in here, an SDK hears something it can act on."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    origin = headers.get(b"origin")
    path = scope["path"]
    host = host_of(wiring.current())
    began = False

    async def watched(message: Any) -> None:
        nonlocal began
        began = True
        await send(message)

    try:
        if path.startswith(OPERATIONS):
            await _operate(host, scope, receive, watched)
            return
        answer = await _answered(host, scope, headers, receive)
    except Exception:
        log().exception("capture.crashed", path=path)
        answer = answers.refused(503, "transient error, please retry")
    if answer is not None and not began:
        await _send(answer, origin, send)


async def _answered(host: Host, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Answer | Passed | None:
    """The answer to a request on the SDKs' host; None when its client left before its body had come."""
    settings = host.app.settings
    place = place_of(scope["method"], scope["path"], settings.capture_prefix)
    if place.kind == "preflight":
        return answers.preflight(None, headers.get(b"access-control-request-headers"))
    if place.kind == "health":
        return answers.HEALTH
    limit = settings.capture_bytes * (2 if place.kind == "recording" else 1)
    try:
        body = await _body(receive, limit)
    except TimeoutError:
        return answers.refused(408, "the body stopped coming")
    if body is None:
        return None
    chain = headers.get(b"x-forwarded-for", b"").decode("latin-1")
    peer = scope["client"][0] if scope.get("client") else ""
    inbound = Inbound(
        method=scope["method"],
        place=place,
        raw_query=scope["query_string"],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        raw_headers=list(scope["headers"]),
        headers=headers,
        body=body,
        received_at=host.app.now(),
        address=_address(chain, peer, settings.forwarded_hops),
        peer=peer,
        address_chain=f"{chain}, {peer}" if chain and peer else chain or peer,
    )
    if len(body) > limit:
        return answers.refused(413, f"maximum event size exceeded: the body is over {limit} bytes")
    if place.kind != "passing":
        return await ingest(host, inbound)
    from functions.capture.passing_through import pass_through

    return await pass_through(host, inbound)


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or one byte more than the limit of it; None when the client left half-way."""
    parts: list[bytes] = []
    size = 0
    while True:
        async with asyncio.timeout(STALL_SECONDS):
            message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        if not message.get("more_body", False) and not parts:
            return cast("bytes", part[: limit + 1])
        size += len(part)
        # What is over the limit is read to its end all the same, or the client never hears the answer.
        if size <= limit:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= limit else b"\0" * (limit + 1)


def _address(chain: str, peer: str, hops: int) -> str | None:
    """The client's address: what our own outermost proxy saw, never what a client wrote before that."""
    entries = [entry.strip() for entry in chain.split(",") if entry.strip()]
    if hops and entries:
        return entries[-hops] if hops <= len(entries) else entries[0]
    return peer or None


async def _send(answer: Answer | Passed, origin: bytes | None, send: Send) -> None:
    body = answer.body
    if isinstance(answer, Answer):
        headers = [(b"content-type", answer.content_type), *answer.headers]
    else:
        headers = [each for each in answer.headers if not each[0].lower().startswith(b"access-control-")]
    headers += answers.cross_origin(origin)
    if isinstance(body, bytes):
        if isinstance(answer, Answer):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for part in body:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _operate(host: Host, scope: Scope, receive: Receive, send: Send) -> None:
    """One of the five operations; its refusals are problem documents like the rest of /v1."""
    from functions.capture.operating import operate

    try:
        response = await operate(host, scope, receive)
    except RefusedError as error:
        response = problems.answer(error, error.status)
    except HedgerowError as error:
        log().warning("request.failed", code=error.code, detail=error.detail)
        response = problems.answer(error, 503)
    await response(scope, receive, send)


async def _capture(request: Request) -> ASGIApp:
    return _door


def _registered() -> Target:
    _capture.__name__ = _capture.__qualname__ = "capture"
    return cast("Target", functions_framework.aio.http(cast("Any", _capture)))


capture = _registered()


def _routes() -> APIRouter:
    from functions.capture.routes import router

    return router


outbox = api_from("outbox", _routes)


@on_tick
async def redeliver_tick(app: App, body: dict[str, str]) -> dict[str, object]:
    """Cloud Scheduler, every minute."""
    from functions.capture import redelivering

    return dict(await redelivering.redeliver(app))
