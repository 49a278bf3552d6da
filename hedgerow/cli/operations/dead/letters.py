"""Dead messages as the operator finds them: one, the newest, or all that still wait for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from hedgerow.dead_letters import DeadMessage
from hedgerow.errors import InvalidError, MissingError
from hedgerow.ports import Where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.ports import Store

PAGE = 200
BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)

State = Literal["dead", "redelivering", "redelivered"]


def state_of(dead: DeadMessage) -> State:
    """`redelivering` is where a redelivery stopped half-way: it may have been published, or not."""
    if dead.redelivered_at is not None:
        return "redelivered"
    return "dead" if dead.redelivering_at is None else "redelivering"


async def one(store: Store, id: str) -> DeadMessage:
    """The dead message of this id."""
    found = await store.get(DeadMessage, id)
    if found is None:
        raise MissingError(f"There is no dead message {id}.", hint="hedgerow dead list names those that are kept.")
    return found


async def newest(store: Store, topic: str | None, limit: int) -> tuple[tuple[DeadMessage, ...], bool]:
    """The newest ones, and whether there are more."""
    page = await store.find(DeadMessage, *_where(topic), limit=limit)
    return page.items, page.next_cursor is not None


async def waiting(store: Store, topic: str | None) -> AsyncIterator[list[DeadMessage]]:
    """All that were not published again, newest first, page by page."""
    cursor: str | None = None
    while True:
        page = await store.find(DeadMessage, *_where(topic), limit=PAGE, cursor=cursor)
        yield [dead for dead in page.items if dead.redelivered_at is None]
        cursor = page.next_cursor
        if cursor is None:
            return


def _where(topic: str | None) -> tuple[Where, ...]:
    if topic is not None:
        if not topic.isascii():
            raise InvalidError("Topics are written in ASCII.", hint="hedgerow dead list names those of dead messages.")
        return (Where("topic", "==", topic),)
    # By time, newest first: a question without conditions would go by id.
    return (Where("at", ">", BEFORE_ALL),)
