"""Which values of a breakdown a rule judges: few enough that each may have an incident. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from functions.alerts.conditions.series import DAY, Series
from functions.alerts.series.sources import ADDITIVE
from functions.alerts.spec import EventSeries, SeriesSpec
from hedgerow.measures import MOST_VALUES

RECENT = 14 * DAY
"""Seconds over which values are weighed: long enough that one is still judged well after it fell to nothing."""


def chosen(spec: SeriesSpec, found: Sequence[Series], kept: Collection[str | None]) -> list[Series]:
    """At most `MOST_VALUES` of the series, in their order: those `kept`, however many, then those with most of late.

    Most is the largest sum where things are counted; of means, ratios and differences, which
    say nothing of how much there was, it is the most buckets in which there was any.
    """
    if len(found) <= MOST_VALUES:
        return list(found)
    counts = isinstance(spec, EventSeries) and spec.math in ADDITIVE
    ranked = sorted(found, key=lambda series: _weight(series, counts=counts), reverse=True)
    mine = {series.value for series in found if series.value in kept}
    for series in ranked:
        if len(mine) >= MOST_VALUES:
            break
        mine.add(series.value)
    return [series for series in found if series.value in mine]


def _weight(series: Series, *, counts: bool) -> tuple[float, float]:
    since = series.until - RECENT
    recent = [value for begin, value in zip(series.begins, series.values, strict=True) if begin >= since]
    size = sum(abs(value) for value in recent)
    return (size, 0.0) if counts else (float(len(recent)), size)
