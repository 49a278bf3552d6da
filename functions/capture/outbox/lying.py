"""What actually lies in the outbox, by hour of acceptance, to hold the counts to. Reads only, within a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hedgerow.counting_up import Key, Outcome
from hedgerow.deliveries import Delivery, DeliveryState, TallyRow
from hedgerow.ports import Store, Where
from hedgerow.records import Index, Instant, Record

PAGE = 200
MOST_DELIVERIES = 50_000
LONGEST_NAME = 200
"""As the counts keep names."""


class LyingDelivery(Record):
    """What the books need of a delivery."""

    collection = Delivery.collection
    indexes = (Index("connection_id", "hour"),)
    partial = True

    connection_id: str
    hour: Instant
    state: DeliveryState
    count: int
    tally: tuple[TallyRow, ...] = ()
    finished_at: Instant | None = None


@dataclass(slots=True)
class Lying:
    """Events in deliveries, by hour and state; `is_whole` False: there are more than were read."""

    hours: dict[datetime, dict[Outcome, Counter[Key]]] = field(default_factory=dict)
    fresh: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    """Delivered a moment ago, by name and own hour."""
    is_whole: bool = True

    def of(self, hour: datetime, state: Outcome) -> Counter[Key]:
        """The events of one hour in one state, by name and shift."""
        return self.hours.get(hour, {}).get(state, Counter())

    def total(self, state: Outcome) -> int:
        """The events of all hours in one state."""
        return sum(self.of(hour, state).total() for hour in self.hours)


async def read(store: Store, connection_id: str, begin: datetime, end: datetime, *, fresh_since: datetime) -> Lying:
    """The deliveries accepted in the hours from `begin` up to, without, `end`."""
    where = (Where("connection_id", "==", connection_id), Where("hour", ">=", begin), Where("hour", "<", end))
    lying = Lying()
    cursor: str | None = None
    seen = 0
    while True:
        page = await store.find(LyingDelivery, *where, limit=PAGE, cursor=cursor)
        _add(lying, page.items, fresh_since)
        seen += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return lying
        if seen >= MOST_DELIVERIES:
            lying.is_whole = False
            return lying


def _add(lying: Lying, found: Iterable[LyingDelivery], fresh_since: datetime) -> None:
    for delivery in found:
        by_state = lying.hours.setdefault(delivery.hour, {}).setdefault(delivery.state, Counter())
        is_fresh = (
            delivery.state == "delivered" and delivery.finished_at is not None and delivery.finished_at >= fresh_since
        )
        for row in delivery.tally:
            name = row.name[:LONGEST_NAME]
            by_state[name, row.shift] += row.count
            if is_fresh:
                lying.fresh[name, delivery.hour + timedelta(hours=row.shift)] += row.count
