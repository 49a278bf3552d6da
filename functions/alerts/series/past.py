"""From where on a series of a connection has a past. Pure.

Whoever counts events writes zeros for the time before the first one: that is no history, and
nothing is judged, learnt or forecast from it.
"""

from __future__ import annotations

from dataclasses import replace

from functions.alerts.conditions.series import Series
from functions.alerts.series.naming import unit_of
from functions.alerts.series.sources import ADDITIVE
from functions.alerts.spec import DifferenceSeries, EventSeries, MetricSeries, SeriesSpec


def with_data(spec: SeriesSpec, series: Series) -> Series:
    """The series from its first point that is not zero, where its zeros are counts of nothing; else as it is."""
    if not _counts(spec):
        return series
    first = next((place for place, value in enumerate(series.values) if value), len(series.begins))
    arrived = series.arrived
    return replace(
        series,
        begins=series.begins[first:],
        values=series.values[first:],
        arrived=None if arrived is None else arrived[first:],
    )


def _counts(spec: SeriesSpec) -> bool:
    match spec:
        case MetricSeries():
            return unit_of(spec) == "count"
        case EventSeries():
            return spec.math in ADDITIVE
        case DifferenceSeries():
            return _counts(spec.of) and _counts(spec.less)
        case _:
            return False
