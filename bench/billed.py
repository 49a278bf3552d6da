"""Operations that Google bills for a scheduled sync, its claim and its share of the tick's query included, on both stores.

Counted at the ports on SQLite; on Firestore's emulator by a meter in the channel, beside
the ports' count, which must be the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from bench.figures import Must, Row, Spread, unmeasured
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.ports import Store
from tests.billing import syncs
from tests.billing.bill import Bill, Operations, VaultKind
from tests.billing.syncs import Synced
from tests.billing.wire import MeteredFirestore
from tests.emulators import EmulatorMissingError, firestore_emulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.sizes import Sizes

NAME = "billed"
READS, WRITES, MESSAGES = 5, 4, 2
# The connection in the tick's query, and the message that asks for its sync.
OF_TICK = Operations(reads=1, messages=1)
SHORT_HOURS = 4
SCENARIOS: dict[str, Callable[[Store, VaultKind], Awaitable[Synced]]] = {
    "with new points": syncs.with_new_points,
    "that a rule watches": syncs.watched,
    "that fails": syncs.failed,
}
VAULTS: dict[VaultKind, str] = {"secret_manager": "Secret Manager", "sealed": "sealed vault"}


def measure(sizes: Sizes) -> list[Row]:
    """Reads, writes and messages of quiet syncs, held to what is promised; the rest told."""
    rows = asyncio.run(_on_sqlite(24 if sizes.full else SHORT_HOURS))
    try:
        with firestore_emulator() as host:
            rows += asyncio.run(_on_firestore(host))
    except EmulatorMissingError as missing:
        what = "billed reads per quiet scheduled sync, Firestore emulator"
        rows.append(unmeasured(NAME, what, str(missing), Must(READS, "figure")))
    return rows


async def _on_sqlite(hours: float) -> list[Row]:
    tick = await syncs.tick_over(syncs.DUE)
    rest = (tick.reads - syncs.DUE) / syncs.DUE
    shared = f"the tick's other questions are {rest:.3f} of a read more when {syncs.DUE} connections are due"
    rows: list[Row] = []
    for vault, name in VAULTS.items():
        async with _empty() as store:
            rows += _promised(f"SQLite, {name}", await syncs.quiet_day(store, vault, hours=hours), shared)
    async with _empty() as store:
        march = _idle(await syncs.quiet_day(store, "sealed", syncs.FIRST_OF_MARCH, SHORT_HOURS))
    rows.append(_reads("SQLite, sealed vault, 1 March: two months", march, shared))
    for what, scenario in SCENARIOS.items():
        async with _empty() as store:
            rows.append(_told(what, (await scenario(store, "secret_manager")).cost + OF_TICK))
    return rows


async def _on_firestore(host: str) -> list[Row]:
    project = f"bench-{uuid4().hex[:12]}"
    rows: list[Row] = []
    for vault, name in VAULTS.items():
        store = MeteredFirestore(f"{project}-{len(rows)}", host, Bill())
        try:
            day = await syncs.quiet_day(store, vault, hours=SHORT_HOURS)
        finally:
            await store.close()
        _check(day)
        rows += _promised(f"Firestore emulator, {name}", day, "the same on the wire")
    return rows


@asynccontextmanager
async def _empty() -> AsyncIterator[Store]:
    store = SqliteStore(":memory:")
    try:
        yield store
    finally:
        await store.close()


def _check(day: Sequence[Synced]) -> None:
    for each in day:
        wire, ports = each.on_wire, each.cost
        if wire is None or (wire.reads, wire.writes, wire.deletes) != (ports.reads, ports.writes, ports.deletes):
            raise RuntimeError(f"the wire has {wire}, the ports {ports}")


def _idle(day: Sequence[Synced]) -> list[Operations]:
    """What the quiet ones cost, with the tick's share."""
    return [each.cost + OF_TICK for each in day if each.is_idle]


def _promised(where: str, day: Sequence[Synced], note: str) -> list[Row]:
    costs = _idle(day)
    return [
        _reads(where, costs, note),
        _held(f"billed writes per quiet scheduled sync, {where}", [cost.writes for cost in costs], WRITES),
        _held(f"messages per quiet scheduled sync, {where}", [cost.messages for cost in costs], MESSAGES),
    ]


def _reads(where: str, costs: Sequence[Operations], note: str) -> Row:
    counts = [cost.reads for cost in costs]
    told = f"the most of {len(counts)}, {sum(counts) / len(counts):.2f} in the mean; {note}"
    return _held(f"billed reads per quiet scheduled sync, {where}", counts, READS, told)


def _held(what: str, counts: Sequence[float], limit: int, note: str = "") -> Row:
    """Held to the largest: a promise about every sync is not kept by most."""
    return Row(
        NAME, what, Spread(max(counts), min(counts), max(counts), len(counts)), must=Must(limit, "figure"), note=note
    )


def _told(what: str, cost: Operations) -> Row:
    told = f"{cost.writes:g} writes, {cost.messages:g} messages, {cost.accesses:g} accesses"
    return Row(
        NAME,
        f"billed reads of a scheduled sync {what}, SQLite, Secret Manager",
        Spread(cost.reads, cost.reads, cost.reads, 1),
        note=told,
    )
