"""What the sync must measure for rules: the measures of one, and all of a connection's, each question once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from functions.alerts.series.sources import measure_of
from functions.alerts.spec import DifferenceSeries, EventSeries, MetricSeries, Plain, RatioSeries, SeriesSpec
from hedgerow.errors import InvalidError
from hedgerow.measures import MOST_MEASURES, Measure

_NAMED = 3


def measures_of(spec: SeriesSpec) -> tuple[Measure, ...]:
    """The measures a rule over this series needs; none where the sync stores the series anyway.

    A count of one event without filter or breakdown is a measure too: the metric
    `event:<name>` is kept only while the event is frequent or pinned.
    """
    found = [measure for plain in parts_of(spec) if (measure := measure_of(plain)) is not None]
    return _merged(found)


def merge_measures(needs: Sequence[tuple[str, Sequence[Measure]]]) -> tuple[Measure, ...]:
    """The measures of all of a connection's rules: the same question once, by hour where any rule wants that.

    `needs` are each rule's name and `measures_of` its series. In an order that does not depend on the rules', so that unchanged rules give equal
    measures. `InvalidError` above `MOST_MEASURES`, naming the rules that need most.
    """
    merged = _merged(measure for _, measures in needs for measure in measures)
    if len(merged) <= MOST_MEASURES:
        return merged
    most = sorted(needs, key=lambda need: (-len(need[1]), need[0]))[:_NAMED]
    told = ", ".join(f"`{name}` ({len(measures)})" for name, measures in most)
    raise InvalidError(
        f"The rules of this connection need {len(merged)} measures; the sync's query takes {MOST_MEASURES}.",
        code="too_many_measures",
        hint=f"Delete a rule, or let rules share a series. Most are needed by {told}. Metrics of the catalogue by day cost none.",
        members={"field": "series", "measures": len(merged), "most": MOST_MEASURES},
    )


def parts_of(spec: SeriesSpec) -> tuple[Plain, ...]:
    """The plain series a spec is made of; none for what is not counted from events."""
    if isinstance(spec, MetricSeries | EventSeries):
        return (spec,)
    if isinstance(spec, RatioSeries):
        return (spec.of, *spec.to)
    if isinstance(spec, DifferenceSeries):
        return (spec.of, spec.less)
    return ()


def _merged(measures: Iterable[Measure]) -> tuple[Measure, ...]:
    by_id: dict[str, Measure] = {}
    for measure in measures:
        known = by_id.get(measure.id)
        hourly = measure.hourly or (known is not None and known.hourly)
        by_id[measure.id] = measure.model_copy(update={"hourly": hourly})
    return tuple(by_id[id] for id in sorted(by_id))
