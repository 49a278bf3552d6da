"""Retention: what the tiers and the records' own lives no longer keep is removed at rest.

Every call does a bounded piece and the next goes on from there; anything may run twice.
A tenant's tier is read again right before its days are removed, so that an upgrade is
never undone by a tick that read the tier before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from functions.sync import outbox_retention
from hedgerow import closing, days, disconnection, hours, months, tiers, walks
from hedgerow.app import App
from hedgerow.dead_letters import DeadMessage
from hedgerow.errors import ConflictError, InvalidError
from hedgerow.hours import HOUR, HourMonth
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
)
from hedgerow.ports import Change, Delete, Page, Swap, Where
from hedgerow.records import Record
from hedgerow.tallies import CaptureCount

M = TypeVar("M", MetricMonth, HourMonth, ChangeSet)

PAGE = 200
MOST_PAGES = 60
LONGEST = timedelta(minutes=6)

RUN_DAYS = 90
CHANGE_DAYS = 400
DEAD_DAYS = 30
RECEIPT_DAYS = 400
COUNT_DAYS = 400
ANSWER_DAYS = 30
QUIET_DAYS = 30


@dataclass(slots=True)
class Budget:
    """What one piece of one call may still do: pages of so many records, until a time."""

    app: App
    until: datetime
    pages: int
    page: int

    def spend(self) -> bool:
        """One more page? Counted here, so that no loop is without end."""
        self.pages -= 1
        return self.pages >= 0 and self.app.now() < self.until


async def retain(app: App, *, pages: int = MOST_PAGES, page: int = PAGE) -> dict[str, int]:
    """Remove a bounded piece of what is no longer kept; collection -> how many records went or were cut."""
    removed: Counter[str] = Counter()
    until = app.now() + LONGEST

    def budget() -> Budget:
        return Budget(app, until, pages, page)

    aged: tuple[tuple[type[Record], str, int], ...] = (
        (SyncRun, "created_at", RUN_DAYS),
        (ChangeSet, "at", CHANGE_DAYS),
        (DeadMessage, "at", DEAD_DAYS),
        (PurgeReceipt, "at", RECEIPT_DAYS),
        (CaptureCount, "hour", COUNT_DAYS),
        (LastAnswer, "kept_at", ANSWER_DAYS),
    )
    for kind, field, kept in aged:
        removed[kind.collection] += await _forget(app, kind, field, kept, budget())
    removed += await outbox_retention.forget(app, budget().spend, page)
    rules = tiers.load(app.settings.tiers_file)
    for tier in tiers.TIERS:
        if rules[tier].kept_days is not None:
            removed += await _walk(app, "tier", tier, _trim, budget())
    await disconnection.sweep(app)
    await closing.sweep(app)
    removed += await _walk(app, "state", "disconnected", _let_token_go, budget())
    return dict(removed)


async def _forget(app: App, kind: type[Record], field: str, kept: int, budget: Budget) -> int:
    """Delete the records of a kind whose time is over, oldest first."""
    gone = 0
    cursor: str | None = None
    before = app.now() - timedelta(days=kept)
    while budget.spend():
        page = await app.store.find(kind, Where(field, "<=", before), limit=budget.page, cursor=cursor)
        over = [Delete(kind, record.id) for record in page.items if await _is_over(app, record)]
        await app.store.commit(*over)
        gone += len(over)
        cursor = page.next_cursor
        if cursor is None:
            break
    return gone


async def _is_over(app: App, record: Record) -> bool:
    """A run that waits or runs is not over, unless nobody is left to run it."""
    if not isinstance(record, SyncRun) or record.state in ("succeeded", "failed") or record.due_at is None:
        return True
    return await app.store.get(Connection, record.connection_id) is None


async def _walk(
    app: App,
    field: str,
    value: str,
    work: Callable[[App, Connection], Awaitable[Counter[str]]],
    budget: Budget,
) -> Counter[str]:
    """Visit connections page by page from where the last call stopped; at the end the walk begins anew."""
    removed: Counter[str] = Counter()
    walk = await app.store.get(RetentionWalk, f"{field}:{value}")
    cursor = walk.cursor if walk else None
    while budget.spend():
        page = await _page(app, Where(field, "==", value), cursor, budget.page)
        for connection in page.items:
            try:
                removed += await work(app, connection)
            except ConflictError:
                continue  # A sync wrote there just now; the next call comes back.
        cursor = page.next_cursor
        if cursor is None:
            break
    await walks.remember(app, walk, f"{field}:{value}", cursor)
    return removed


async def _page(app: App, where: Where, cursor: str | None, limit: int) -> Page[Connection]:
    try:
        return await app.store.find(Connection, where, limit=limit, cursor=cursor)
    except InvalidError:  # A cursor of an older revision's index.
        return await app.store.find(Connection, where, limit=limit)


async def _trim(app: App, connection: Connection) -> Counter[str]:
    """Cut a connection's months and changes to the days its tenant's tier keeps."""
    removed: Counter[str] = Counter()
    oldest = _oldest(app, connection, connection)
    if oldest is None:
        return removed
    held = await _until(app, MetricMonth, connection, oldest)
    hourly = await _until(app, HourMonth, connection, oldest)
    sets = await _until(app, ChangeSet, connection, oldest)
    if not held and not hourly and not sets:
        return removed
    tenant = await app.store.get(Tenant, connection.tenant_id)
    oldest = _oldest(app, connection, tenant or connection)
    if oldest is None:
        return removed
    changes = [change for month in held if (change := _cut_month(month, oldest)) is not None]
    if changes:
        removed[MetricMonth.collection] += len(changes)
        await app.store.commit(*changes)
        removed += await _drop_texts(app, connection)
    first = int(days.begins(oldest, connection.timezone).timestamp()) // HOUR * HOUR
    changes = [change for each in hourly if (change := _cut_hours(each, first)) is not None]
    await app.store.commit(*changes)
    removed[HourMonth.collection] += len(changes)
    changes = [change for each in sets if (change := _cut_changes(each, oldest)) is not None]
    await app.store.commit(*changes)
    removed[ChangeSet.collection] += len(changes)
    return removed


def _oldest(app: App, connection: Connection, rated: Connection | Tenant) -> date | None:
    today = days.today(app.now(), connection.timezone)
    return tiers.oldest_kept(rated.tier, tiers.load(app.settings.tiers_file), today)


async def _until(app: App, kind: type[M], connection: Connection, oldest: date) -> list[M]:
    """A page of the months, or changes in months, that hold the oldest kept day or older ones."""
    mine, old = Where("connection_id", "==", connection.id), Where("month", "<=", days.month_of(oldest))
    return list((await app.store.find(kind, mine, old, limit=PAGE)).items)


def _cut_month(record: MetricMonth, oldest: date) -> Change | None:
    month = months.unpack(record.month, record.packed)
    if not month.drop_before(oldest):
        return None if month.series else Delete(MetricMonth, record.id, record.version)
    if not month.series:
        return Delete(MetricMonth, record.id, record.version)
    return Swap(record.model_copy(update={"packed": months.pack(month)}))


def _cut_hours(record: HourMonth, first: int) -> Change | None:
    month = hours.unpack(record.month, record.packed)
    if not month.drop_before(first):
        return None if month.series else Delete(HourMonth, record.id, record.version)
    if not month.series:
        return Delete(HourMonth, record.id, record.version)
    return Swap(record.model_copy(update={"packed": hours.pack(month)}))


def _cut_changes(record: ChangeSet, oldest: date) -> Change | None:
    kept = tuple(change for change in record.changes if change.day >= oldest)
    if len(kept) == len(record.changes):
        return None
    if not kept:
        return Delete(ChangeSet, record.id, record.version)
    return Swap(record.model_copy(update={"changes": kept}))


async def _drop_texts(app: App, connection: Connection) -> Counter[str]:
    """Remove the query texts that no month of the connection refers to any more.

    Their number is bounded by the forms a query takes. The connection is swapped along:
    a sync that counts on one of these texts then loses its commit and looks again.
    """
    current = await app.store.get(Connection, connection.id)
    texts = (await app.store.find(QueryText, Where("connection_id", "==", connection.id), limit=PAGE)).items
    if current is None or not texts:
        return Counter()
    used: set[str] = set()
    cursor: str | None = None
    while True:
        page = await app.store.find(MetricMonth, Where("connection_id", "==", connection.id), limit=PAGE, cursor=cursor)
        for month in page.items:
            used |= months.unpack(month.month, month.packed).queries()
        cursor = page.next_cursor
        if cursor is None:
            break
    unused = [Delete(QueryText, text.id) for text in texts if text.id not in used]
    if unused:
        await app.store.commit(Swap(current), *unused)
    return Counter({QueryText.collection: len(unused)})


async def _let_token_go(app: App, connection: Connection) -> Counter[str]:
    """After 30 quiet days nothing passes through for a disconnected project any more: its token is free."""
    quiet = connection.state_since <= app.now() - timedelta(days=QUIET_DAYS)
    if not quiet or connection.refuse_traffic or connection.project_token is None:
        return Counter()
    freed = await disconnection.release_token(app, connection)
    await app.store.commit(Swap(connection.model_copy(update={"refuse_traffic": True})), *freed)
    return Counter({"token_claims": len(freed)})
