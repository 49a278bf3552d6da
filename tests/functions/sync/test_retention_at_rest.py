"""Retention: two years pass, and every collection stays within its bound; upgrades are safe; walks go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import pytest

from functions.sync import retention
from hedgerow import closing, days, disconnection, hours, months
from hedgerow.app import App
from hedgerow.dead_letters import DeadMessage
from hedgerow.deliveries import Delivery, DeliveryChunk, chunk_id
from hedgerow.hours import HourMonth
from hedgerow.last_answers import LastAnswer
from hedgerow.models import (
    ChangeSet,
    Connection,
    MetricMonth,
    PurgeReceipt,
    QueryText,
    RetentionWalk,
    SyncRun,
    Tenant,
    Tier,
    TokenClaim,
)
from hedgerow.months import Write
from hedgerow.ports import Add, Page, Store, Swap, Where
from hedgerow.posthog.keys import claim_id
from hedgerow.records import Record, new_id
from hedgerow.tallies import CaptureCount
from tests.crash import CrashingStore, Fuse
from tests.left import TOKEN, captured, change_of, hourly, run_of
from tests.stage import NOW, Stage, staged

R = TypeVar("R", bound=Record)
TODAY = date(2026, 11, 20)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def with_history(stage: Stage, tenant: Tenant, number: int = 100) -> Connection:
    """A connection with this many days up to today, written by a query whose text is kept."""
    connection = await stage.connection(tenant)
    text = QueryText(id=new_id("qry"), connection_id=connection.id, text="select 1")
    await stage.store.commit(Add(text))
    write = Write("run_1", stage.clock(), "UTC", text.id)
    history = days.span(TODAY - timedelta(days=number - 1), TODAY)
    await stage.points(connection, {("posthog_dau", day): 1 for day in history}, write)
    return connection


@pytest.mark.parametrize(("tier", "kept"), [("starter", 4), ("basic", 31), ("pro", 40)])
async def test_hours_go_with_their_days(stage: Stage, tier: Tier, kept: int) -> None:
    connection = await stage.connection(await stage.tenant(tier))
    await hourly(stage, connection)
    await retention.retain(stage.app)
    page = await stage.store.find(HourMonth, Where("connection_id", "==", connection.id))
    left = [
        hour
        for record in page.items
        for points in hours.unpack(record.month, record.packed).series.values()
        for hour in points
    ]
    assert len(left) == kept * 24
    assert max(left) == int(datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp())
    assert not any((await retention.retain(stage.app)).values())


async def days_at_rest(stage: Stage, connection: Connection) -> list[date]:
    page = await stage.store.find(MetricMonth, Where("connection_id", "==", connection.id), limit=1000)
    return sorted(
        month.date_of(day)
        for record in page.items
        for month in [months.unpack(record.month, record.packed)]
        for points in month.series.values()
        for day in points
    )


@pytest.mark.parametrize(("tier", "kept"), [("starter", 4), ("basic", 31), ("pro", 100), ("scale", 100)])
async def test_days_go_as_the_tier_says(stage: Stage, tier: Tier, kept: int) -> None:
    connection = await with_history(stage, await stage.tenant(tier))
    await retention.retain(stage.app)
    left = await days_at_rest(stage, connection)
    assert (len(left), left[-1]) == (kept, TODAY)
    again = await retention.retain(stage.app)
    assert not any(again.values())


async def test_two_years_leave_each_collection_within_its_bound(stage: Stage) -> None:
    tenant = await stage.tenant("basic")
    gone = await stage.connection(tenant, token=TOKEN)
    await stage.store.commit(Add(TokenClaim(id=claim_id(TOKEN), connection_id=gone.id, proved=True)))
    connection = await with_history(stage, tenant, 1)
    await disconnection.finish(stage.app, (await disconnection.begin(stage.app, gone)).connection)
    for step in range(105):
        stage.clock.forward(timedelta(days=7))
        now = stage.clock()
        text = QueryText(id=f"qry_{step}", connection_id=connection.id, text=f"select {step}")
        month = await stage.store.get(MetricMonth, months.record_id(connection.id, f"{now:%Y-%m}"))
        if month is None:
            await stage.store.commit(Add(text))
            await stage.points(connection, {("posthog_dau", now.date()): 1}, Write("run", now, "UTC", text.id))
        await stage.store.commit(
            Add(run_of(stage, connection)),
            Add(change_of(stage, connection, now.date() - timedelta(days=1))),
            Add(DeadMessage(id=new_id("dead"), topic="sync-requested", body="{", reason="no JSON", at=now)),
            Add(
                PurgeReceipt(
                    id=new_id("rcp"), tenant_id=tenant.id, at=now, removed={}, remaining={}, secret_destroyed=True
                )
            ),
        )
        await retention.retain(stage.app)
    counts = {kind.collection: await stage.store.count(kind) for kind in BOUNDS}
    assert {
        collection: counts[collection] for collection in counts if counts[collection] > BOUNDS_BY_NAME[collection]
    } == {}


async def test_the_outbox_is_kept_as_long_as_each_delivery_says(stage: Stage) -> None:
    connection = await stage.connection(await stage.tenant())
    await captured(stage, connection)
    waits = (await stage.store.find(Delivery)).items[0]
    rest = (await stage.store.find(DeliveryChunk)).items[0]
    # Dead once, its chunk marked; then released: it waits for good and keeps what it needs.
    await stage.store.commit(Swap(rest.model_copy(update={"expires_at": stage.clock() + timedelta(days=30)})))
    for name, days_kept in (("delivered", 7), ("dead", 30)):
        expires = stage.clock() + timedelta(days=days_kept)
        over = waits.model_copy(update={"id": f"dlv_{name}", "version": 0, "due_at": None, "expires_at": expires})
        chunk = rest.model_copy(update={"id": chunk_id(over.id, 1), "version": 0, "delivery_id": over.id})
        await stage.store.commit(Add(over), Add(chunk))
    alone = rest.model_copy(update={"id": "dlv_gone:1", "version": 0, "delivery_id": "dlv_gone", "expires_at": NOW})
    await stage.store.commit(Add(alone))
    kept = {}
    for day in (6, 8, 29, 31):
        stage.clock.at = NOW + timedelta(days=day)
        await retention.retain(stage.app)
        kept[day] = (
            sorted(found.id for found in (await stage.store.find(Delivery)).items),
            await stage.store.count(DeliveryChunk),
        )
    every = sorted(["dlv_dead", "dlv_delivered", waits.id])
    fewer = sorted(["dlv_dead", waits.id])
    assert kept == {6: (every, 3), 8: (fewer, 2), 29: (fewer, 2), 31: ([waits.id], 1)}


async def test_counts_are_kept_400_days_and_answers_30(stage: Stage) -> None:
    connection = await stage.connection(await stage.tenant())
    await captured(stage, connection)
    left = []
    for day in (29, 31, 399, 401):
        stage.clock.at = NOW + timedelta(days=day)
        await retention.retain(stage.app)
        left.append((await stage.store.count(LastAnswer), await stage.store.count(CaptureCount)))
    assert left == [(1, 1), (0, 1), (0, 1), (0, 0)]


# A record a week for two years; what is left is what the days of its life hold, and nothing of what lies behind.
BOUNDS: dict[type[Record], int] = {
    SyncRun: 13,
    ChangeSet: 5,
    DeadMessage: 5,
    PurgeReceipt: 58,
    MetricMonth: 2,
    QueryText: 2,
    TokenClaim: 0,
    Connection: 2,
    RetentionWalk: 0,
}
BOUNDS_BY_NAME = {kind.collection: bound for kind, bound in BOUNDS.items()}


async def test_changes_of_a_lasting_tier_are_kept_400_days(stage: Stage) -> None:
    connection = await with_history(stage, await stage.tenant("pro"))
    await stage.store.commit(
        Add(change_of(stage, connection, TODAY, age=timedelta(days=399))),
        Add(change_of(stage, connection, TODAY, age=timedelta(days=401))),
    )
    assert (await retention.retain(stage.app))["change_sets"] == 1
    assert await stage.store.count(ChangeSet) == 1


async def test_a_change_set_is_cut_to_the_days_that_are_kept(stage: Stage) -> None:
    connection = await with_history(stage, await stage.tenant("starter"))
    kept, old = TODAY - timedelta(days=3), TODAY - timedelta(days=4)
    await stage.store.commit(Add(change_of(stage, connection, kept, old)), Add(change_of(stage, connection, old)))
    await retention.retain(stage.app)
    left = (await stage.store.find(ChangeSet)).items
    assert [[change.day for change in found.changes] for found in left] == [[kept]]


async def test_a_run_that_waits_stays_however_old_unless_nobody_is_left_to_run_it(stage: Stage) -> None:
    connection = await with_history(stage, await stage.tenant("pro"), 1)
    old = timedelta(days=200)
    waits, over = run_of(stage, connection, "pending", old), run_of(stage, connection, "failed", old)
    orphan = run_of(stage, connection, "running", old).model_copy(update={"connection_id": "con_gone"})
    await stage.store.commit(Add(waits), Add(over), Add(orphan))
    assert (await retention.retain(stage.app))["sync_runs"] == 2
    assert [run.id for run in (await stage.store.find(SyncRun)).items] == [waits.id]


class UpgradingStore(CrashingStore):
    """Upgrades the tenant in the last moment: after its connection's old months were found."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, Fuse())
        self.under = store

    async def find(self, kind: type[R], *where: Where, limit: int = 100, cursor: str | None = None) -> Page[R]:
        page = await super().find(kind, *where, limit=limit, cursor=cursor)
        if kind is MetricMonth:
            tenant = (await self.under.find(Tenant)).items[0]
            await self.under.commit(Swap(tenant.model_copy(update={"tier": "pro"})))
        return page


async def test_an_upgrade_in_the_last_moment_keeps_everything(stage: Stage) -> None:
    connection = await with_history(stage, await stage.tenant("starter"))
    app: App = replace(stage.app, store=UpgradingStore(stage.store))
    await retention.retain(app)
    assert len(await days_at_rest(stage, connection)) == 100


async def test_a_walk_goes_on_where_the_last_call_stopped(stage: Stage) -> None:
    tenant = await stage.tenant("starter")
    connections = [await with_history(stage, tenant, 10) for _ in range(9)]
    left = []
    for _ in range(3):
        await retention.retain(stage.app, pages=2, page=2)
        left.append(sum([len(await days_at_rest(stage, connection)) > 4 for connection in connections]))
    assert left == [5, 1, 0]
    assert await stage.store.count(RetentionWalk) == 0


async def test_a_text_goes_when_no_month_refers_to_it(stage: Stage) -> None:
    connection = await with_history(stage, await stage.tenant("basic"))
    unused = QueryText(id="qry_unused", connection_id=connection.id, text="select 2")
    other = QueryText(id="qry_other", connection_id="con_other", text="select 3")
    await stage.store.commit(Add(unused), Add(other))
    await retention.retain(stage.app)
    texts = {text.id for text in (await stage.store.find(QueryText)).items}
    assert "qry_unused" not in texts
    assert len(texts) == 2


async def test_the_token_of_a_disconnected_project_is_free_after_30_days(stage: Stage) -> None:
    tenant = await stage.tenant()
    connection = await stage.connection(tenant, token=TOKEN)
    await stage.store.commit(Add(TokenClaim(id=claim_id(TOKEN), connection_id=connection.id, proved=True)))
    await disconnection.finish(stage.app, (await disconnection.begin(stage.app, connection)).connection)
    stage.clock.forward(timedelta(days=29, hours=23))
    await retention.retain(stage.app)
    assert await stage.store.count(TokenClaim) == 1
    stage.clock.forward(timedelta(hours=1))
    assert (await retention.retain(stage.app))["token_claims"] == 1
    assert await stage.store.count(TokenClaim) == 0


async def test_an_unfinished_tenant_is_taken_up(stage: Stage) -> None:
    tenant = await stage.tenant()
    await closing.begin(stage.app, tenant)
    await retention.retain(stage.app)
    assert await stage.store.get(Tenant, tenant.id) is not None, "a tick hands it on"
    await stage.carry_out()
    assert await stage.store.get(Tenant, tenant.id) is None
