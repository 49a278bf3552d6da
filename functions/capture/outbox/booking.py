"""The books of capture, hour by hour: what a kill kept from being counted is booked, anything else is an error.

What lies in the outbox is the truth of pending, held and dead. The booking of an hour
follows from that and from what the instances counted, so that booking twice, or after
counts that came late, ends in the same record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.capture.outbox import lying
from functions.capture.outbox.lying import Lying
from functions.capture.outbox.spans import Span
from hedgerow import counting_up
from hedgerow.app import App
from hedgerow.counting_up import Hour, Key, Outcome, Sums
from hedgerow.deliveries import KEPT_DEAD, KEPT_DELIVERED
from hedgerow.errors import ConflictError, InvalidError
from hedgerow.models import Connection
from hedgerow.ports import Add, Swap
from hedgerow.tallies import OTHER_NAMES, CaptureCount, CountRow, added, count_id

INSTANCE = "reconcile"
BOOKABLE: tuple[Outcome, ...] = ("pending", "held", "dead")
FRESH = timedelta(minutes=10)
# Retention works by the hour; a day before it may have begun the outbox is no longer proof.
_MARGIN = timedelta(days=1)
_TRIES = 3
_COMMIT = 100


@dataclass(frozen=True, slots=True)
class BookError:
    """An hour whose numbers cannot be right."""

    hour: datetime
    code: str
    detail: str
    difference: int


@dataclass(slots=True)
class Books:
    """The hours of a span after booking."""

    hours: dict[datetime, Hour]
    lying: Lying
    booked: dict[datetime, tuple[CountRow, ...]] = field(default_factory=dict)
    booked_now: int = 0
    errors: list[BookError] = field(default_factory=list)
    moving: set[datetime] = field(default_factory=set)
    """Hours whose counts changed while they were read: neither booked nor judged."""


async def keep_books(app: App, connection: Connection, span: Span) -> Books:
    """Read the span, book what was not counted, judge the rest.

    `InvalidError` when the span holds more than can be read.
    """
    for _ in range(_TRIES):
        before = await _counted(app, connection, span)
        found = await lying.read(app.store, connection.id, span.begin, span.end, fresh_since=app.now() - FRESH)
        if not found.is_whole:
            raise too_much("deliveries")
        after = await _counted(app, connection, span)
        books = _books(app.now(), connection, before, after, found)
        try:
            await _write(app, books, connection, after)
        except ConflictError:
            continue  # Somebody else reconciles the same hours: what they booked is seen now.
        return books
    raise ConflictError("Somebody else reconciles the same hours.")


async def _counted(app: App, connection: Connection, span: Span) -> tuple[CaptureCount, ...]:
    counted = await counting_up.read(app.store, connection.id, span.begin, span.end)
    if not counted.is_whole:
        raise too_much("records of counts")
    return counted.records


def too_much(what: str) -> InvalidError:
    """The refusal of a span with more in it than one answer reads."""
    return InvalidError(
        f"These hours hold more {what} than one answer reads.",
        code="window_too_long",
        hint="Ask for fewer hours at a time.",
        members={"field": "from"},
    )


def _books(
    now: datetime,
    connection: Connection,
    before: Iterable[CaptureCount],
    after: tuple[CaptureCount, ...],
    found: Lying,
) -> Books:
    """Decide; `_write` then does. Pure."""
    by_others = counting_up.by_hour(record for record in after if not _is_ours(record))
    ours = {record.hour: record.rows for record in after if _is_ours(record)}
    books = Books({}, found)
    books.moving = _moved(before, after)
    for at in sorted({*by_others, *ours, *found.hours}):
        counted = by_others.get(at, Hour(at))
        rows = ours.get(at, ())
        if at not in books.moving and now - at < KEPT_DEAD - _MARGIN:
            rows = missing(counted, found.hours.get(at, {}))
        if rows:
            books.booked[at] = rows
        hour = books.hours[at] = _with(counted, rows)
        books.errors += _judged(hour, found, now, is_moving=at in books.moving)
    return books


def missing(counted: Hour, there: Mapping[Outcome, Counter[Key]]) -> tuple[CountRow, ...]:
    """What lies in the outbox beyond what the instances counted of an hour, as accepted and in its state. Pure."""
    rows: list[CountRow] = []
    total = counted.total
    for state in BOOKABLE:
        tally = there.get(state, Counter())
        left = tally.total() - total.of(state)
        for key, number in sorted(tally.items()):
            here = min(left, number - counted.rows.get(key, Sums()).of(state))
            if here > 0:
                rows.append(_row(*key, state, here))
                left -= here
        if left > 0:
            rows.append(_row(OTHER_NAMES, 0, state, left))
    return added((), tuple(rows))


def _row(name: str, shift: int, state: Outcome, number: int) -> CountRow:
    return CountRow.model_validate({"name": name, "shift": shift, "accepted": number, state: number})


def _with(counted: Hour, rows: tuple[CountRow, ...]) -> Hour:
    record = CaptureCount(id="", tenant_id="", connection_id="", hour=counted.at, rows=rows)
    hour = counting_up.by_hour([record])[counted.at]
    for key, sums in counted.rows.items():
        mine = hour.rows.get(key, Sums())
        hour.rows[key] = Sums(
            accepted=sums.accepted + mine.accepted,
            delivered=sums.delivered + mine.delivered,
            pending=sums.pending + mine.pending,
            held=sums.held + mine.held,
            dead=sums.dead + mine.dead,
        )
    hour.marks = dict(counted.marks)
    return hour


def _judged(hour: Hour, found: Lying, now: datetime, *, is_moving: bool) -> list[BookError]:
    errors: list[BookError] = []

    def wrong(code: str, detail: str, difference: int) -> None:
        errors.append(BookError(hour.at, code, detail, difference))

    total, age = hour.total, now - hour.at
    if total.difference:
        states = f"{total.delivered} delivered + {total.pending} pending + {total.held} held + {total.dead} dead"
        wrong("not_balanced", f"{total.accepted} accepted is not {states}.", total.difference)
    if is_moving:
        return errors
    for state in counting_up.OUTCOMES:
        number, there = total.of(state), found.of(hour.at, state).total()
        if number < 0:
            wrong("negative", f"{number} {state}: more left this state than ever entered it.", number)
        elif state == "delivered":
            if there > number and age < KEPT_DELIVERED - _MARGIN:
                wrong("delivered_not_counted", f"{there} were delivered later, {number} are counted.", there - number)
        elif number > there and (state == "pending" or age < KEPT_DEAD - _MARGIN):
            wrong("not_in_outbox", f"{number} are counted as {state}, {there} lie in the outbox.", number - there)
    return errors


async def _write(app: App, books: Books, connection: Connection, after: Iterable[CaptureCount]) -> None:
    """Make our records what the books say they are; nothing is written where they are so already."""
    ours = {record.hour: record for record in after if _is_ours(record)}
    changes: list[Add | Swap] = []
    for at in books.hours:
        rows, record = books.booked.get(at, ()), ours.get(at)
        if rows == (record.rows if record else ()):
            continue
        books.booked_now += sum(row.accepted for row in rows) - sum(
            row.accepted for row in (record.rows if record else ())
        )
        if record is not None:
            changes.append(Swap(record.model_copy(update={"rows": rows})))
        else:
            id = count_id(connection.id, at, INSTANCE)
            changes.append(
                Add(
                    CaptureCount(id=id, tenant_id=connection.tenant_id, connection_id=connection.id, hour=at, rows=rows)
                )
            )
    for start in range(0, len(changes), _COMMIT):
        await app.store.commit(*changes[start : start + _COMMIT])


def _is_ours(record: CaptureCount) -> bool:
    return record.id == count_id(record.connection_id, record.hour, INSTANCE)


def _moved(before: Iterable[CaptureCount], after: Iterable[CaptureCount]) -> set[datetime]:
    first = {(record.id, record.version) for record in before}
    second = {(record.id, record.version) for record in after}
    hours = {record.id: record.hour for record in (*before, *after)}
    return {hours[id] for id, _ in first ^ second}
