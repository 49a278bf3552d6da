"""Writing what a run found: the months that moved, the query texts, what changed; then the run's end."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime

from functions.sync import ends, measured, outcomes, storing, telling
from functions.sync.asking import Asked
from functions.sync.hogql import Question, text_of, values_of
from functions.sync.outcomes import Ended
from functions.sync.storing import Stored
from functions.sync.visit import TRIES, Visit
from hedgerow import days, hours, months, telemetry, tiers
from hedgerow.app import App
from hedgerow.errors import ConflictError, HedgerowError
from hedgerow.hours import HourMonth, Hours
from hedgerow.logs import log
from hedgerow.models import ChangeSet, Connection, MetricMonth, QueryText, SyncRun, Tier
from hedgerow.months import Month, Value, Write
from hedgerow.ports import Add, Change, Swap
from hedgerow.records import derived_id

# The store's documents end at a mebibyte: some 260 series of every hour and all figures.
MOST_PACKED = 900_000
# Packing is most of the work: a part at a time is dropped until the month fits.
DROPPED_AT_ONCE = 0.1


async def store(visit: Visit, asked: Asked, active: int | None) -> None:
    """Write the points that moved, guarded by the run and the connection; nothing when none did."""
    for _ in range(TRIES):
        stored, changes = await _changes(visit, asked, active)
        if not changes:
            return
        run = visit.run.model_copy(
            update={
                "points": visit.run.points + stored.points,
                "days_changed": tuple(sorted({*visit.run.days_changed, *stored.days_changed})),
            }
        )
        try:
            done = await visit.app.store.commit(*changes, Swap(run), Swap(visit.connection))
        except ConflictError as conflict:
            await visit.still_ours(conflict)
            await visit.read_months()
            continue
        visit.held = replace(visit.held, run=done.of(run), connection=done.of(visit.connection))
        return
    raise ConflictError("The connection changed too often while its points were stored.")


async def finish(visit: Visit, outcome: Asked | HedgerowError, active: int | None = None) -> None:
    """Announce, then commit the end of the run together with the connection's next due time.

    `RekeyedError` instead of a verdict on a key that is no longer the connection's.
    """
    app = visit.app
    rules = tiers.load(app.settings.tiers_file)
    for _ in range(TRIES):
        if isinstance(outcome, HedgerowError) and outcome.code in outcomes.NEEDS_ATTENTION:
            visit.refuse_rekeyed(outcome)
        run = visit.run.model_copy(update={"requests": visit.run.requests + visit.requests})
        connection = _with_listing(visit, run, active)
        if isinstance(outcome, HedgerowError):
            ended = outcomes.failed(run, connection, visit.held.slot, outcome, rules, app.now())
        else:
            ended = outcomes.succeeded(run, connection, visit.ask, outcome, rules, app.now(), visit.trouble)
        is_news = ends.is_news(ended.run, visit.connection)
        await app.queue.publish(*await ends.following(app, ended.run, is_news=is_news))
        changes: list[Change] = [Swap(ended.run), Swap(_with_slot(ended, visit))]
        if ended.slot is not None:
            changes.append(Swap(ended.slot))
        changes += await ends.changes_with(app, ended.run, visit.connection)
        changes += [
            Add(told) for told in telling.needs_attention(visit.connection, ended.connection, ended.run, app.now())
        ]
        try:
            await app.store.commit(*changes)
        except ConflictError as conflict:
            await visit.still_ours(conflict)
            continue
        _tell(app, ended.run, visit.connection.tier)
        return
    raise ConflictError("The connection changed too often while its run was ended.")


async def _changes(visit: Visit, asked: Asked, active: int | None) -> tuple[Stored, list[Change]]:
    connection, run = visit.connection, visit.run
    began = run.began_at or visit.app.now()
    held = visit.months()
    known = {query for month in held.values() for query in month.queries()}
    writes = [(question, _write(visit, question)) for question in asked.questions]
    listing = Write(run.id, began, visit.ask.zone)

    def write_of(name: str, day: date) -> Write:
        return next((write for question, write in writes if question.covers(name, day)), listing)

    points: dict[tuple[str, date], Value | None] = {
        **storing.wanted(visit.ask, asked.facts, held, connection.events),
        **measured.daily(asked.questions, asked.facts, held),
    }
    today = days.today(began, visit.ask.zone)
    if visit.ask.window.last >= today:
        points.update(storing.flags_points(active, today, held))
    stored = storing.merge(held, points, write_of)
    changes: list[Change] = [_month_change(visit, held[name]) for name in sorted(stored.months)]
    hourly, moved = _hour_changes(visit, asked, began)
    stored.points += moved
    changes += hourly
    if stored.months:
        changes += await _texts(visit, writes, known)
        sets = _change_sets(visit, stored)
        changes += [Add(each) for each in (*sets, *telling.metrics_changed(run, sets, visit.app.now()))]
    return stored, changes


def _write(visit: Visit, question: Question) -> Write:
    began = visit.run.began_at or visit.app.now()
    return Write(
        visit.run.id, began, visit.ask.zone, _query_id(visit.connection, text_of(question)), values_of(question)
    )


async def _texts(visit: Visit, writes: list[tuple[Question, Write]], known: set[str]) -> list[Change]:
    changes: list[Change] = []
    for question, write in writes:
        if write.query in known:
            continue
        known.add(write.query)
        if await visit.app.store.get(QueryText, write.query) is None:
            text = QueryText(id=write.query, connection_id=visit.connection.id, text=text_of(question))
            changes.append(Add(text))
    return changes


def _change_sets(visit: Visit, stored: Stored) -> list[ChangeSet]:
    sets: list[ChangeSet] = []
    for month, moved in stored.changes.items():
        # The id says which values: should a second visit move others, that is another change set.
        told = derived_id(
            "chg", visit.run.id, month, *(f"{change.metric}@{change.day}={change.new}" for change in moved)
        )
        record = ChangeSet(
            id=told,
            connection_id=visit.connection.id,
            run_id=visit.run.id,
            at=visit.app.now(),
            reason="timezone" if stored.rezoned else "late_events_or_merges",
            changes=tuple(moved),
        )
        sets.append(record)
    return sets


def _month_change(visit: Visit, month: Month) -> Change:
    packed, now = months.pack(month), visit.app.now()
    record = visit.records.get(month.month)
    if record is not None:
        return Swap(record.model_copy(update={"packed": packed, "updated_at": now}))
    connection_id = visit.connection.id
    return Add(
        MetricMonth(
            id=months.record_id(connection_id, month.month),
            connection_id=connection_id,
            month=month.month,
            packed=packed,
            updated_at=now,
        )
    )


def _hour_changes(visit: Visit, asked: Asked, began: datetime) -> tuple[list[Change], int]:
    """The months of hours in which something is new, and how many hours are new or have moved.

    Of a month that no store could take series go, and the connection says so.
    """
    held = visit.hours()
    points = measured.hourly(asked.questions, asked.facts, held)
    moved = measured.merge_hours(held, points, began)
    told = {name for name, _ in points}
    changes: list[Change] = []
    dropped: set[str] = set()
    for month in sorted(moved):
        packed, left_out = _packed(held[month], told)
        if left_out:
            log().warning("sync.too_many_hours", connection_id=visit.connection.id, month=month, dropped=len(left_out))
            dropped |= left_out
        changes.append(_hours_change(visit, held[month], packed))
    visit.trouble = outcomes.too_many_hours(len(dropped)) if dropped else None
    return changes, sum(moved.values())


def _packed(month: Hours, told: Collection[str]) -> tuple[bytes, set[str]]:
    """The month packed, and the series dropped until it fitted: those not asked for now first, then the smallest."""
    packed, dropped = hours.pack(month), set[str]()
    smallest = sorted(month.series, key=lambda name: (name in told, measured.weight(month.series[name]), name))
    step = max(1, int(len(smallest) * DROPPED_AT_ONCE))
    while len(packed) > MOST_PACKED:
        for name in smallest[len(dropped) : len(dropped) + step]:
            del month.series[name]
            dropped.add(name)
        packed = hours.pack(month)
    return packed, dropped


def _hours_change(visit: Visit, month: Hours, packed: bytes) -> Change:
    now = visit.app.now()
    record = visit.hour_records.get(month.month)
    if record is not None:
        return Swap(record.model_copy(update={"packed": packed, "updated_at": now}))
    connection_id = visit.connection.id
    return Add(
        HourMonth(
            id=hours.record_id(connection_id, month.month),
            connection_id=connection_id,
            month=month.month,
            packed=packed,
            updated_at=now,
        )
    )


def _with_listing(visit: Visit, run: SyncRun, active: int | None) -> Connection:
    """The connection, with when its flags were last asked for, whatever came of it."""
    connection = visit.connection
    if active is None and not visit.listing_refused:
        return connection
    listed = {"flags_at": run.began_at}
    return connection.model_copy(update={"progress": connection.progress.model_copy(update=listed)})


def _with_slot(ended: Ended, visit: Visit) -> Connection:
    """The connection with the slot as this run leaves it, unless closing it gives it a version not known yet."""
    left = {
        "slot_version": visit.held.slot.version if ended.slot is None else None,
        "slot_shared": visit.held.shared,
    }
    return ended.connection.model_copy(update={"progress": ended.connection.progress.model_copy(update=left)})


def _query_id(connection: Connection, text: str) -> str:
    return derived_id("qry", connection.id, hashlib.sha256(text.encode()).hexdigest())


def _tell(app: App, run: SyncRun, tier: Tier) -> None:
    took = (app.now() - (run.began_at or app.now())).total_seconds()
    telemetry.record(app, telemetry.RUNS, state=run.state, tier=tier)
    telemetry.record(app, telemetry.SYNC_SECONDS, took, state=run.state, tier=tier)
    log().info(
        "sync.ended",
        run_id=run.id,
        connection_id=run.connection_id,
        state=run.state,
        rows=run.rows,
        points=run.points,
        days_changed=len(run.days_changed),
        requests=run.requests,
        code=run.error.code if run.error else None,
    )
