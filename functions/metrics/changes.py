"""Every past day whose value moved after it was complete, newest finding first.

A change set is what one run changed in one month; a page may end inside one. The cursor
therefore says at which set, found when, and after how many of its changes to go on.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from pydantic import BaseModel

from functions.metrics.names import unit_of
from functions.metrics.window import day_of, oldest_of
from hedgerow import days
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.models import ChangeSet, Connection, ValueChange
from hedgerow.ports import Where

SETS_AT_ONCE = 50


class Change(BaseModel):
    """One value that moved. `old` or `new` null: there was none before, or is none now."""

    metric: str
    day: date
    unit: str
    old: float | int | None
    new: float | int | None
    run: str
    at: datetime
    reason: Literal["late_events_or_merges", "timezone"]


class ChangePage(BaseModel):
    """A page of changes."""

    items: list[Change]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next page begins: in this set, behind so many of its changes."""

    at: datetime
    id: str
    skip: int

    def text(self) -> str:
        """The opaque cursor."""
        plain = json.dumps([self.at.isoformat(), self.id, self.skip], separators=(",", ":"))
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


async def changes_of(app: App, connection: Connection, since: str | None, limit: int, cursor: str | None) -> ChangePage:
    """One page of a connection's changes, of days its tier still shows.

    `since` is a date (its local midnight) or an instant; `InvalidError` for neither, and
    for a broken cursor.
    """
    oldest = oldest_of(app, connection)
    place = _place(cursor) if cursor else None
    begin = _instant(connection, since) if since is not None else None
    items: list[Change] = []
    where = [Where("connection_id", "==", connection.id)]
    if begin is not None:
        where.append(Where("at", ">=", begin))
    if place is not None:
        where.append(Where("at", "<=", place.at))
    further: str | None = None
    while True:
        page = await app.store.find(ChangeSet, *where, limit=SETS_AT_ONCE, cursor=further)
        for found in page.items:
            if place is not None and found.at == place.at and found.id > place.id:
                continue  # Already shown: sets of one instant come by descending id.
            skip = place.skip if place is not None and found.id == place.id else 0
            for number, change in enumerate(found.changes[skip:], start=skip):
                if oldest is not None and change.day < oldest:
                    continue
                if len(items) == limit:
                    return ChangePage(items=items, next_cursor=Place(found.at, found.id, number).text())
                items.append(shown(found, change))
        further = page.next_cursor
        if further is None:
            return ChangePage(items=items, next_cursor=None)


def shown(found: ChangeSet, change: ValueChange) -> Change:
    """A change as the API shows it; counts are whole numbers."""
    return Change(
        metric=change.metric,
        day=change.day,
        unit=unit_of(change.metric),
        old=_plain(change.old),
        new=_plain(change.new),
        run=found.run_id,
        at=found.at,
        reason=found.reason,
    )


def _plain(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value


def _instant(connection: Connection, since: str) -> datetime:
    if len(since) == len("2026-11-20"):
        return days.begins(day_of("since", since), connection.timezone)
    try:
        instant = _in_utc(since)
    except (ValueError, OverflowError):
        instant = None
    if instant is None:
        raise InvalidError(
            "`since` is neither a date nor an instant with its zone.",
            hint="Write it as 2026-11-20 or 2026-11-20T15:30:00Z.",
            members={"field": "since"},
        )
    return instant


def _in_utc(text: str) -> datetime:
    """The instant in UTC; ValueError without a zone, OverflowError where UTC has left the calendar."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone")
    return instant.astimezone(UTC)


def _place(cursor: str) -> Place:
    try:
        plain = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, id, skip = json.loads(plain)
        place = Place(_in_utc(at), str(id), int(skip))
        if place.skip < 0:
            raise ValueError
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        raise InvalidError(
            "The cursor is broken or belongs to another list.",
            code="invalid_cursor",
            hint="Start again without a cursor.",
        ) from None
    return place
