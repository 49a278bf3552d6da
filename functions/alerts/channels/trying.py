"""A test message, sent now: what the service said, in words, within fifteen seconds."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel, Field

from functions.alerts.channels.places import ClosedError, opened
from functions.alerts.records import Channel, Webhook
from hedgerow.app import App
from hedgerow.channels import sending
from hedgerow.channels.notice import Notice
from hedgerow.errors import OutboundError
from hedgerow.records import new_id

LONGEST_SECONDS = 15.0
# Of a test nothing is sent again, and nothing was switched off by it.
HINTS = {
    "channel_gone": "Make a new webhook or token and give it: `hedgerow channels change`, or PATCH with `url`.",
    "channel_unreachable": "Check the address, and try again in a minute; a test is not sent again by itself.",
    "channel_busy": "Try again in a minute; a test is not sent again by itself.",
    "channel_refused": "Check the address: the service is there and does not take the message.",
}


class Tried(BaseModel):
    """What came of a test."""

    ok: bool
    code: str = Field(description="`sent`, or why not.")
    detail: str
    hint: str
    seconds: float


async def try_it(app: App, record: Channel | Webhook) -> Tried:
    """Send a test, whatever the state of the channel; nothing about it changes."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            place = await opened(app, record)
            await sending.send(app, place.settings, _notice(app, record), None)
    except TimeoutError:
        return _tried(began, "channel_unreachable", f"No answer within {LONGEST_SECONDS:.0f} s.", "Try again later.")
    except (ClosedError, OutboundError) as error:
        return _tried(began, error.code, error.detail, HINTS.get(error.code, error.hint))
    again = "" if record.disabled_at is None else 'It works, but is off: PATCH it with {"enabled": true}.'
    return _tried(began, "sent", "The test message was accepted.", again, ok=True)


def _tried(began: float, code: str, detail: str, hint: str, *, ok: bool = False) -> Tried:
    return Tried(ok=ok, code=code, detail=detail, hint=hint, seconds=round(time.perf_counter() - began, 3))


def _notice(app: App, record: Channel | Webhook) -> Notice:
    return Notice(
        key=new_id("test"),
        mood="test",
        severity="info",
        title="This is a test from Hedgerow: alerts will arrive here.",
        at=app.now(),
        facts=(("Channel", record.name if isinstance(record, Channel) else record.id),),
        kind="test",
    )
