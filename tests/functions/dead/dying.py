"""A message that its subscription gave up, as the record that is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hedgerow.dead_letters import DeadMessage
from tests.stage import NOW

if TYPE_CHECKING:
    from hedgerow.messages import Message
    from tests.stage import Stage


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
