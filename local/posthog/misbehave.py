"""Carrying a fault out: late answers, wrong answers, cut answers, no answer at all.

A reset closes the socket itself under uvicorn; in process, where there is none, it raises what
httpx raises when a server does so.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Send

from local.posthog.errors import (
    ApiError,
    authentication_failed,
    permission_denied,
    server_error,
    throttled,
)
from local.posthog.faults import Fault
from local.posthog.query_answers import TOO_BUSY, TOO_LONG, TOO_SLOW

_CLOUDFLARE = (
    "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head>"
    "<body><h1>Sorry, you have been blocked</h1><p>error code: 1010</p></body></html>"
)


async def serve(fault: Fault | None, request: Request, send: Send, answer: Callable[[], Awaitable[Response]]) -> None:
    """Answer a request, with the fault it meets, if any."""
    if fault is not None and fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    if fault is not None and fault.kind == "reset":
        await reset(send)
        return
    response = _instead(fault, request) if fault is not None else None
    if response is None:
        response = await answer()
    if fault is not None and fault.kind == "reset_after":
        await reset(send)
    elif fault is not None and fault.kind == "half":
        await _half(response, send)
    else:
        await response(request.scope, request.receive, send)


async def reset(send: Send) -> None:
    """Break the connection without an answer."""
    transport = _transport(send)
    if transport is None:
        import httpx

        raise httpx.ReadError("connection reset by the local PostHog")
    peer = transport.get_extra_info("socket")
    if peer is not None:
        # Without lingering, the kernel sends RST in place of FIN.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    # The server learns of the closed connection in the next turns of the loop.
    await asyncio.sleep(0.01)


async def _half(response: Response, send: Send) -> None:
    body = bytes(response.body)
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    transport = _transport(send)
    if transport is None:
        import httpx

        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    await asyncio.sleep(0.01)
    transport.close()
    await asyncio.sleep(0.01)


def _instead(fault: Fault, request: Request) -> Response | None:
    """The answer given in place of the true one; None when the fault leaves it in place."""
    if fault.kind == "wrong_type":
        return JSONResponse(["unexpected", {"shape": True}])
    if fault.kind == "cloudflare":
        return HTMLResponse(_CLOUDFLARE, 403, {"Server": "cloudflare"})
    if fault.kind != "status":
        return None
    if fault.body is None:
        response = _usual(fault.status, is_api=request.url.path.startswith("/api/"))
    elif isinstance(fault.body, str):
        response = PlainTextResponse(fault.body, fault.status)
    else:
        response = JSONResponse(fault.body, fault.status)
    for name, value in fault.headers.items():
        response.headers[name] = value
    return response


def _usual(status: int, *, is_api: bool) -> Response:
    """What PostHog answers with this status when nothing else is asked for."""
    if status == 502 or (status == 504 and not is_api):
        title = "502 Bad Gateway" if status == 502 else "504 Gateway Time-out"
        return HTMLResponse(f"<html><body><h1>{title}</h1></body></html>", status)
    if not is_api:
        texts = {
            401: "API key is not valid: empty",
            413: "maximum event size exceeded: the body is too large",
            429: "rate limited",
            503: "transient error, please retry",
        }
        return PlainTextResponse(texts.get(status, "invalid event could not be processed"), status)
    refusals = {
        401: authentication_failed("Personal API key found in request Authorization header is invalid."),
        403: permission_denied("You don't have access to the project."),
        429: throttled(1),
        503: ApiError(503, "server_error", "error", TOO_BUSY),
        504: ApiError(504, "server_error", "clickhouse_timeout", TOO_LONG),
        512: ApiError(512, "server_error", "clickhouse_estimate", TOO_SLOW),
        500: server_error(),
    }
    refusal = refusals.get(status)
    if refusal is None:
        refusal = ApiError(status, "invalid_request", "error", "Refused by the local PostHog.")
    return refusal.response()


def _transport(send: Send) -> Any:
    """The socket's transport under uvicorn, whose `send` is bound to the request's cycle."""
    return getattr(getattr(send, "__self__", None), "transport", None)
