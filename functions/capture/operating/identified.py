"""Whether PostHog would merge an alias at all, asked before it is sent.

PostHog says 200 and merges nothing when the alias already belongs to an identified person;
the event cannot be taken back, so the one who sends it is told. A question that fails, or
takes too long, is no failure of the operation.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from hedgerow.errors import HedgerowError, StateConflictError
from hedgerow.logs import log
from hedgerow.models import ProjectSlot
from hedgerow.ownership import may_ask
from hedgerow.posthog.client import PostHog
from hedgerow.slots import slot_id

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.models import Connection

SECONDS = 2.0
BURST = 20
REFILL_SECONDS = 6.0
"""One question in six seconds: a quarter of the queries PostHog lets a project ask in an hour."""
MOST = 10_000
QUERY_NAME = "hedgerow alias check"
QUERY = """select ids.distinct_id as distinct_id, toString(persons.id) as person, persons.is_identified as identified
from person_distinct_ids as ids join persons on persons.id = ids.person_id
where ids.distinct_id in ({alias}, {distinct_id}) limit 10"""

SAME = "DistinctId and Alias are the same id, so PostHog merges nothing."
EXCHANGE = (
    "PostHog merges nothing here: Alias already belongs to an identified person, and only an anonymous one is merged "
    "into another. To merge, send the two exchanged: DistinctId the id of the identified person, Alias the anonymous id."
)
NEITHER = (
    "PostHog merges nothing here: Alias and DistinctId already belong to two identified persons, and no order of the "
    "two merges them. Only an event $merge_dangerously does, which cannot be undone."
)


class Questions:
    """How many more questions each connection may ask now: they share PostHog's hourly limit with its syncs."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may_ask(self, connection_id: str, clock: float) -> bool:
        """Take one, if one is left. `clock` is in seconds and only goes forward."""
        left, at = self._left.get(connection_id, (float(BURST), clock))
        left = min(float(BURST), left + (clock - at) / REFILL_SECONDS)
        self._keep(connection_id, left - 1 if left >= 1 else left, clock)
        return left >= 1

    def rest(self, connection_id: str, clock: float, seconds: float) -> None:
        """PostHog asked for quiet."""
        self._keep(connection_id, 1 - seconds / REFILL_SECONDS, clock)

    def _keep(self, connection_id: str, left: float, clock: float) -> None:
        self._left[connection_id] = (left, clock)
        self._left.move_to_end(connection_id)
        if len(self._left) > MOST:
            self._left.popitem(last=False)


_questions = Questions()


async def warning_of(app: App, connection: Connection, distinct_id: str, alias: str) -> str | None:
    """Why PostHog would not merge these two, and what would; None when it would, or nobody knows."""
    if distinct_id == alias:
        return SAME
    try:
        may_ask(connection)
        if not _questions.may_ask(connection.id, time.monotonic()) or await _is_quiet(app, connection):
            return None
        async with asyncio.timeout(SECONDS):
            persons = await _persons(app, connection, distinct_id, alias)
    except (StateConflictError, TimeoutError):
        return None  # No personal key, paused, not to be asked, or too slow: nothing to say.
    except HedgerowError as error:
        if error.code in {"rate_limited", "concurrency_limited"}:
            _questions.rest(connection.id, time.monotonic(), 60.0)
        log().info("operations.alias_not_looked_up", code=error.code, detail=error.detail)
        return None
    return judge(persons, distinct_id, alias)


def judge(persons: dict[str, tuple[str, bool]], distinct_id: str, alias: str) -> str | None:
    """The warning, by PostHog's own rule. `persons`: id to its person and whether that one is identified."""
    into, other = persons.get(distinct_id), persons.get(alias)
    if into is None or other is None or into[0] == other[0] or not other[1]:
        return None
    return NEITHER if into[1] else EXCHANGE


async def _is_quiet(app: App, connection: Connection) -> bool:
    slot = await app.store.get(ProjectSlot, slot_id(connection))
    return slot is not None and slot.closed_until is not None and slot.closed_until > app.now()


async def _persons(app: App, connection: Connection, distinct_id: str, alias: str) -> dict[str, tuple[str, bool]]:
    key = await app.vault.read(connection.secret_ref or "")
    posthog = PostHog(app.http, connection.host, key, seconds=SECONDS)
    values = {"alias": alias, "distinct_id": distinct_id}
    answer = await posthog.query(connection.project_id or "", QUERY, values, name=QUERY_NAME)
    return {str(row[0]): (str(row[1]), row[2] in (1, True)) for row in answer.rows if len(row) == 3}
