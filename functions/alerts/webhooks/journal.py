"""The activity as a list that can be followed: oldest first, by a cursor that never skips an entry written late.

An entry is shown once it is ten seconds old: by then whatever happened before it is written
too, and the order is final.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.alerts.records import ALL
from hedgerow.activity import Activity, ActivityKind
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.ports import Where

SETTLED_AFTER = timedelta(seconds=10)
MOST_READ = 2_000
"""Entries read for one page, of which a filter may leave few: the cursor goes on behind them all the same."""
_PAGE = 200
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind this entry; an instant alone is before every entry of that instant."""

    at: datetime
    id: str = ""

    def text(self) -> str:
        """The opaque cursor."""
        plain = json.dumps([self.at.isoformat(), self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries in order, where they end, and whether more are there already."""

    items: tuple[Activity, ...]
    end: Place
    has_more: bool


def place_of(cursor: str | None) -> Place:
    """What `Place.text` wrote; None is the beginning. `InvalidError` for anything else."""
    if cursor is None:
        return Place(_BEGINNING)
    try:
        plain = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, id = json.loads(plain)
        return Place(datetime.fromisoformat(at).astimezone(UTC), str(id))
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        raise InvalidError(
            "The cursor is broken or belongs to another list.",
            code="invalid_cursor",
            hint="Start again without a cursor.",
        ) from None


async def stretch(app: App, tenant_id: str, after: Place, limit: int, kinds: Sequence[ActivityKind] = ()) -> Stretch:
    """Up to `limit` entries behind a place, of one tenant or (`all`) of every one."""
    whose = [] if tenant_id == ALL else [Where("tenant_id", "==", tenant_id)]
    span = [Where("at", ">=", after.at), Where("at", "<=", app.now() - SETTLED_AFTER)]
    items: list[Activity] = []
    end, read, cursor = after, 0, None
    while True:
        page = await app.store.find(Activity, *whose, *span, limit=_PAGE, cursor=cursor)
        for entry in page.items:
            if (entry.at, entry.id) <= (after.at, after.id):
                continue
            if len(items) == limit:
                return Stretch(tuple(items), end, has_more=True)
            end = Place(entry.at, entry.id)
            if not kinds or entry.kind in kinds:
                items.append(entry)
        read, cursor = read + len(page.items), page.next_cursor
        if cursor is None or read >= MOST_READ:
            return Stretch(tuple(items), end, has_more=cursor is not None)
