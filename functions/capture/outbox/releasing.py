"""Dead, held and pending deliveries sent again by hand, and held ones refused: each with its move in the counts.

A delivery and the counts of its hour change in one commit. What can never be delivered is
refused with the reason, whoever asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from functions.capture.guards import judging_again
from functions.capture.outbox import contents
from functions.capture.outbox.waiting import Aside, delivery_of
from hedgerow import delivery as steps
from hedgerow.app import App
from hedgerow.deliveries import Delivery, DeliveryChunk, DeliveryStory, chunk_id
from hedgerow.delivery_parts import Whole, cut
from hedgerow.errors import ConflictError, InvalidError, RefusedError, StateConflictError
from hedgerow.models import Connection, Trouble
from hedgerow.ports import Add, Change, Delete, Swap, Where
from hedgerow.tallies import CaptureCount, CountRow, added, count_id

INSTANCE = "by hand"
MOST_AT_ONCE = 100
MOST_LOOKED_AT = 2_000
_TRIES = 5


class Wanted(BaseModel):
    """Which deliveries: some by id, or all of a state, with `event` only those that hold one of this name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: list[str] | None = Field(default=None, max_length=MOST_AT_ONCE)
    state: Aside | None = None
    event: str | None = Field(default=None, max_length=1_000)
    cursor: str | None = Field(default=None, description="The `next_cursor` of the call before, with `state`.")


class NotReleased(BaseModel):
    """A delivery that was left as it is, and why."""

    id: str
    code: str
    detail: str
    hint: str


class Released(BaseModel):
    """What was done. `more`: call again with `next_cursor`."""

    deliveries: int
    events: int
    refused: list[NotReleased]
    more: bool
    next_cursor: str | None


@dataclass(slots=True)
class Decision:
    """What a delivery becomes: the changes, the count's rows, and how many events are released."""

    changes: list[Change]
    rows: tuple[CountRow, ...] = ()
    events: int = 0
    left: Trouble | None = None
    """Why a part of it stays as it is."""


@dataclass(slots=True)
class _Chosen:
    ids: list[str] = field(default_factory=list)
    next_cursor: str | None = None
    is_named: bool = False


Decide = Callable[[Delivery], Awaitable[Decision]]


async def redeliver(app: App, connection: Connection, wanted: Wanted) -> Released:
    """Make them pending and due now; what the catalogue refused is judged by today's first.

    `MissingError` or `StateConflictError` when deliveries were named and none could be released.
    """
    _is_answerable(connection)
    judge = await judging_again.judge_now(app, connection)

    async def decide(delivery: Delivery) -> Decision:
        if delivery.state == "pending":
            # Only its time: the merge guard may not have looked at it yet.
            return Decision([Swap(delivery.model_copy(update={"due_at": app.now()}))], events=delivery.count)
        if delivery.state == "delivered":
            raise StateConflictError(f"{delivery.id} was delivered.", code="delivered", hint="Nothing is left to do.")
        chunks = await _chunks(app, delivery)
        batch = contents.batch_of(await contents.unpacked(app.store, delivery))
        if batch is None:
            raise _unreadable(delivery)
        refused = {}
        if judging_again.was_refused_by_catalog(delivery):
            refused = judging_again.still_refused(judge, delivery, batch)
        if not refused:
            again = steps.replayed(delivery, app.now())
            kept = [Swap(chunk.model_copy(update={"expires_at": None})) for chunk in chunks]
            return Decision([Swap(again), *kept], steps.moved(delivery, "pending"), delivery.count)
        why = next(iter(refused.values()))
        if len(refused) == delivery.count:
            raise StateConflictError(why.detail, code=why.code, hint=why.hint)
        return _cut(app, delivery, chunks, refused, why)

    return await _each(app, connection, await _chosen(app, connection, wanted), decide)


async def refuse(app: App, connection: Connection, wanted: Wanted) -> Released:
    """Make held deliveries dead; they are kept thirty days and can still be redelivered."""
    if wanted.state not in {None, "held"}:
        raise InvalidError(
            "Only what is held can be refused.", hint='Say {"state": "held"}.', members={"field": "state"}
        )

    async def decide(delivery: Delivery) -> Decision:
        if delivery.state != "held":
            raise StateConflictError(
                f"{delivery.id} is {delivery.state}, not held.", hint="Only what is held waits for a decision."
            )
        was = delivery.trouble.detail if delivery.trouble else "It was held."
        trouble = Trouble(
            code="refused_by_hand",
            detail=f"Refused by hand. {was}",
            hint="`hedgerow outbox redeliver` sends it after all, as long as it is kept.",
        )
        dead = steps.refused(delivery, app.now(), trouble)
        chunks = await _chunks(app, delivery)
        kept = [Swap(chunk.model_copy(update={"expires_at": dead.expires_at})) for chunk in chunks]
        return Decision([Swap(dead), *kept], steps.moved(delivery, "dead"), delivery.count)

    return await _each(app, connection, await _chosen(app, connection, wanted), decide)


def _cut(
    app: App, delivery: Delivery, chunks: list[DeliveryChunk], refused: dict[int, Trouble], why: Trouble
) -> Decision:
    """What passes now goes out as a delivery of its own; the rest stays dead as another."""
    passing = [place for place in range(delivery.count) if place not in refused]
    packed = delivery.payload + b"".join(chunk.payload for chunk in chunks)
    parts = cut(delivery, packed, {f"released {passing}": passing, f"refused {passing}": sorted(refused)})
    if parts is None:
        raise _unreadable(delivery)
    released, rest = parts.values()
    dead = rest.delivery.model_copy(update={"trouble": why, "expires_at": delivery.expires_at})
    stays = Whole(dead, tuple(chunk.model_copy(update={"expires_at": dead.expires_at}) for chunk in rest.chunks))
    goes = Whole(steps.replayed(released.delivery, app.now()), released.chunks)
    added_ones = [Add(record) for part in (goes, stays) for record in (part.delivery, *part.chunks)]
    gone = [Delete(Delivery, delivery.id, delivery.version), *(Delete(DeliveryChunk, chunk.id) for chunk in chunks)]
    return Decision([*gone, *added_ones], steps.moved(released.delivery, "pending"), len(passing), left=why)


async def _each(app: App, connection: Connection, chosen: _Chosen, decide: Decide) -> Released:
    done = Released(
        deliveries=0, events=0, refused=[], more=chosen.next_cursor is not None, next_cursor=chosen.next_cursor
    )
    first: RefusedError | None = None
    for id in chosen.ids:
        try:
            decision = await _one(app, connection, id, decide)
        except RefusedError as error:
            first = first or error
            done.refused.append(NotReleased(id=id, code=error.code, detail=error.detail, hint=error.hint))
            continue
        done.deliveries += 1
        done.events += decision.events
        if decision.left is not None:
            left = decision.left
            done.refused.append(NotReleased(id=id, code=left.code, detail=left.detail, hint=left.hint))
    if first is not None and not done.deliveries and chosen.is_named:
        raise first
    return done


async def _one(app: App, connection: Connection, id: str, decide: Decide) -> Decision:
    """Decide and commit, anew when somebody else wrote first; `RefusedError` for what cannot be done."""
    for _ in range(_TRIES):
        delivery = await delivery_of(app, connection, id)
        decision = await decide(delivery)
        counted = [await _count(app, delivery, decision.rows)] if decision.rows else []
        try:
            await app.store.commit(*decision.changes, *counted)
        except ConflictError:
            continue
        return decision
    raise StateConflictError(f"{id} is changing just now.", code="changing", hint="Ask again in a moment.")


async def _count(app: App, delivery: Delivery, rows: tuple[CountRow, ...]) -> Add | Swap:
    id = count_id(delivery.connection_id, delivery.hour, INSTANCE)
    found = await app.store.get(CaptureCount, id)
    if found is not None:
        return Swap(found.model_copy(update={"rows": added(found.rows, rows)}))
    return Add(
        CaptureCount(
            id=id,
            tenant_id=delivery.tenant_id,
            connection_id=delivery.connection_id,
            hour=delivery.hour,
            rows=added((), rows),
        )
    )


async def _chosen(app: App, connection: Connection, wanted: Wanted) -> _Chosen:
    if (wanted.ids is None) == (wanted.state is None):
        raise InvalidError(
            "Say which: `ids`, or a `state`.",
            hint='For example {"ids": ["dlv_…"]}, or {"state": "dead"}.',
            members={"field": "ids"},
        )
    if wanted.ids is not None:
        return _Chosen(list(dict.fromkeys(wanted.ids)), is_named=True)
    where = (Where("connection_id", "==", connection.id), Where("state", "==", wanted.state))
    chosen, looked_at = _Chosen(next_cursor=wanted.cursor), 0
    while len(chosen.ids) < MOST_AT_ONCE and looked_at < MOST_LOOKED_AT:
        page = await app.store.find(
            DeliveryStory, *where, limit=MOST_AT_ONCE - len(chosen.ids), cursor=chosen.next_cursor
        )
        looked_at += len(page.items)
        chosen.ids += [found.id for found in page.items if _holds(found, wanted.event)]
        chosen.next_cursor = page.next_cursor
        if page.next_cursor is None:
            break
    return chosen


def _holds(delivery: DeliveryStory, event: str | None) -> bool:
    return event is None or any(row.name == event for row in delivery.tally)


async def _chunks(app: App, delivery: Delivery) -> list[DeliveryChunk]:
    ids = [chunk_id(delivery.id, number) for number in range(1, delivery.chunks + 1)]
    found = await app.store.get_many(DeliveryChunk, ids) if ids else []
    chunks = [chunk for chunk in found if chunk is not None]
    if len(chunks) < delivery.chunks:
        raise contents.broken(delivery.id)
    return chunks


def _unreadable(delivery: Delivery) -> StateConflictError:
    why = f" Why: {delivery.trouble.detail}" if delivery.trouble else ""
    shown = "`hedgerow outbox show --payload` with a write key shows what came." if delivery.size else ""
    held = "is no JSON that PostHog could read" if delivery.size else "could not be read, and its text is not kept"
    return StateConflictError(
        f"What came in as {delivery.id} {held}, so it can never be sent.{why}",
        code="unreadable",
        hint=f"Mend what sends it, and send it anew. {shown}".rstrip(),
    )


def _is_answerable(connection: Connection) -> None:
    if connection.state in {"disconnecting", "disconnected"}:
        raise StateConflictError(
            f"The connection is {connection.state}: nothing of it is sent any more.",
            code=f"connection_{connection.state}",
            hint="Connect the project again.",
        )
