"""The day so far, and the same part of each earlier day: what a day under way may be compared with. Pure.

For counts and sums only: the persons of a day are not the sum of its hours' persons. The
day goes as far as its hours are over and have arrived, so that late is never low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from functions.alerts.conditions.newest import COMPLETE
from functions.alerts.conditions.series import HOUR, Series
from functions.alerts.series.combining import Combined, combined, grain_of
from functions.alerts.series.held import Bucket, Buckets, Held
from functions.alerts.spec import DifferenceSeries, EventSeries, MetricSeries, Plain, RatioSeries, SeriesSpec
from hedgerow import days
from hedgerow.catalogue import EVENT_PREFIX


@dataclass(frozen=True, slots=True)
class _Part:
    """Of the newest day: until when it is known, in epoch seconds; of every day, the hours of the same part."""

    day: date
    until: int
    hours: Mapping[date, range]


def seen(spec: Combined, held: Sequence[Held], *, zone: str, now: datetime) -> list[Series]:
    """The series as a rule sees it: `combining.combined`, of a day so far where that is the grain."""
    if grain_of(spec) == "so_far":
        return so_far(spec, held, zone=zone, now=now)
    return combined(spec, held, zone=zone, until=int(now.timestamp()))


def so_far(spec: Combined, held: Sequence[Held], *, zone: str, now: datetime) -> list[Series]:
    """Days made of hours: each the sum of them up to one local time of day, which the name tells.

    The newest day is the last one at or before now whose first hour has arrived; it goes up
    to the first hour that is not over, has not arrived, or is missing in any part of the
    spec. An earlier day of which an hour is missing has no point. Where clocks changed
    within it a part has an hour more or fewer; an hour that straddles midnight (zones of
    half hours) counts for neither day. `until` is the end of the newest day, so that a
    condition takes its part for whole: here it is compared with parts alone.
    """
    part = _part(held, zone, now)
    if part is None:
        empty = [Held(each.source, {value: {} for value in each.by_value}, is_filled=True) for each in held]
        return combined(spec, empty, zone=zone, until=int(now.timestamp()))
    until = int(days.ends(part.day, zone).timestamp())
    summed = [_summed(each, part, zone) for each in held]
    clock = "midnight" if part.until == until else f"{datetime.fromtimestamp(part.until, ZoneInfo(zone)):%H:%M}"
    made = combined(spec, summed, zone=zone, until=until)
    return [replace(series, name=f"{series.name} until {clock}") for series in made]


def whole_days(spec: SeriesSpec) -> SeriesSpec:
    """The same series by whole days, as a day that is over is judged; any other spec as it is."""
    if isinstance(spec, RatioSeries):
        return spec.model_copy(update={"of": _by_day(spec.of), "to": tuple(_by_day(each) for each in spec.to)})
    if isinstance(spec, DifferenceSeries):
        return spec.model_copy(update={"of": _by_day(spec.of), "less": _by_day(spec.less)})
    return _by_day(spec) if isinstance(spec, MetricSeries | EventSeries) else spec


def _by_day(plain: Plain) -> Plain:
    if plain.grain != "so_far":
        return plain
    if isinstance(plain, MetricSeries) and plain.name.startswith(EVENT_PREFIX):
        # Its measure is kept by day too, the metric only while the event is frequent or pinned.
        return EventSeries(event=plain.name.removeprefix(EVENT_PREFIX))
    return plain.model_copy(update={"grain": "day"})


def _part(held: Sequence[Held], zone: str, now: datetime) -> _Part | None:
    known = _arrived(held)
    if not known:
        return None
    first, day = _day(min(known), zone), days.today(now, zone)
    while day >= first:
        end = min(int(days.ends(day, zone).timestamp()), int(now.timestamp()))
        inside = _hours(_begin(day, zone), end)
        until = next((hour for hour in inside if known.get(hour, 0) < COMPLETE), inside.stop)
        if inside and until > inside.start:
            return _Part(day, until, _same_part(first, day, until, zone))
        day -= timedelta(days=1)
    return None


def _arrived(held: Sequence[Held]) -> dict[int, float]:
    """The hours that every part of the spec has, each with the least share of it that had arrived."""
    common = set.intersection(*(part.begins() for part in held))
    least = dict.fromkeys(common, 1.0)
    for part in held:
        for buckets in part.by_value.values():
            for hour, bucket in buckets.items():
                if hour in common and bucket.arrived < least[hour]:
                    least[hour] = bucket.arrived
    return least


def _same_part(first: date, last: date, until: int, zone: str) -> dict[date, range]:
    clock = datetime.fromtimestamp(until, ZoneInfo(zone)).time()
    is_whole = until == int(days.ends(last, zone).timestamp())
    parts: dict[date, range] = {}
    for day in days.span(first, last):
        end = days.ends(day, zone) if is_whole else datetime.combine(day, clock, ZoneInfo(zone))
        parts[day] = _hours(_begin(day, zone), until if day == last else int(end.timestamp()))
    return parts


def _summed(part: Held, same: _Part, zone: str) -> Held:
    ends = {day: _begin(day + timedelta(days=1), zone) for day in same.hours}
    places = [(_begin(day, zone), ends[day], hours) for day, hours in same.hours.items() if hours]
    return Held(part.source, {value: _sums(part, value, places) for value in part.by_value}, is_filled=True)


def _sums(part: Held, value: str | None, places: Sequence[tuple[int, int, range]]) -> Buckets:
    sums: dict[int, Bucket] = {}
    first = part.first(value)
    for begin, end, hours in places:
        if end <= first:
            continue
        buckets = [bucket for hour in hours if (bucket := part.at(value, hour)) is not None]
        if len(buckets) == len(hours):
            sums[begin] = Bucket(sum(bucket.value for bucket in buckets), min(bucket.arrived for bucket in buckets))
    return sums


def _hours(begin: int, end: int) -> range:
    """The hours of UTC that lie wholly between two instants."""
    first = -(-begin // HOUR) * HOUR
    return range(first, max(first, end // HOUR * HOUR), HOUR)


def _day(hour: int, zone: str) -> date:
    return days.today(datetime.fromtimestamp(hour, UTC), zone)


def _begin(day: date, zone: str) -> int:
    return int(days.begins(day, zone).timestamp())
