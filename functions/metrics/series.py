"""Reading series out of a connection's months: points with completeness, and the zones they were cut in.

Works on the packed form of the months, because a chart of two years is nine thousand
points. One round trip to the store, one document for each month.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from functions.metrics.names import FIXED, shown_in_order
from functions.metrics.window import Window
from hedgerow import days, months
from hedgerow.app import App
from hedgerow.measures import MEASURE_PREFIX
from hedgerow.models import Connection, MetricMonth
from hedgerow.months import Packed, Value

Point = tuple[str, Value, bool]
Points = list[Point]


@dataclass(frozen=True, slots=True)
class ZoneSpan:
    """Days, both included, that were cut in this zone."""

    zone: str
    first: date
    last: date


@dataclass(slots=True)
class Reading:
    """What was read: series name -> (date, value, complete) by day, and the zones of those days."""

    series: dict[str, Points] = field(default_factory=dict)
    zones: tuple[ZoneSpan, ...] = ()


async def read(app: App, connection: Connection, window: Window, names: Sequence[str]) -> Reading:
    """The named series over the window's days; without names the fixed metrics and every event and flag with a point.

    Measures are alert rules' own and are shown by name only.
    """
    asked = days.months_between(window.first, window.last) if window.length else []
    held = await app.store.get_many(MetricMonth, [months.record_id(connection.id, month) for month in asked])
    return reading(window, names, [month for month in held if month is not None])


def reading(window: Window, names: Sequence[str], held: Iterable[MetricMonth]) -> Reading:
    """The same, from months already at hand, oldest first. Pure."""
    read = Reading({name: [] for name in names or FIXED})
    zoned: dict[str, set[date]] = {}
    for month in held:
        packed = months.load(month.packed)
        _take(read, zoned, window, month.month, packed, everything=not names)
    if not names:
        read.series = {name: read.series[name] for name in shown_in_order(read.series)}
    read.zones = _spans(zoned)
    return read


def complete_through(began_at: datetime, zone: str) -> date:
    """The newest local day that had closed when a write began: it and all before it are complete."""
    day = days.today(began_at, zone)
    return day if began_at >= days.ends(day, zone) else day - timedelta(days=1)


def _take(
    read: Reading,
    zoned: dict[str, set[date]],
    window: Window,
    month: str,
    packed: Packed,
    *,
    everything: bool,
) -> None:
    """Add one month's points, from the packed form."""
    begin = date.fromisoformat(f"{month}-01")
    length = (begin.replace(day=28) + timedelta(days=4)).replace(day=1) - begin
    low, high = max(0, (window.first - begin).days), min(length.days, (window.last - begin).days + 1)
    if low >= high:
        return
    held = packed["s"]
    chosen = {name: held[name] for name in (_shown(held) if everything else read.series) if name in held}
    days_in = range(low, high)
    texts = [f"{month}-{at + 1:02d}" for at in days_in]
    seen: set[tuple[int, int | None]] = set()
    for _, refs in chosen.values():
        seen.update(zip(days_in, refs[low:high], strict=True))
    closed = {ref: _closed(packed, ref, begin) for ref in {ref for _, ref in seen} if ref is not None}
    for name, (values, refs) in chosen.items():
        points = [
            (text, value, at < closed[ref])
            for at, text, value, ref in zip(days_in, texts, values[low:high], refs[low:high], strict=True)
            if value is not None and ref is not None
        ]
        if points:
            read.series.setdefault(name, []).extend(points)
    for at, ref in seen:
        if ref is not None:
            zoned.setdefault(packed["w"][ref][2], set()).add(begin + timedelta(days=at))


def _shown(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(MEASURE_PREFIX)]


def _closed(packed: Packed, ref: int, begin: date) -> int:
    """How many days of the month had closed when this write began."""
    _, began_at, zone, *_ = packed["w"][ref]
    return (complete_through(datetime.fromisoformat(began_at), zone) - begin).days + 1


def _spans(zoned: dict[str, set[date]]) -> tuple[ZoneSpan, ...]:
    """Each zone's days as spans, by day; a day cut in two zones is in a span of each."""
    spans: list[ZoneSpan] = []
    every = sorted(set().union(*zoned.values()))
    for zone in sorted(zoned):
        first = last = None
        for day in every:
            if day in zoned[zone]:
                first, last = first or day, day
            elif first and last:
                spans.append(ZoneSpan(zone, first, last))
                first = None
        if first and last:
            spans.append(ZoneSpan(zone, first, last))
    return tuple(sorted(spans, key=lambda span: (span.first, span.last, span.zone)))
