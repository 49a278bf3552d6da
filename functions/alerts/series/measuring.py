"""What the sync must measure for rules: the measures of one, and all of a connection's, each question once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from functions.alerts.series.sources import measure_of
from functions.alerts.spec import DifferenceSeries, EventSeries, MetricSeries, Plain, RatioSeries, SeriesSpec
from hedgerow.errors import InvalidError
from hedgerow.measures import MOST_MEASURES, MOST_VALUES, Measure

# A month of them fits one record of the store, though values that change be twice as many as there are at a time.
MOST_HOURLY_SERIES = 120
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
    measures. `InvalidError` above `MOST_MEASURES` or `MOST_HOURLY_SERIES`, naming the rules that need most.
    """
    merged = _merged(measure for _, measures in needs for measure in measures)
    hourly = hourly_series(merged)
    if hourly > MOST_HOURLY_SERIES:
        raise _too_many_hours(hourly, needs)
    if len(merged) <= MOST_MEASURES:
        return merged
    told = _hungriest(needs, len)
    raise InvalidError(
        f"The rules of this connection need {len(merged)} measures; the sync's query takes {MOST_MEASURES}.",
        code="too_many_measures",
        hint=f"Delete a rule, or let rules share a series. Most are needed by {told}. Metrics of the catalogue by day cost none.",
        members={"field": "series", "measures": len(merged), "most": MOST_MEASURES},
    )


def hourly_series(measures: Iterable[Measure]) -> int:
    """How many series by hour these measures may be."""
    return sum(1 if measure.by is None else MOST_VALUES for measure in measures if measure.hourly)


def _too_many_hours(hourly: int, needs: Sequence[tuple[str, Sequence[Measure]]]) -> InvalidError:
    return InvalidError(
        f"The rules of this connection need up to {hourly} hourly series; {MOST_HOURLY_SERIES} are kept.",
        code="too_many_hours",
        hint=(
            f"A breakdown counts {MOST_VALUES}. Make a rule daily, leave out its `by`, or let rules share a series. "
            f"Most are needed by {_hungriest(needs, hourly_series)}."
        ),
        members={"field": "series", "hourly_series": hourly, "most": MOST_HOURLY_SERIES},
    )


def _hungriest(needs: Sequence[tuple[str, Sequence[Measure]]], need_of: Callable[[Sequence[Measure]], int]) -> str:
    most = sorted(((need_of(measures), name) for name, measures in needs), key=lambda need: (-need[0], need[1]))
    return ", ".join(f"`{name}` ({needed})" for needed, name in most[:_NAMED])


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
