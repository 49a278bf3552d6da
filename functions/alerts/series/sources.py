"""Where a plain series comes from: a metric the sync stores anyway, or a measure it must be asked for. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from functions.alerts.spec import EventSeries, MetricSeries, Plain
from hedgerow.catalogue import EVENT_PREFIX, metric_of
from hedgerow.measures import Filter, Grain, Measure

ADDITIVE = ("count", "persons", "sum")
"""Maths of which nothing is 0. The mean and the percentile of nothing are nothing."""
SUMMED = ("count", "sum")
"""Maths of which a day's number is the sum of its hours'."""

# What the catalogue counts by day, as the event and math that count it by hour.
_BY_HOUR: dict[str, Measure] = {
    "posthog_events": Measure(),
    "posthog_dau": Measure(math="persons"),
    "posthog_pageviews": Measure(event="$pageview"),
    "posthog_exceptions": Measure(event="$exception"),
    "posthog_flag_evaluations": Measure(event="$feature_flag_called"),
}
HOURLY_METRICS = tuple(_BY_HOUR)


@dataclass(frozen=True, slots=True)
class Source:
    """A stored series: `name` alone for a metric by day; with a measure, `name` is its series, or begins theirs."""

    name: str
    grain: Grain
    measure: Measure | None = None

    @property
    def has_values(self) -> bool:
        """Is it broken down, one stored series for each value?"""
        return self.measure is not None and self.measure.by is not None

    @property
    def is_additive(self) -> bool:
        """Is a bucket that was measured and holds none of it a 0?"""
        if self.measure is not None:
            return self.measure.math in ADDITIVE
        metric = metric_of(self.name)
        return metric is None or metric.unit == "count"

    def value_of(self, stored: str) -> str | None:
        """Of a stored series' name: the value of the breakdown; None for the name of another series."""
        return stored.removeprefix(self.name) if self.has_values and stored.startswith(self.name) else None


def source_of(plain: Plain) -> Source | None:
    """Where its points are; None for a metric that is not counted at this grain."""
    if isinstance(plain, MetricSeries) and plain.grain == "day":
        return Source(plain.name, "day")
    measure = measure_of(plain)
    if measure is None:
        return None
    return Source(measure.series(""), grain_of(plain), measure)


def grain_of(plain: Plain) -> Grain:
    """What it is measured by: a day so far is made of its hours."""
    return "day" if plain.grain == "day" else "hour"


def measure_of(plain: Plain, *, anyway: bool = False) -> Measure | None:
    """The measure behind a plain series.

    None for a metric that is stored by day anyway (unless `anyway`) and for one that no
    measure can count: trailing persons, new persons, sessions, flags.
    """
    if isinstance(plain, EventSeries):
        return Measure(
            event=plain.event,
            where=_in_order(plain.where),
            math=plain.math,
            of=plain.of,
            by=plain.by,
            hourly=grain_of(plain) == "hour",
        )
    if plain.grain == "day" and not anyway:
        return None
    measure = _BY_HOUR.get(plain.name)
    if measure is None and plain.name.startswith(EVENT_PREFIX):
        measure = Measure(event=plain.name.removeprefix(EVENT_PREFIX))
    return measure and measure.model_copy(update={"hourly": grain_of(plain) == "hour"})


def _in_order(where: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """The same filters in one order, so that the same question is one measure however it was written."""
    ordered: list[Filter] = []
    for each in where:
        # By their JSON, because to Python True is 1.
        values = {json.dumps(value): value for value in each.values}
        ordered.append(Filter(property=each.property, values=tuple(values[text] for text in sorted(values))))
    unique = {each.model_dump_json(): each for each in ordered}
    return tuple(unique[text] for text in sorted(unique))
