"""Where is this event? Our own timeline first, for what was not delivered at once; then PostHog's own row.

Deliveries are looked through newest first, within a bound, and the answer says when the
bound was reached. PostHog is asked only where the connection may ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from functions.capture.outbox import contents, event_views, posthog_rows
from functions.capture.outbox.event_views import EventPlace, EventPlaces, NotAsked
from hedgerow.app import App
from hedgerow.deliveries import Delivery, DeliveryStory, position_of
from hedgerow.errors import (
    HedgerowError,
    InvalidError,
    MissingError,
    OutboundError,
    RefusedError,
    SecretGoneError,
    StateConflictError,
)
from hedgerow.models import Connection
from hedgerow.ownership import may_ask
from hedgerow.ports import Where

MOST_DELIVERIES = 20_000
PAGE = 200
MOST_CONNECTIONS = 50
MOST_ASKED = 10
# An instance's clock may be ahead of ours.
_AHEAD = timedelta(days=1)
_CANNOT_ASK = (RefusedError, OutboundError, SecretGoneError)


@dataclass(frozen=True, slots=True)
class _Search:
    """What was found of our own; `is_whole` False: there are older deliveries that were not looked at."""

    place: EventPlace | None
    looked_at: int
    is_whole: bool


def uuid_of(text: str) -> UUID:
    """The uuid; `InvalidError` for anything else."""
    try:
        if len(text) not in {32, 36}:
            raise ValueError
        return UUID(text)
    except ValueError:
        raise InvalidError(
            "That is no uuid.",
            hint="An event's uuid is what the SDK gave it, such as 0197c2a1-…; `Hedgerow-Event-Id` has it for the five operations.",
            members={"field": "uuid"},
        ) from None


async def where_is(app: App, connection: Connection, text: str, *, most: int = MOST_DELIVERIES) -> EventPlace:
    """Where an event of this connection is.

    `MissingError` with the code `event_not_found` when neither we nor PostHog know it, and
    with `event_not_known` when it is not here and PostHog could not be asked.
    """
    uuid = uuid_of(text)
    search = await _own(app, connection, uuid, most)
    if search.place is not None:
        return search.place
    try:
        may_ask(connection)
        found = await _in_posthog(app, connection, uuid)
    except _CANNOT_ASK as error:
        raise _unknown(search, [_not_asked(connection, error)]) from None
    if found is None:
        raise _nowhere(search)
    return found


async def where_are(app: App, tenant_id: str, text: str) -> EventPlaces:
    """The same over every connection of a tenant; `MissingError` also with `no_connection`, when there is none."""
    uuid = uuid_of(text)
    page = await app.store.find(Connection, Where("tenant_id", "==", tenant_id), limit=MOST_CONNECTIONS)
    if not page.items:
        raise MissingError(
            "There is no connection yet.",
            code="no_connection",
            hint="Make one: hedgerow connect --host https://us.posthog.com",
        )
    left, is_whole, looked_at = MOST_DELIVERIES, page.next_cursor is None, 0
    items: list[EventPlace] = []
    for connection in page.items:
        search = await _own(app, connection, uuid, left)
        left, looked_at = left - search.looked_at, looked_at + search.looked_at
        is_whole = is_whole and search.is_whole
        if search.place is not None:
            items.append(search.place)
    if items:
        return EventPlaces(items=items, not_asked=[])
    not_asked = await _ask_each(app, page.items, uuid, items)
    if not items:
        search = _Search(None, looked_at, is_whole)
        raise _unknown(search, not_asked) if not_asked else _nowhere(search)
    return EventPlaces(items=items, not_asked=not_asked)


async def _ask_each(
    app: App, connections: tuple[Connection, ...], uuid: UUID, items: list[EventPlace]
) -> list[NotAsked]:
    """Ask each project once; what cannot be asked is told, and stops nobody."""
    not_asked: list[NotAsked] = []
    asked: set[tuple[str, str | None]] = set()
    for connection in connections:
        try:
            may_ask(connection)
            if (connection.host, connection.project_id) in asked:
                continue
            asked.add((connection.host, connection.project_id))
            if len(asked) > MOST_ASKED:
                raise StateConflictError(f"Only {MOST_ASKED} projects are asked at once.", hint="Name the connection.")
            found = await _in_posthog(app, connection, uuid)
        except _CANNOT_ASK as error:
            asked_not = _not_asked(connection, error)
            not_asked.append(asked_not.model_copy(update={"detail": f"{connection.name}: {asked_not.detail}"}))
            continue
        if found is not None:
            items.append(found)
    return not_asked


async def _own(app: App, connection: Connection, uuid: UUID, most: int) -> _Search:
    where = (Where("connection_id", "==", connection.id), Where("accepted_at", "<=", app.now() + _AHEAD))
    looked_at = 0
    cursor: str | None = None
    while looked_at < most:
        page = await app.store.find(DeliveryStory, *where, limit=min(PAGE, most - looked_at), cursor=cursor)
        for found in page.items:
            position = position_of(found.uuids, uuid)
            if position is not None:
                place = await _place(app, found, uuid, position)
                return _Search(place, looked_at, is_whole=True)
        looked_at += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return _Search(None, looked_at, is_whole=True)
    return _Search(None, looked_at, is_whole=False)


async def _place(app: App, found: DeliveryStory, uuid: UUID, position: int) -> EventPlace:
    """The event's story, with its name and time where the payload is still kept."""
    whole = await app.store.get(Delivery, found.id)
    event: contents.Inside | None = None
    if whole is not None and whole.payload:
        try:
            batch = contents.batch_of(await contents.unpacked(app.store, whole)) or []
        except StateConflictError:
            batch = []
        if len(batch) == len(found.uuids) // 16:
            event = contents.inside(batch[position])
    return event_views.own_place(found, uuid, position, event, app.now())


async def _in_posthog(app: App, connection: Connection, uuid: UUID) -> EventPlace | None:
    rows = await posthog_rows.rows_of(app, connection, uuid)
    return event_views.posthog_place(connection, uuid, rows) if rows else None


def _not_asked(connection: Connection, error: HedgerowError) -> NotAsked:
    return NotAsked(connection_id=connection.id, code=error.code, detail=error.detail, hint=error.hint)


def _nowhere(search: _Search) -> MissingError:
    """PostHog was asked, and holds it no more than we do."""
    return MissingError(
        f"This event is in none of our {search.looked_at:,} deliveries. "
        f"PostHog was asked and does not hold it.{_cut(search)}",
        code="event_not_found",
        hint="It was never sent here, went to another connection, or was delivered so recently that PostHog does not show "
        "it yet. What was delivered late is kept here 7 days, what is dead or held 30. PostHog says 200 and drops what is "
        "over its quota or what its own filters refuse.",
        members=_seen(search),
    )


def _unknown(search: _Search, not_asked: list[NotAsked]) -> MissingError:
    """What was delivered at once is counted here and no more; only PostHog could have said."""
    said = "; ".join(dict.fromkeys(each.detail for each in not_asked))
    return MissingError(
        f"Nothing of this event lies here, so if it came it was delivered at once and leaves no trace here.{_cut(search)} "
        f"PostHog could not be asked: {said}",
        code="event_not_known",
        hint=" ".join(dict.fromkeys(each.hint for each in not_asked if each.hint)),
        members={**_seen(search), "not_asked": [each.model_dump() for each in not_asked]},
    )


def _cut(search: _Search) -> str:
    return "" if search.is_whole else f" Only the newest {search.looked_at:,} deliveries were looked at."


def _seen(search: _Search) -> dict[str, object]:
    return {"deliveries_looked_at": search.looked_at, "cut": not search.is_whole}
