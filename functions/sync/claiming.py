"""Taking a run and its project's slot together: one commit on the good path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.sync import ends, outcomes
from functions.sync.windows import scheduled_window
from hedgerow import slots, tiers, traces
from hedgerow.app import App
from hedgerow.errors import ConflictError
from hedgerow.logs import log
from hedgerow.messages import SyncRequested
from hedgerow.models import Connection, ProjectSlot, SyncRun
from hedgerow.ports import Add, Swap
from hedgerow.records import new_id
from hedgerow.runs import scheduled_id

_TRIES = 4
OVER = ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class Held:
    """A run and the slot, ours until the lease ends; `connection` as it was read.

    `shared`: others use the slot too.
    """

    connection: Connection
    run: SyncRun
    slot: ProjectSlot
    shared: bool = False


async def take(app: App, message: SyncRequested) -> Held | None:
    """The run this message asks for, claimed; None when there is nothing to do now.

    None means: done already, somebody works on it, or it waits (state with `due_at`)
    for a tick or for the run that holds the slot.
    """
    for attempt in range(_TRIES):
        try:
            return await _try(app, message, again=attempt > 0)
        except ConflictError:
            continue
    log().warning("sync.claim_contended", connection_id=message.connection_id)
    return None


async def renew(app: App, held: Held) -> Held:
    """Hold on for another lease; `ConflictError` when it was lost."""
    until = app.now() + slots.LEASE
    run = held.run.model_copy(update={"due_at": until})
    slot = held.slot.model_copy(update={"until": until})
    done = await app.store.commit(Swap(run), Swap(slot))
    return replace(held, run=done.of(run), slot=done.of(slot))


async def slot_of(app: App, held: Held) -> ProjectSlot:
    """The slot as it stands now; ours as last known when it is gone."""
    return await app.store.get(ProjectSlot, held.slot.id) or held.slot


async def _try(app: App, message: SyncRequested, *, again: bool) -> Held | None:
    """One try. The first supposes that nobody was here before it, and reads neither a scheduled run nor a slot of its own."""
    connection = await app.store.get(Connection, message.connection_id)
    if connection is None:
        run = await app.store.get(SyncRun, message.run_id) if message.run_id else None
        if run is not None and _is_of(run, message.connection_id) and not _is_elsewhere(run, app.now()):
            await _give_up(app, None, run)
        return None
    run = await _wanted(app, connection, message, exists=again)
    if run is None or not _is_of(run, connection.id):
        return None
    if _is_elsewhere(run, app.now()):
        await _schedule_anew(app, connection, run)
        return None
    if not tiers.is_syncable(connection) or not connection.activity_tracking:
        await _give_up(app, connection, run)
        return None
    too_often = outcomes.begun_too_often(run)
    if too_often is not None:
        await ends.give_up(app, run, connection, too_often)
        return None
    untouched = None if again else slots.untouched(connection, run.id, app.now())
    looked = untouched or await slots.look(app, connection, run.id)
    if isinstance(looked, slots.Closed):
        await _wait(app, run, looked.until)
        return None
    if isinstance(looked, slots.Busy):
        await _queue_behind(app, run, looked)
        return None
    mine = run.model_copy(
        update={
            "state": "running",
            "claimed_by": new_id("att"),
            "began_at": app.now(),
            "due_at": app.now() + slots.LEASE,
            "attempts": run.attempts + 1,
            "error": None,
        }
    )
    done = await app.store.commit(_write(mine), looked.change)
    return Held(connection, done.of(mine), done.of(looked.slot), looked.shared)


async def _wanted(app: App, connection: Connection, message: SyncRequested, *, exists: bool) -> SyncRun | None:
    """The run to take. A scheduled one is added by its claim, and looked up only once that add has met it."""
    if message.run_id is not None:
        return await app.store.get(SyncRun, message.run_id)
    if message.due_at is None or connection.due_at != message.due_at:
        return None
    run_id = scheduled_id(connection.id, message.due_at)
    met = await app.store.get(SyncRun, run_id) if exists else None
    if met is not None:
        return met
    window = scheduled_window(connection, app.now())
    return SyncRun(
        id=run_id,
        connection_id=connection.id,
        tenant_id=connection.tenant_id,
        kind="scheduled",
        state="pending",
        from_day=window.first,
        to_day=window.last,
        created_at=app.now(),
        traceparent=traces.traceparent(),
    )


def _is_of(run: SyncRun, connection_id: str) -> bool:
    """A run is carried out with its own connection's key into its own connection's months, whatever a message says."""
    if run.connection_id == connection_id:
        return True
    log().error("sync.run_of_another", connection_id=connection_id, run_id=run.id)
    return False


async def _schedule_anew(app: App, connection: Connection, run: SyncRun) -> None:
    """Move on a connection whose due time has passed though the run of that slot is over: no tick could begin it again.

    A run that ends writes its connection with it, unless the connection changed under it.
    """
    now = app.now()
    if run.state not in OVER or connection.due_at is None or connection.due_at > now:
        return
    if run.id != scheduled_id(connection.id, connection.due_at):
        return
    due = tiers.next_due(connection, tiers.load(app.settings.tiers_file), now)
    await app.store.commit(Swap(connection.model_copy(update={"due_at": due})))
    log().warning("sync.scheduled_anew", connection_id=connection.id, run_id=run.id, due_at=due and due.isoformat())


def _is_elsewhere(run: SyncRun, now: datetime) -> bool:
    """Over already, held by a living attempt, waiting for its time, or never run itself (a whole)."""
    if run.state in OVER or (run.parts > 1 and run.whole_id is None):
        return True
    if run.state == "running":
        return run.due_at is not None and run.due_at > now
    return run.attempts > 0 and run.due_at is not None and run.due_at > now


def _write(run: SyncRun) -> Add | Swap:
    return Swap(run) if run.version else Add(run)


async def _give_up(app: App, connection: Connection | None, run: SyncRun) -> None:
    """The connection cannot sync any more, or is gone: a run that waits for it has failed."""
    if run.version:
        await ends.end(app, outcomes.stopped(run, connection, app.now()))


async def _wait(app: App, run: SyncRun, until: datetime) -> None:
    if run.version:
        await app.store.commit(Swap(run.model_copy(update={"due_at": until})))


async def _queue_behind(app: App, run: SyncRun, busy: slots.Busy) -> None:
    """Leave word with the holder, which publishes us when it ends; a tick finds us if it dies."""
    if not run.version:
        return  # The connection's own due time has passed: the next tick asks again.
    holder = await app.store.get(SyncRun, busy.holder_run_id)
    later = Swap(run.model_copy(update={"due_at": busy.until + timedelta(seconds=1)}))
    if holder is None or holder.state != "running" or run.id in holder.waiting:
        await app.store.commit(later)
        return
    await app.store.commit(later, Swap(holder.model_copy(update={"waiting": (*holder.waiting, run.id)})))
