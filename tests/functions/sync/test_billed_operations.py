"""What a scheduled sync is billed on Firestore, Pub/Sub and Secret Manager, held to what is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.sync import ticking
from hedgerow import slots
from hedgerow.models import ProjectSlot
from hedgerow.ports import Swap
from hedgerow.records import new_id
from tests.billing import syncs
from tests.billing.bill import VAULTS, Bill, Operations, billed, most
from tests.billing.wire import MeteredFirestore
from tests.sync_stage import sync_stage

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.ports import Store
    from tests.billing.bill import VaultKind

READS, WRITES, MESSAGES = 5, 4, 2
# The connection in the tick's query, and the message that asks for its sync.
OF_TICK = Operations(reads=1, messages=1)


@pytest.mark.parametrize("vault", VAULTS)
@pytest.mark.parametrize("begins", [syncs.USUAL, syncs.FIRST_OF_MARCH], ids=["usual", "first of March"])
async def test_no_quiet_sync_of_a_day_is_billed_more_than_promised(
    store: Store, vault: VaultKind, begins: datetime
) -> None:
    day = await syncs.quiet_day(store, vault, begins, hours=4)
    idle = [each.cost + OF_TICK for each in day if each.is_idle]
    assert len(idle) >= 7
    dearest = most(idle)
    assert (dearest.writes, dearest.deletes) == (WRITES, 0)
    assert dearest.reads <= READS
    assert dearest.messages <= MESSAGES


@pytest.mark.parametrize("vault", VAULTS)
async def test_the_emulator_is_asked_for_just_what_is_counted_at_the_ports(
    firestore_host: str, project: str, vault: VaultKind
) -> None:
    store = MeteredFirestore(project, firestore_host, Bill())
    try:
        day = await syncs.quiet_day(store, vault, hours=4)
        new = await syncs.with_new_points(MeteredFirestore(f"{project}-new", firestore_host, Bill()), vault)
    finally:
        await store.close()
    for each in (*day, new):
        assert each.on_wire is not None
        at_ports = (each.cost.reads, each.cost.writes, each.cost.deletes)
        assert (each.on_wire.reads, each.on_wire.writes, each.on_wire.deletes) == at_ports


async def test_a_tick_is_a_read_and_a_message_for_each_due_connection_and_four_questions() -> None:
    none, some, more = [await syncs.tick_over(due) for due in (0, 500, ticking.PAGE + 1)]
    assert none == Operations(reads=5)
    assert some == Operations(reads=504, messages=500)
    assert more == Operations(reads=ticking.PAGE + 6, messages=ticking.PAGE + 1), "a full page looks one ahead"


async def test_a_rule_that_watches_costs_a_message_and_a_failure_one_entry_for_the_tenant(store: Store) -> None:
    watched = await syncs.watched(store, "secret_manager")
    assert watched.is_idle
    assert (watched.cost.writes, watched.cost.messages) == (WRITES, 1)


async def test_a_slot_that_others_use_is_read_and_one_that_is_ours_alone_is_not() -> None:
    async with sync_stage([syncs.event(syncs.USUAL)], tier="scale", now=syncs.USUAL) as stage:
        await stage.first_sync()
        told: list[tuple[int, int]] = []
        for number in range(5):
            if number == 1:
                slot = await stage.store.get(ProjectSlot, slots.slot_id(await stage.connection()))
                assert slot is not None
                await stage.store.commit(Swap(slot.model_copy(update={"holder_run_id": new_id("run")})))
            connection = await stage.connection()
            assert connection.due_at is not None
            stage.posthog.clock.move_to(connection.due_at)
            bill = Bill()
            await syncs.sync_now(billed(stage.app, bill), connection)
            told.append((bill.lines["read project_slots"], bill.lines["read connections"]))
        assert told == [
            (0, 1),
            (1, 2),  # The commit that took it for ours failed: everything is looked at again.
            (1, 1),  # Somebody had been there: looked at first, and found as we left it.
            (0, 1),
            (0, 1),
        ]
        assert {run.state for run in await stage.runs()} == {"succeeded"}
