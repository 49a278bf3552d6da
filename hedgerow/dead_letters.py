"""Messages that nobody will deliver again by itself: kept once each, 30 days, for a person to look at.

Two ways lead here: a target acknowledges and buries a message that it cannot read or that can
never succeed, and a subscription that gave one up sends it to the dead topic, whose target buries it. Owns the
record and how it is first written; what a person then does is the command line's.
"""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from hedgerow.app import App
from hedgerow.errors import ConflictError, HedgerowError
from hedgerow.key_shapes import without_keys
from hedgerow.logs import log
from hedgerow.ports import Add
from hedgerow.pushes import DELIVERIES, PUBLISHED, SUBSCRIPTION, Push, unwrap
from hedgerow.records import Index, Instant, Record, derived_id

BODY_CHARACTERS = 64_000
REASON_CHARACTERS = 2_000
ATTRIBUTE_CHARACTERS = 1_024
_INSTANT = TypeAdapter(Instant)
MOST_ATTRIBUTES = 100
"""As many as Pub/Sub takes of one message."""
_COUNT = re.compile("[0-9]{1,9}")
_KEPT_NAME = re.compile(r"(?!__.*__$).{1,256}", re.DOTALL)
"""Firestore refuses a record for any other name in it, and the message would come again for days."""

DeadCode = Literal["unreadable", "rejected", "given_up"]


class DeadMessage(Record):
    """A message that could not be read, can never succeed or was given up; acknowledged, and kept 30 days for a person.

    Redelivering marks it with `redelivering_at`, publishes, then marks it with
    `redelivered_at`: whoever finds only the first mark publishes again, which the
    message's key makes harmless.
    """

    collection = "dead_messages"
    indexes = (Index("-at"), Index("at"), Index("topic", "-at"))

    topic: str = Field(description="Without the installation's prefix, such as `sync-requested`.")
    body: str = Field(description="The message as it came, cut at 64,000 characters, what looks like a key cut.")
    reason: str
    at: Instant = Field(description="When it was kept.")
    code: DeadCode = "unreadable"
    subscription: str = Field(default="", description="Which one gave it up, or delivered what could not be read.")
    key: str = Field(default="", description="What makes two deliveries the same message.")
    attempts: int | None = Field(default=None, description="Deliveries, as far as the queue said.")
    attributes: dict[str, str] = Field(default={}, description="What travelled with it, Pub/Sub's own left out.")
    trace: str | None = Field(default=None, description="W3C traceparent of what published it.")
    published_at: Instant | None = Field(default=None, description="When it was first seen.")
    is_whole: bool = Field(default=False, description="The body is what was published, character by character.")
    redelivering_at: Instant | None = Field(default=None, description="When somebody began to publish it again.")
    redelivered_at: Instant | None = Field(default=None, description="When it was published again.")


def given_up(push: Push, topic_prefix: str, now: datetime) -> DeadMessage:
    """The record of a push of the dead topic; a second push of the same dead letter gives the same id."""
    attributes = dict(push.attributes)
    subscription = attributes.get(SUBSCRIPTION, "")
    attempts = int(said) if _COUNT.fullmatch(said := attributes.get(DELIVERIES, "")) else None
    times = f"{attempts} times" if attempts is not None else "again and again"
    return _record(
        push,
        now,
        topic=subscription.removeprefix(topic_prefix) or "unknown",
        subscription=subscription,
        code="given_up",
        reason=f"It was delivered {times} and never acknowledged: its target answered with an error, or not at all.",
        attempts=attempts,
        published=attributes.get(PUBLISHED, ""),
        same=(subscription, attributes.get(PUBLISHED, "")),
    )


def unreadable(topic: str, body: bytes, error: ValueError, now: datetime) -> DeadMessage:
    """The record of a push that `topic`'s target could not read; a repeated delivery gives the same id."""
    return _put_aside(topic, body, "unreadable", why(error), now)


def rejected(topic: str, body: bytes, error: HedgerowError, now: datetime) -> DeadMessage:
    """The record of a push whose work can never succeed; a repeated delivery gives the same id."""
    return _put_aside(topic, body, "rejected", f"{error.detail} [{error.code}]"[:REASON_CHARACTERS], now)


async def keep(app: App, dead: DeadMessage) -> bool:
    """Write the record, once, and say so in the log; False when it is there already."""
    try:
        await app.store.commit(Add(dead))
    except ConflictError:
        return False
    log().error("message.dead", topic=dead.topic, reason=dead.code, dead_id=dead.id)
    return True


def why(error: ValueError) -> str:
    """What is wrong with a message, in words, without the values it holds."""
    if not isinstance(error, ValidationError):
        return without_keys(str(error))[:REASON_CHARACTERS]
    wrong = (f"{'.'.join(map(str, each['loc'])) or 'message'}: {each['msg']}" for each in error.errors())
    return without_keys("; ".join(wrong))[:REASON_CHARACTERS]


def _put_aside(topic: str, body: bytes, code: DeadCode, reason: str, now: datetime) -> DeadMessage:
    try:
        push = unwrap(body)
    except ValueError:
        push = Push(data=body)
    return _record(
        push,
        now,
        topic=topic,
        subscription=push.subscription.rpartition("/")[2],
        code=code,
        reason=reason,
        attempts=None,
        published=push.published_at,
        same=(topic, push.message_id),
    )


def _record(
    push: Push,
    now: datetime,
    *,
    topic: str,
    subscription: str,
    code: DeadCode,
    reason: str,
    attempts: int | None,
    published: str,
    same: tuple[str, ...],
) -> DeadMessage:
    text = push.data.decode("utf-8", "replace")
    shown = without_keys(text)[:BODY_CHARACTERS]
    return DeadMessage(
        id=derived_id("dead", *same, push.attributes.get("key", ""), text),
        topic=topic,
        body=shown,
        reason=reason,
        at=now,
        code=code,
        subscription=subscription,
        key=without_keys(push.attributes.get("key", ""))[:ATTRIBUTE_CHARACTERS],
        attempts=attempts,
        attributes={
            without_keys(name): without_keys(value)[:ATTRIBUTE_CHARACTERS]
            for name, value in islice(push.attributes.items(), MOST_ATTRIBUTES)
            if not name.startswith("CloudPubSub") and _KEPT_NAME.fullmatch(name)
        },
        trace=push.attributes.get("traceparent"),
        published_at=_instant(published),
        is_whole=shown.encode() == push.data,
    )


def _instant(text: str) -> datetime | None:
    try:
        return _INSTANT.validate_python(text) if text else None
    except ValidationError:
        return None
