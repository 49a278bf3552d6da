"""A private target called as Pub/Sub or Cloud Scheduler would, and what it said meanwhile."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import structlog
from starlette.requests import Request
from structlog.testing import capture_logs

from hedgerow import logs, wiring
from hedgerow.adapters.embedded import Waiting

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.messages import Message

Target = Callable[[Request], Awaitable[object]]
Line = dict[str, Any]


async def called(app: App, target: Target, body: bytes) -> list[Line]:
    """Call a target as its caller would; its lines as Cloud Logging takes them."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    logs.log()  # Configured before, or its first use would put the capturing aside.
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    # The fields that the entry point bound are there while it runs, and not afterwards.
    with wiring.override(app), capture_logs(processors=[structlog.contextvars.merge_contextvars]) as said:
        await target(Request(scope, receive))
    return [rendered(dict(line)) for line in said]


def rendered(line: Line) -> Line:
    """A line through all the processors, to JSON and back."""
    method, text = line.pop("log_level"), cast("Any", line)
    for processor in logs.processors():
        text = processor(None, method, text)
    return cast("Line", json.loads(text))


def push(message: Message) -> bytes:
    return Waiting(1, message.topic, message.key, message.model_dump_json(), "2026-11-20T15:30:00Z").envelope("test")
