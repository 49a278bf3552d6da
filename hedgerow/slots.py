"""The one query slot of a PostHog project, whichever tenant asks: decided here, committed by the caller.

The good path costs one read and one write: the holder is a run, and a run that is over
holds nothing, so nobody has to let go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hedgerow import claims
from hedgerow.app import App
from hedgerow.models import Connection, ProjectSlot, SyncRun
from hedgerow.ports import Add, Change, Swap
from hedgerow.records import derived_id

LEASE = timedelta(minutes=2)
# Nobody is asked to be quiet for longer; a later time is of a clock that was ahead.
LONGEST_QUIET = timedelta(hours=25)


@dataclass(frozen=True, slots=True)
class Take:
    """The slot is ours once `change` is committed."""

    change: Change
    slot: ProjectSlot
    shared: bool = False
    """Somebody else has had it since this connection's last run."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another run holds the slot."""

    holder_run_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Closed:
    """PostHog asked this project for quiet."""

    until: datetime


def slot_id(connection: Connection) -> str:
    """The same for every connection to one project, whoever's."""
    return derived_id("slot", connection.host, connection.project_id or "")


def untouched(connection: Connection, run_id: str, now: datetime) -> Take | None:
    """The slot taken without a look, as this connection's last run left it; None where others use it too.

    That run is over, or the connection would not know the slot's version; whoever had the
    slot since has changed that version, and the commit is a conflict.
    """
    version = connection.progress.slot_version
    if version is None or connection.progress.slot_shared:
        return None
    mine = ProjectSlot(id=slot_id(connection), version=version, holder_run_id=run_id, until=now + LEASE)
    return Take(Swap(mine), mine)


async def look(app: App, connection: Connection, run_id: str) -> Take | Busy | Closed:
    """What a run that wants the slot may do now."""
    now = app.now()
    slot = await app.store.get(ProjectSlot, slot_id(connection))
    if slot is None:
        mine = ProjectSlot(id=slot_id(connection), holder_run_id=run_id, until=now + LEASE)
        return Take(Add(mine), mine)
    if slot.closed_until is not None and now < slot.closed_until <= now + LONGEST_QUIET:
        return Closed(slot.closed_until)
    if claims.claim(slot.holder_run_id, slot.until, run_id, now) == "busy" and await _is_running(app, slot):
        return Busy(slot.holder_run_id or "", slot.until or now)
    mine = slot.model_copy(update={"holder_run_id": run_id, "until": now + LEASE, "closed_until": None})
    return Take(Swap(mine), mine, shared=connection.progress.slot_version not in (None, slot.version))


def closed(slot: ProjectSlot, until: datetime) -> ProjectSlot:
    """The slot, free of its holder and closed until PostHog's time."""
    return slot.model_copy(update={"holder_run_id": None, "until": None, "closed_until": until})


async def _is_running(app: App, slot: ProjectSlot) -> bool:
    if slot.holder_run_id is None or not slot.holder_run_id.startswith("run_"):
        return True  # A proof: over when it lets go, or when its lease ends.
    holder = await app.store.get(SyncRun, slot.holder_run_id)
    # A run that is gone was purged with its connection.
    return holder is not None and holder.state == "running"
