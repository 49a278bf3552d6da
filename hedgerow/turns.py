"""A project's one query slot, held for as long as somebody waits for an answer, and always let go.

For a question a person asks, which is one query; a sync commits its slot with its run instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from hedgerow import slots
from hedgerow.app import App
from hedgerow.errors import ConflictError, OutboundError, StateConflictError
from hedgerow.models import Connection, ProjectSlot
from hedgerow.ports import Add, Swap
from hedgerow.records import new_id

QUIET = timedelta(seconds=60)
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Turn:
    """The slot as we hold it; `closed_for` once PostHog has asked for quiet."""

    slot: ProjectSlot
    closed_for: timedelta | None = None


@asynccontextmanager
async def turn(app: App, connection: Connection, *, again: str) -> AsyncIterator[None]:
    """The slot as long as the block lasts; closed afterwards where PostHog asked for quiet.

    `again` is what to do later, such as "Prove again". `StateConflictError` while somebody
    else asks, or PostHog wants quiet.
    """
    held = _Turn(await _take(app, connection, again))
    try:
        yield
    except OutboundError as error:
        if error.code in ("rate_limited", "concurrency_limited"):
            held = _Turn(held.slot, timedelta(seconds=error.retry_after) if error.retry_after else QUIET)
        raise
    finally:
        await _let_go(app, held)


async def _take(app: App, connection: Connection, again: str) -> ProjectSlot:
    # The prefix tells `slots` that no run is behind it: it is over when it lets go, or when its lease ends.
    me = new_id("proof")
    for _ in range(_TRIES):
        looked = await slots.look(app, connection, me)
        if isinstance(looked, slots.Closed):
            raise StateConflictError(
                f"PostHog asked for quiet until {looked.until.isoformat(timespec='seconds')}.",
                code="project_quiet",
                hint=f"{again} after that time.",
                members={"retry_at": looked.until.isoformat()},
            )
        if isinstance(looked, slots.Busy):
            break
        # It is one query: should this process die, the project is not blocked for as long as a sync may take.
        mine = looked.slot.model_copy(update={"until": app.now() + timedelta(seconds=2 * app.settings.query_seconds)})
        try:
            done = await app.store.commit(Add(mine) if isinstance(looked.change, Add) else Swap(mine))
            return done.of(mine)
        except ConflictError:
            continue
    raise StateConflictError(
        "A sync, or another question about this project, is asking PostHog just now.",
        code="sync_running",
        hint=f"{again} in a minute; `hedgerow runs`, or GET /v1/connections/{{id}}/runs, shows what runs.",
    )


async def _let_go(app: App, held: _Turn) -> None:
    free = held.slot.model_copy(update={"holder_run_id": None, "until": None})
    if held.closed_for is not None:
        free = slots.closed(held.slot, app.now() + held.closed_for)
    try:
        await app.store.commit(Swap(free))
    except ConflictError:
        return  # The lease had ended, and somebody else holds it now.
