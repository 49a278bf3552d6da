"""A message that its subscription gave up: pushed to a target, and as the record that is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from hedgerow import wiring
from hedgerow.dead_letters import DeadMessage
from tests.stage import NOW

if TYPE_CHECKING:
    from starlette.responses import Response

    from hedgerow.messages import Message
    from tests.stage import Stage, Target


async def died(stage: Stage, message: Message, number: int = 1, **more: object) -> DeadMessage:
    """`dead_` + number, that many seconds after `NOW`, whole unless `more` says otherwise."""
    dead = DeadMessage(
        id=f"dead_{number}",
        topic=message.topic,
        body=message.model_dump_json(),
        reason="It was delivered 10 times and never acknowledged.",
        at=NOW + timedelta(seconds=number),
        code="given_up",
        key=message.key,
        is_whole=True,
    )
    return await stage.add(dead.model_copy(update=more))


async def push(stage: Stage, target: Target, body: bytes) -> int:
    """The status a target of the stage answers a pushed body with."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    with wiring.override(stage.app):
        return cast("Response", await target(Request(scope, receive))).status_code


async def kept(stage: Stage) -> list[DeadMessage]:
    """Every dead message that is kept."""
    return list((await stage.store.find(DeadMessage)).items)
