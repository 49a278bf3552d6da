"""Reading stored points of a source: from the months by local day, or from the hours. One round trip either way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from functions.alerts.series import completing
from functions.alerts.series.held import Bucket, Held
from functions.alerts.series.sources import Source
from hedgerow import days, hours, months, tiers
from hedgerow.app import App
from hedgerow.hours import HourMonth
from hedgerow.models import Connection, MetricMonth

Points = Mapping[str, dict[int, Bucket]]


@dataclass(frozen=True, slots=True)
class Span:
    """Local days, both included; nothing when `last` is before `first`. `until` is the instant of reading."""

    first: date
    last: date
    until: datetime


def span_of(app: App, connection: Connection, length: int, now: datetime) -> Span:
    """So many local days up to the one of `now`, but none older than the tier keeps."""
    today = days.today(now, connection.timezone)
    oldest = tiers.oldest_kept(connection.tier, tiers.load(app.settings.tiers_file), today)
    first = today - timedelta(days=length - 1)
    return Span(max(first, oldest) if oldest else first, today, now)


async def held(app: App, connection: Connection, sources: Sequence[Source], span: Span) -> list[Held]:
    """What is stored of each source in these days, in the order of `sources`, which are all of one grain."""
    wanted = _wanted(sources)
    if all(source.grain == "hour" for source in sources):
        found = await _hourly(app, connection, wanted, span)
    else:
        found = await daily(app, connection, wanted, span)
    return [_held(source, found) for source in sources]


async def daily(app: App, connection: Connection, wanted: Callable[[str], bool], span: Span) -> Points:
    """The buckets of every wanted series by day: epoch second of the local midnight -> value and share arrived."""
    ids = [months.record_id(connection.id, month) for month in days.months_between(span.first, span.last)]
    found: dict[str, dict[int, Bucket]] = defaultdict(dict)
    for record in await app.store.get_many(MetricMonth, ids):
        if record is None:
            continue
        packed, begin = months.load(record.packed), date.fromisoformat(f"{record.month}-01")
        writes = [(datetime.fromisoformat(began), zone) for _, began, zone, *_ in packed["w"]]
        # The packed form, because unpacking a month makes an object for every point of two hundred series.
        for name, (values, refs) in packed["s"].items():
            if not wanted(name):
                continue
            for offset, (value, ref) in enumerate(zip(values, refs, strict=True)):
                day = begin + timedelta(days=offset)
                if value is not None and ref is not None and span.first <= day <= span.last:
                    share = completing.of_day(connection, name, day, *writes[ref])
                    found[name][_epoch(day, connection.timezone)] = Bucket(float(value), share)
    return found


async def _hourly(app: App, connection: Connection, wanted: Callable[[str], bool], span: Span) -> Points:
    first, end = _epoch(span.first, connection.timezone), int(span.until.timestamp())
    ids = [hours.record_id(connection.id, month) for month in hours.months_between(first, end)]
    found: dict[str, dict[int, Bucket]] = defaultdict(dict)
    shares: dict[tuple[int, datetime], float] = {}
    for record in await app.store.get_many(HourMonth, ids):
        if record is None:
            continue
        for name, points in hours.unpack(record.month, record.packed).series.items():
            if not wanted(name):
                continue
            for begin, point in points.items():
                if not first <= begin < end:
                    continue
                place = begin, point.asked_at
                if place not in shares:
                    shares[place] = completing.of_hour(connection, begin, point.asked_at)
                found[name][begin] = Bucket(point.value, shares[place])
    return found


def _wanted(sources: Iterable[Source]) -> Callable[[str], bool]:
    names = {source.name for source in sources if not source.has_values}
    begins = tuple(source.name for source in sources if source.has_values)
    return lambda name: name in names or name.startswith(begins)


def _held(source: Source, found: Points) -> Held:
    if not source.has_values:
        return Held(source, {None: found.get(source.name, {})})
    values: dict[str | None, Mapping[int, Bucket]] = {}
    for name, buckets in found.items():
        value = source.value_of(name)
        if value is not None:
            values[value] = buckets
    return Held(source, values)


def _epoch(day: date, zone: str) -> int:
    return int(days.begins(day, zone).timestamp())
