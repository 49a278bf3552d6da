"""Adds up what the instances counted of capture: one connection's hours, whoever wrote them.

Reads within a bound and says when the bound was reached; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from hedgerow.deliveries import DeliveryStory, hour_of
from hedgerow.ports import Store, Where
from hedgerow.tallies import CaptureCount

HOUR = timedelta(hours=1)
MOST_RECORDS = 20_000
PAGE = 500
OUTCOMES: tuple[Outcome, ...] = ("delivered", "pending", "held", "dead")

Outcome = Literal["delivered", "pending", "held", "dead"]
Key = tuple[str, int]
"""An event's name, and its own hour minus the hour of acceptance."""


@dataclass(slots=True)
class Sums:
    """Numbers of events. After a kill one state may be negative until it is booked."""

    accepted: int = 0
    delivered: int = 0
    pending: int = 0
    held: int = 0
    dead: int = 0

    def of(self, state: Outcome) -> int:
        """The number in one state."""
        return int(getattr(self, state))

    @property
    def difference(self) -> int:
        """What was accepted and is in no state; 0 where the books balance."""
        return self.accepted - self.delivered - self.pending - self.held - self.dead


@dataclass(slots=True)
class Hour:
    """What all instances counted of one hour of acceptance."""

    at: datetime
    rows: dict[Key, Sums] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Sums:
        """All names together."""
        total = Sums()
        for row in self.rows.values():
            total.accepted += row.accepted
            total.delivered += row.delivered
            total.pending += row.pending
            total.held += row.held
            total.dead += row.dead
        return total


@dataclass(frozen=True, slots=True)
class Counted:
    """The records of a span; `is_whole` False: there are more than were read."""

    records: tuple[CaptureCount, ...]
    is_whole: bool = True


async def read(
    store: Store, connection_id: str, begin: datetime, end: datetime, *, most: int = MOST_RECORDS
) -> Counted:
    """Every instance's records of the hours from `begin` up to, without, `end`."""
    where = (Where("connection_id", "==", connection_id), Where("hour", ">=", begin), Where("hour", "<", end))
    records: list[CaptureCount] = []
    cursor: str | None = None
    while len(records) < most:
        page = await store.find(CaptureCount, *where, limit=min(PAGE, most - len(records)), cursor=cursor)
        records += page.items
        cursor = page.next_cursor
        if cursor is None:
            return Counted(tuple(records))
    return Counted(tuple(records), is_whole=False)


def by_hour(records: Iterable[CaptureCount]) -> dict[datetime, Hour]:
    """The records added up, oldest hour first. Pure."""
    hours: dict[datetime, Hour] = {}
    for record in sorted(records, key=lambda record: record.hour):
        hour = hours.setdefault(record.hour, Hour(record.hour))
        for row in record.rows:
            sums = hour.rows.setdefault((row.name, row.shift), Sums())
            sums.accepted += row.accepted
            sums.delivered += row.delivered
            sums.pending += row.pending
            sums.held += row.held
            sums.dead += row.dead
        for mark, number in record.marks.items():
            hour.marks[mark] = hour.marks.get(mark, 0) + number
    return hours


@dataclass(frozen=True, slots=True)
class Recent:
    """What a scrape shows of a connection: this hour and the last complete one, and since when events wait."""

    current: Sums
    last: Sums
    waiting_since: datetime | None


async def recent(store: Store, connection_id: str, now: datetime, *, most: int = PAGE) -> Recent | None:
    """Two reads, whatever the traffic; None where nothing was captured lately and nothing waits."""
    this = hour_of(now)
    counted = await read(store, connection_id, this - HOUR, this + HOUR, most=most)
    waiting = await oldest(store, connection_id, "pending")
    if not counted.records and waiting is None:
        return None
    hours = by_hour(counted.records)
    current, last = hours.get(this, Hour(this)), hours.get(this - HOUR, Hour(this - HOUR))
    return Recent(current.total, last.total, waiting.accepted_at if waiting else None)


async def oldest(store: Store, connection_id: str, state: Outcome) -> DeliveryStory | None:
    """The delivery that has been in this state longest, by when its events were accepted."""
    where = (Where("connection_id", "==", connection_id), Where("state", "==", state))
    page = await store.find(DeliveryStory, *where, limit=1)
    return page.items[0] if page.items else None
