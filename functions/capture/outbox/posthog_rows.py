"""PostHog's own row of an event, asked for by its uuid: first near the time a v7 uuid tells, then over everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from hedgerow.foreign import printable
from hedgerow.posthog.answers import malformed
from hedgerow.posthog.client import PostHog
from hedgerow.turns import turn

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.models import Connection

QUERY_NAME = "hedgerow event"
MOST_ROWS = 5
NEAR = timedelta(days=2)
# Everything PostHog can hold: it clamps dates to the calendar itself.
_EVER = (0, 4_102_444_800)
_TEXT = (
    "select event, toUnixTimestamp64Milli(timestamp) as at, properties.$lib as lib, properties.$lib_version as version "
    "from events where uuid = toUUID({uuid}) and timestamp >= fromUnixTimestamp({from}) "
    "and timestamp < fromUnixTimestamp({to}) order by timestamp asc limit 5"
)


@dataclass(frozen=True, slots=True)
class Row:
    """An event as PostHog holds it."""

    name: str
    at: datetime
    sdk: str


async def rows_of(app: App, connection: Connection, uuid: UUID) -> list[Row]:
    """At most five rows; more than one means that PostHog has not merged copies yet, or that they differ.

    `OutboundError` when PostHog gave no answer, `StateConflictError` while somebody else asks it.
    """
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=app.settings.query_seconds)
    async with turn(app, connection, again="Ask again"):
        for begin, end in spans(uuid):
            values = {"uuid": str(uuid), "from": begin, "to": end}
            answer = await posthog.query(connection.project_id or "", _TEXT, values, name=QUERY_NAME)
            if answer.rows:
                return [_row(row) for row in answer.rows[:MOST_ROWS]]
    return []


def spans(uuid: UUID) -> list[tuple[int, int]]:
    """Where to look, in seconds since 1970. A v7 uuid says when it was made: a small part of PostHog's table."""
    if uuid.version != 7:
        return [_EVER]
    made = (uuid.int >> 80) // 1000
    near = int(NEAR.total_seconds())
    return [(max(0, made - near), made + near), _EVER] if made < _EVER[1] else [_EVER]


def _row(row: Sequence[object]) -> Row:
    name, at, lib, version = row
    if not isinstance(name, str) or isinstance(at, bool) or not isinstance(at, int):
        raise malformed("a row is no event")
    try:
        instant = datetime.fromtimestamp(at / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise malformed("a row has no time") from None
    sdk = "/".join(printable(str(part)) for part in (lib, version) if part)
    return Row(printable(name)[:200], instant, sdk[:120])
