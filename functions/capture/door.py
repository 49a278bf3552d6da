"""The SDKs' host as a plain ASGI application, without a framework's router: an event passes here between a product and PostHog.

It owns reading a request and writing its answer. What the request means is decided in
`wire`, `accept`, `operating` and `through`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from functions.capture.accept.ingesting import ingest
from functions.capture.hosting import Host, host_of
from functions.capture.wire import answers
from functions.capture.wire.answers import Answer
from functions.capture.wire.inbound import Inbound
from functions.capture.wire.paths import place_of
from hedgerow import problems, wiring
from hedgerow.errors import HedgerowError, MethodError, RefusedError
from hedgerow.logs import log

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from functions.capture.operating.operation_answers import OperationAnswer
    from functions.capture.through.passing import Passed
    from functions.capture.wire.paths import Place
    from hedgerow.settings import Settings

OPERATIONS = "/v1/capture/"


class SlowBodyError(RefusedError):
    """The body of an operation did not come in time."""

    status = 408
    code = "body_timeout"
    hint = "Send the request again."


async def door(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request; whatever happens in here, an SDK hears something it can act on."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    origin = headers.get(b"origin")
    path = scope["path"]
    host = host_of(wiring.current())
    kind, began = "", False

    async def watched(message: Any) -> None:
        nonlocal began
        began = True
        await send(message)

    try:
        place = place_of(scope["method"], path, host.app.settings.capture_prefix)
        kind = place.kind
        if place.kind == "operation":
            await _operate(host, place, scope, receive, watched)
            return
        answer = await _answered(host, place, scope, headers, receive)
    except Exception:
        log().exception("capture.crashed", path=path)
        answer = answers.refusal(kind, 503, "service_unavailable", "transient error, please retry")
    if answer is not None and not began:
        await _send(answer, origin, send)


async def _answered(
    host: Host, place: Place, scope: Scope, headers: dict[bytes, bytes], receive: Receive
) -> Answer | Passed | None:
    """The answer to a request on the SDKs' host; None when its client left before its body had come."""
    settings = host.app.settings
    if place.kind == "preflight":
        return answers.preflight(None, headers.get(b"access-control-request-headers"))
    if place.kind == "health":
        return answers.HEALTH
    limit = settings.capture_bytes * (2 if place.kind == "recording" else 1)
    try:
        body = await _body(host, receive, limit)
    except TimeoutError:
        return answers.refusal(place.kind, 408, "body_read_timeout", "the body stopped coming")
    if body is None:
        return None
    chain, peer = _chain(headers), _peer(scope)
    inbound = Inbound(
        method=scope["method"],
        place=place,
        raw_query=scope["query_string"],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        raw_headers=list(scope["headers"]),
        headers=headers,
        body=body,
        received_at=host.app.now(),
        address=_address_of(scope, headers, settings),
        peer=peer,
        address_chain=f"{chain}, {peer}" if chain and peer else chain or peer,
    )
    if len(body) > limit:
        why = f"maximum event size exceeded: the body is over {limit} bytes"
        return answers.refusal(place.kind, 413, "payload_too_large", why)
    if place.kind != "passing":
        return await ingest(host, inbound)
    from functions.capture.through.passing_through import pass_through

    return await pass_through(host, inbound)


async def _body(host: Host, receive: Receive, limit: int) -> bytes | None:
    """The whole body, or one byte more than the limit of it; None when the client left half-way."""
    parts: list[bytes] = []
    size = 0
    until = 0.0
    while True:
        async with asyncio.timeout(host.stall_seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        if not message.get("more_body", False) and not size:
            return cast("bytes", part[: limit + 1])
        until = until or time.monotonic() + host.body_seconds
        if time.monotonic() > until:
            raise TimeoutError
        size += len(part)
        # What is over the limit is read to its end all the same, or the client never hears the answer.
        if size <= limit:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= limit else b"\0" * (limit + 1)


def _address_of(scope: Scope, headers: dict[bytes, bytes], settings: Settings) -> str | None:
    """The client's address: what our own outermost proxy saw, never what a client wrote before that."""
    entries = [entry.strip() for entry in _chain(headers).split(",") if entry.strip()]
    hops = settings.forwarded_hops
    if hops and entries:
        return entries[-hops] if hops <= len(entries) else entries[0]
    return _peer(scope) or None


def _chain(headers: dict[bytes, bytes]) -> str:
    return headers.get(b"x-forwarded-for", b"").decode("latin-1")


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


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


async def _operate(host: Host, place: Place, scope: Scope, receive: Receive, send: Send) -> None:
    """One of the five operations; its refusals are problem documents like the rest of /v1."""
    try:
        answered = await _performed(host, place, scope, receive)
    except RefusedError as error:
        await problems.answer(error, error.status)(scope, receive, send)
        return
    except HedgerowError as error:
        log().warning("request.failed", code=error.code, detail=error.detail)
        await problems.answer(error, 503)(scope, receive, send)
        return
    if answered is not None:
        headers = tuple((name.lower().encode(), value.encode()) for name, value in answered.headers.items())
        await _send(Answer(answered.status, answered.body, headers=headers), None, send)


async def _performed(host: Host, place: Place, scope: Scope, receive: Receive) -> OperationAnswer | None:
    from functions.capture.operating import operations

    if scope["method"] != "POST":
        raise MethodError(f"An operation is a POST, not a {scope['method']}.")
    headers = dict(scope["headers"])
    wish = operations.wish_of(scope["query_string"])
    project = await operations.authorise(host, problems.bearer_of(scope), wish.connection_id)
    settings = host.app.settings
    try:
        body = await _body(host, receive, settings.body_bytes)
    except TimeoutError:
        raise SlowBodyError("The body stopped coming.") from None
    if body is None:
        return None
    return await operations.perform(
        host,
        place.path.removeprefix(OPERATIONS).strip("/"),
        project,
        body,
        durable=wish.durable,
        address=_address_of(scope, headers, settings),
        sdk=headers.get(b"user-agent", b"").decode("latin-1"),
    )
