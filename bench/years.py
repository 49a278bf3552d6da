"""Two years of twelve series in a store, and the same answer read and encoded bare.

The bare reading is what anyone would write who knows the records and needs nothing else:
no key, no tenant, no check of anything, the same bytes in the end.
"""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bench.events import SEED
from hedgerow import days, keys, months
from hedgerow.catalogue import METRICS
from hedgerow.models import Connection, MetricMonth, Tenant
from hedgerow.months import Month, Point, QueryValue, Write
from hedgerow.ports import Add
from hedgerow.records import new_id

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.ports import Store

NAMES = (*(metric.name for metric in METRICS if "<" not in metric.name), "event:order completed")
UNITS = {metric.name: metric.unit for metric in METRICS}
YEARS_DAYS = 730
ZONE = "Europe/Berlin"
OTHERS = 40
"""Series that the months hold beside the twelve asked for, as those of a real project do."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A connection with its points, and a key of the tenant. `whole` and `mid` are windows of two years."""

    connection_id: str
    key: str
    whole: tuple[date, date]
    mid: tuple[date, date]


async def fill(app: App) -> Filled:
    """Write the points: every day of the last 27 months, each week of them by a run of its own."""
    now = app.now()
    tenant = Tenant(id=new_id("ten"), name="Bench", tier="pro", created_at=now)
    record, key = keys.make(tenant.id, "bench", "write", now)
    connection = Connection(
        id=new_id("con"),
        tenant_id=tenant.id,
        name="Bench",
        host="https://us.posthog.com",
        project_id="1",
        state="connected",
        state_since=now,
        tier="pro",
        timezone=ZONE,
        created_at=now,
    )
    await app.store.commit(Add(tenant), Add(record), Add(connection))
    today = days.today(now, ZONE)
    first = (today.replace(day=1) - timedelta(days=27 * 30)).replace(day=1)
    dice = random.Random(SEED)
    for month in days.months_between(first, today):
        await app.store.commit(Add(_month(connection, month, now, today, dice)))
    end = today.replace(day=1) - timedelta(days=1)
    begin = (end + timedelta(days=1)).replace(year=end.year - 2 + (end.month == 12))
    return Filled(
        connection.id,
        key.get_secret_value(),
        (begin, end),
        (today - timedelta(days=YEARS_DAYS - 1), today),
    )


def _month(connection: Connection, month: str, now: datetime, today: date, dice: random.Random) -> MetricMonth:
    filled = Month(month)
    first = date.fromisoformat(f"{month}-01")
    writes: dict[int, Write] = {}
    for day in days.span(first, min(today, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))):
        week = day.day // 7
        if week not in writes:
            began = min(now, days.begins(day + timedelta(days=8), ZONE))
            values: dict[str, QueryValue] = {
                "zone": ZONE,
                "from": int(began.timestamp()),
                "names": ["", "order completed"],
            }
            writes[week] = Write(new_id("run"), began, ZONE, new_id("qry"), values)
        for name in (*NAMES, *(f"event:other {number}" for number in range(OTHERS))):
            filled.put(name, day, Point(dice.randrange(100_000), writes[week]))
    return MetricMonth(
        id=months.record_id(connection.id, month),
        connection_id=connection.id,
        month=month,
        packed=months.pack(filled),
        updated_at=now,
    )


async def bare(store: Store, connection_id: str, first: date, last: date) -> bytes:
    """The answer of `GET /v1/connections/{id}/metrics` for `NAMES`, for points that are all of one zone."""
    wanted = [f"{connection_id}:{month}" for month in days.months_between(first, last)]
    points: dict[str, list[str]] = {name: [] for name in NAMES}
    for record in await store.get_many(MetricMonth, wanted):
        if record is None:
            continue
        packed = json.loads(zlib.decompress(record.packed))
        begin = date.fromisoformat(f"{record.month}-01")
        # Days of this month that had closed when each write began: the point is complete before that.
        closed = [
            (datetime.fromisoformat(began).astimezone(ZoneInfo(zone)).date() - begin).days
            for _, began, zone, _, _ in packed["w"]
        ]
        low, high = max(0, (first - begin).days), (last - begin).days + 1
        dates = [f"{record.month}-{day:02d}" for day in range(1, 32)][low:high]
        for name, into in points.items():
            values, refs = packed["s"].get(name, ((), ()))
            at = low
            for day, value, ref in zip(dates, values[low:high], refs[low:high], strict=False):
                if ref is not None:
                    complete = "true" if at < closed[ref] else "false"
                    into.append(f'{{"date":"{day}","value":{value},"complete":{complete}}}')
                at += 1
    series = ",".join(
        f'{{"name":"{name}","unit":"{UNITS.get(name, "count")}","points":[{",".join(points[name])}]}}' for name in NAMES
    )
    return f'{{"series":[{series}],"zones":[{{"zone":"{ZONE}","from":"{first}","to":"{last}"}}]}}'.encode()
