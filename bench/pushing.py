"""Calling a private target as the platform does: a push envelope or a tick's body, without a network between."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from hedgerow import wiring

if TYPE_CHECKING:
    from starlette.responses import Response

    from hedgerow.app import App
    from hedgerow.entrypoint import Target
    from hedgerow.messages import Message


def envelope(message: Message) -> bytes:
    """The body of Pub/Sub's push request for a message."""
    body = base64.b64encode(message.model_dump_json().encode()).decode()
    return json.dumps(
        {
            "message": {"data": body, "attributes": {"key": message.key}, "messageId": "1"},
            "subscription": "projects/bench/subscriptions/bench",
        }
    ).encode()


async def call(app: App, target: Target, body: bytes) -> Response:
    """The target's answer to a POST of this body."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    with wiring.override(app):
        return cast("Response", await target(Request(scope, receive)))
