"""How many events a connection accepted and what became of them, by hour of acceptance, name and own hour.

`accepted = delivered + pending + held + dead` holds in every row. Instances write their own
records, at most once a second each; readers add them up.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from hedgerow.parts import Part
from hedgerow.records import Index, Instant, Record, derived_id

MOST_ROWS = 300
OTHER_NAMES = "…"
"""The name under which names beyond the bound are counted together."""


class CountRow(Part):
    """Events of one name whose own hour is `shift` hours after the hour of acceptance. Numbers may be negative in one
    instance's record: who delivers what another accepted takes it from pending.
    """

    name: str
    shift: int = 0
    accepted: int = 0
    delivered: int = 0
    pending: int = 0
    held: int = 0
    dead: int = 0


class CaptureCount(Record):
    """What one instance counted for one connection and hour of acceptance. Kept 400 days.

    Its id is `count_id(connection, hour, instance)`. `connection_id` is "" for tokens nobody
    has: rows are then named by their last four characters.
    """

    collection = "capture_counts"
    indexes = (Index("connection_id", "hour"), Index("hour"))

    tenant_id: str
    connection_id: str
    hour: Instant
    rows: tuple[CountRow, ...] = ()
    marks: dict[str, int] = Field(
        default_factory=dict,
        description="Everything else that is counted, by a dotted name: `repeated`, `passed`, `recordings.dropped`, "
        "`privacy.email.masked`, `catalog.unknown_event`, `catalog.missing.currency`.",
    )


def count_id(connection_id: str, hour: datetime, instance: str) -> str:
    """One record for an instance, a connection and an hour."""
    return derived_id("cnt", connection_id, hour.isoformat(), instance)


def added(one: tuple[CountRow, ...], other: tuple[CountRow, ...]) -> tuple[CountRow, ...]:
    """Rows of both, added up by name and shift, within `MOST_ROWS`."""
    sums: dict[tuple[str, int], CountRow] = {}
    for row in (*one, *other):
        key = (row.name, row.shift)
        if key not in sums and len(sums) >= MOST_ROWS:
            key = (OTHER_NAMES, 0)
        before = sums.get(key)
        sums[key] = (
            row.model_copy(update={"name": key[0], "shift": key[1]})
            if before is None
            else CountRow(
                name=key[0],
                shift=key[1],
                accepted=before.accepted + row.accepted,
                delivered=before.delivered + row.delivered,
                pending=before.pending + row.pending,
                held=before.held + row.held,
                dead=before.dead + row.dead,
            )
        )
    return tuple(sums.values())
