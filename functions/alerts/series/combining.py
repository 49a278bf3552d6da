"""From what is held of the plain series to the series a rule sees: values apart, ratios and differences made. Pure.

A ratio's bucket in which too little happened to say anything is no point, but it was
measured: it is told in `Series.silent`, so that quiet does not look like missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.series.held import MOST_READ, Bucket, Held
from functions.alerts.series.naming import name_of, unit_of
from functions.alerts.spec import DifferenceSeries, EventSeries, MetricSeries, RatioSeries, SeriesGrain, SeriesSpec

Combined = EventSeries | MetricSeries | RatioSeries | DifferenceSeries


def combined(spec: Combined, held: Sequence[Held], *, zone: str, until: int) -> list[Series]:
    """The series of a spec from what is held of its parts, in the order of `measuring.parts_of`.

    One for each value of the breakdown, by name, none where no value was seen; without a
    breakdown exactly one, which may be empty.
    """
    values = dict.fromkeys(value for part in held for value in part.values())
    if not any(part.source.has_values for part in held):
        return [_series(spec, held, None, zone, until)]
    shown = sorted(list(values)[:MOST_READ], key=lambda value: value or "")
    made = [_series(spec, held, value, zone, until) for value in shown]
    return [series for series in made if series.begins or series.silent]


def _series(spec: Combined, held: Sequence[Held], value: str | None, zone: str, until: int) -> Series:
    if isinstance(spec, MetricSeries | EventSeries):
        points = held[0].filled(value)
        return series_of(name_of(spec, value), points, spec, zone=zone, until=until, value=value)
    points = {}
    silent: list[int] = []
    since = min(part.first(value) for part in held)
    for begin in sorted(set[int]().union(*(part.begins() for part in held))):
        buckets = [part.at(value, begin) for part in held]
        known = [bucket for bucket in buckets if bucket is not None]
        if begin < since or len(known) < len(buckets):
            continue
        number = _value(spec, [bucket.value for bucket in known])
        if number is None:
            silent.append(begin)
        else:
            points[begin] = Bucket(number, min(bucket.arrived for bucket in known))
    return series_of(name_of(spec, value), points, spec, zone=zone, until=until, value=value, silent=silent)


def series_of(
    name: str,
    points: Mapping[int, Bucket],
    spec: SeriesSpec,
    *,
    zone: str,
    until: int,
    value: str | None,
    silent: Sequence[int] = (),
) -> Series:
    """A series of these points, in their order of time."""
    begins = sorted(points)
    return Series(
        name=name,
        seconds=HOUR if grain_of(spec) == "hour" else DAY,
        begins=tuple(begins),
        values=tuple(points[begin].value for begin in begins),
        until=until,
        arrived=tuple(points[begin].arrived for begin in begins),
        zone=zone,
        unit=unit_of(spec),
        value=value,
        silent=tuple(silent),
    )


def grain_of(spec: SeriesSpec) -> SeriesGrain:
    """By what it is cut; the sides of a ratio or a difference agree on it."""
    if isinstance(spec, MetricSeries | EventSeries):
        return spec.grain
    return spec.of.grain if isinstance(spec, RatioSeries | DifferenceSeries) else "day"


def _value(spec: RatioSeries | DifferenceSeries, numbers: Sequence[float]) -> float | None:
    """The bucket's number; None where there is too little of it to speak."""
    if isinstance(spec, RatioSeries):
        of, total = numbers[0], sum(numbers[1:])
        return 100 * of / total if total >= spec.minimum and total > 0 else None
    of, less = numbers
    return of - less if of + less >= spec.minimum else None
