"""What a series is called to people: `payment.failed by method = card`. Pure; channels escape it for their own markup."""

from __future__ import annotations

import json

from functions.alerts.conditions.series import Unit
from functions.alerts.series.measuring import parts_of
from functions.alerts.spec import (
    BacklogSeries,
    DifferenceSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    Plain,
    RatioSeries,
    SeriesSpec,
)
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, metric_of
from hedgerow.measures import Filter

_MATHS = {
    "persons": "Persons with",
    "sum": "Sum of {of} of",
    "avg": "Mean {of} of",
    "p95": "95th percentile of {of} of",
}


def name_of(spec: SeriesSpec, value: str | None = None) -> str:
    """The name of a spec's series, or of the one of a value of its breakdown."""
    by = by_of(spec)
    return _whole(spec) if value is None or by is None else f"{_whole(spec)} by {by} = {value}"


def flag_name(key: str, variant: str) -> str:
    """The name of the series of one variant of a flag."""
    return f"Flag {key} = {variant}"


def by_of(spec: SeriesSpec) -> str | None:
    """The property a spec is broken down by; its sides agree on it."""
    return next((plain.by for plain in parts_of(spec) if isinstance(plain, EventSeries) and plain.by), None)


def unit_of(spec: SeriesSpec) -> Unit:
    """What its values count."""
    if isinstance(spec, RatioSeries):
        return "percent"
    if isinstance(spec, DifferenceSeries):
        return unit_of(spec.of)
    if isinstance(spec, MetricSeries):
        metric = metric_of(spec.name)
        return metric.unit if metric else "count"
    if isinstance(spec, EventSeries):
        return "count" if spec.math in ("count", "persons") else "number"
    return "seconds" if isinstance(spec, BacklogSeries) and spec.of == "oldest_seconds" else "count"


def _whole(spec: SeriesSpec) -> str:
    if isinstance(spec, MetricSeries | EventSeries):
        return _plain(spec)
    if isinstance(spec, RatioSeries):
        to = " + ".join(_plain(each) for each in spec.to)
        return f"{_plain(spec.of)} per {to}"
    if isinstance(spec, DifferenceSeries):
        return f"{_plain(spec.of)} less {_plain(spec.less)}"
    if isinstance(spec, BacklogSeries):
        return "Age of the oldest pending delivery" if spec.of == "oldest_seconds" else "Events pending in the outbox"
    if isinstance(spec, FlagSeries):
        return "Persons by feature flag" if spec.key is None else f"Persons by variant of flag {spec.key}"
    return "Sync intervals since the last success"


def _plain(plain: Plain) -> str:
    if isinstance(plain, MetricSeries):
        return _metric(plain.name)
    event = "all events" if plain.event is None else plain.event
    math = _MATHS.get(plain.math, "").format(of=plain.of)
    name = f"{math} {event}" if math else "All events" if plain.event is None else event
    return f"{name} where {' and '.join(_filter(each) for each in plain.where)}" if plain.where else name


def _metric(name: str) -> str:
    if name.startswith(EVENT_PREFIX):
        return name.removeprefix(EVENT_PREFIX)
    if name.startswith(FLAG_PREFIX):
        return flag_name(*name.removeprefix(FLAG_PREFIX).split(":", 1))
    metric = metric_of(name)
    return metric.description if metric else name


def _filter(each: Filter) -> str:
    values = (value if isinstance(value, str) else json.dumps(value) for value in each.values)
    return f"{each.property} = {' or '.join(values)}"
