"""What is known of a schedule where no Cloud Scheduler is: paused, wanted at once, its last call.

The laptop's server writes here what it called, and does what it reads here. Nothing is a
record until somebody paused a schedule or it was called.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hedgerow.errors import ConflictError
from hedgerow.ports import Add, Swap
from hedgerow.records import Instant, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hedgerow.ports import Store

MOST_SCHEDULES = 500


class KeptSchedule(Record):
    """One schedule; its id is the name of the job. Of the installation, not of a tenant."""

    collection = "schedules"

    paused: bool = False
    wanted_at: Instant | None = None
    last_at: Instant | None = None
    last_status: int | None = None


async def kept(store: Store) -> dict[str, KeptSchedule]:
    """What is known, by name."""
    page = await store.find(KeptSchedule, limit=MOST_SCHEDULES)
    return {each.id: each for each in page.items}


async def change(store: Store, name: str, changed: Callable[[KeptSchedule], KeptSchedule]) -> None:
    """Write `changed` of what is known of a schedule, however many others write at the same time."""
    while True:
        held = await store.get(KeptSchedule, name)
        there = held or KeptSchedule(id=name)
        wanted = changed(there)
        if wanted == there:
            return
        with suppress(ConflictError):
            await store.commit(Add(wanted) if held is None else Swap(wanted))
            return


async def note_call(store: Store, name: str, at: datetime, status: int, served: datetime | None) -> None:
    """Write down a call and its answer. `served` is the wish it fulfilled; a later wish stays."""

    def noted(there: KeptSchedule) -> KeptSchedule:
        wish = None if there.wanted_at == served else there.wanted_at
        return there.model_copy(update={"last_at": at, "last_status": status, "wanted_at": wish})

    await change(store, name, noted)
