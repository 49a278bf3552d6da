"""Scheduled syncs of one Scale connection, each with what it is billed: a quiet day, new points, a rule that watches, a failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions.sync import syncing, ticking
from hedgerow.messages import SyncRequested
from hedgerow.models import SyncRun
from hedgerow.ports import Add, Swap
from hedgerow.runs import scheduled_id
from local.posthog.faults import Fault
from tests.billing.bill import Bill, Operations, VaultKind, billed
from tests.billing.wire import MeteredFirestore
from tests.sync_stage import SyncStage, sync_stage

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.models import Connection
    from hedgerow.ports import Store

# The window lies in one month; some slices of the older days lie in the month before.
USUAL = datetime(2026, 11, 20, 0, 10, tzinfo=UTC)
# Every sync of this day touches two months.
TWO_MONTHS = datetime(2026, 11, 2, 0, 10, tzinfo=UTC)
FIRST_OF_MARCH = datetime(2027, 3, 1, 0, 10, tzinfo=UTC)
DUE = 500
"""Connections due in a tick that is measured: a page."""


@dataclass(frozen=True, slots=True)
class Synced:
    """One sync, from the push of its message to the acknowledgement, and what its run said.

    `on_wire`: what Firestore's emulator was asked meanwhile, where a meter sits in its channel.
    """

    run: SyncRun
    cost: Operations
    stored: bool
    on_wire: Operations | None = None

    @property
    def is_idle(self) -> bool:
        """It found nothing new."""
        return self.run.state == "succeeded" and not self.stored


async def quiet_day(store: Store, vault: VaultKind, begins: datetime = USUAL, hours: float = 24) -> list[Synced]:
    """The scheduled syncs of a day on which PostHog gets no event."""
    async with sync_stage(events(begins), tier="scale", now=begins, store=store) as stage:
        await stage.first_sync()
        synced: list[Synced] = []
        while (due := (await stage.connection()).due_at) is not None and due < begins + timedelta(hours=hours):
            synced.append(await _scheduled(stage, vault))
        return synced


async def with_new_points(store: Store, vault: VaultKind) -> Synced:
    """A sync that finds an event more of a series it has, and asked for it in these words before."""
    async with sync_stage(events(TWO_MONTHS), tier="scale", now=TWO_MONTHS, store=store) as stage:
        await _settled(stage, vault)
        stage.posthog.load([event(stage.app.now())])
        await _scheduled(stage, vault)
        stage.posthog.load([event(stage.app.now())])
        return await _scheduled(stage, vault)


async def watched(store: Store, vault: VaultKind) -> Synced:
    """A sync with nothing new of a connection that has rules: its end is announced."""
    async with sync_stage(events(TWO_MONTHS), tier="scale", now=TWO_MONTHS, store=store) as stage:
        await _settled(stage, vault)
        connection = await stage.connection()
        await stage.store.commit(Swap(connection.model_copy(update={"is_watched": True})))
        return await _scheduled(stage, vault)


async def failed(store: Store, vault: VaultKind) -> Synced:
    """A sync that PostHog answers with a 500."""
    async with sync_stage(events(TWO_MONTHS), tier="scale", now=TWO_MONTHS, store=store) as stage:
        await _settled(stage, vault)
        stage.posthog.faults.set(Fault(kind="status", status=500, path="/api/projects/"))
        return await _scheduled(stage, vault)


async def tick_over(due: int) -> Operations:
    """A whole tick that finds this many connections due, its questions for what a crash left included."""
    async with sync_stage(tier="scale") as stage:
        one = await stage.connection()
        some = [one.model_copy(update={"id": f"con_{number}", "version": 0, "due_at": USUAL}) for number in range(due)]
        for begin in range(0, due, DUE):
            await stage.store.commit(*(Add(each) for each in some[begin : begin + DUE]))
        await stage.store.commit(Swap(one.model_copy(update={"due_at": None})))
        bill = Bill()
        if (found := await ticking.tick(billed(stage.app, bill), "scale")) != due:
            raise RuntimeError(f"the tick found {found} connections, not {due}")
        return bill.so_far


async def sync_now(app: App, connection: Connection) -> None:
    """What the tick's message leads to."""
    await syncing.sync(app, SyncRequested(connection_id=connection.id, due_at=connection.due_at))


async def _settled(stage: SyncStage, vault: VaultKind) -> None:
    """The first sync, and as many scheduled ones as it takes until one finds nothing new."""
    await stage.first_sync()
    for _ in range(6):
        if (await _scheduled(stage, vault)).is_idle:
            return
    raise RuntimeError("every sync finds something")


async def _scheduled(stage: SyncStage, vault: VaultKind) -> Synced:
    """The next scheduled sync, at its time; without the message that asks for it, which is the tick's."""
    connection = await stage.connection()
    if connection.due_at is None:
        raise RuntimeError("nothing is scheduled")
    stage.posthog.clock.move_to(connection.due_at)
    bill, wire = Bill(), stage.store.bill if isinstance(stage.store, MeteredFirestore) else None
    before = wire.so_far if wire else Operations()
    await sync_now(billed(stage.app, bill, vault), connection)
    # The stand-in for Secret Manager keeps its secrets in the store: an access is a document on the wire.
    on_wire = wire.so_far - before - Operations(reads=bill.accesses) if wire else None
    run = await stage.store.get(SyncRun, scheduled_id(connection.id, connection.due_at))
    if run is None:
        raise RuntimeError("there is no run")
    return Synced(run, bill.so_far, bill.stored > 0, on_wire)


def events(now: datetime) -> list[dict[str, Any]]:
    return [event(now - timedelta(days=day, hours=2)) for day in range(40)]


def event(at: datetime) -> dict[str, Any]:
    """One event of one visitor."""
    return {"event": "paid", "distinct_id": "u", "timestamp": at.isoformat(), "properties": {}}
