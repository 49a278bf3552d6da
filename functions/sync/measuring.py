"""The arms of the combined query that make the measures of alert rules, by local day and by hour. Pure.

What a rule names (events, properties, values) travels as values of placeholders, never in
the text, so no name can break out of the query; the text holds a measure's own id and the
numbers it filters by. A value of a breakdown is its text; events without one, or with one
longer than `LONGEST_VALUE` bytes, are in no series of it.
"""
# ruff: noqa: S608 - the text is made of our own words; what users name travels as values

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from functions.sync.when import HOUR_DAY, HOUR_PREFIX, IN_DAYS, IN_HOURS, IN_RANK, LOCAL_DAY, RANK_DAY, UTC_HOUR
from hedgerow.measures import MEASURE_PREFIX, MOST_VALUES, Math, Measure, Scalar
from hedgerow.months import QueryValue

LONGEST_VALUE = 400
# Names of a span that take part when spans are ranked one by one and added up.
MOST_RANKED = 1_000
# A number beyond this is a mistake of the app that sent it; sums of the others stay exact enough to compare.
LARGEST_NUMBER = "1e15"

_AGGREGATES: dict[Math, str] = {
    "count": "count()",
    "persons": "uniqExact(person)",
    "sum": "sum(number)",
    "avg": "avg(number)",
    "p95": "quantile(0.95)(number)",
}
ADDITIVE: frozenset[Math] = frozenset({"count", "persons", "sum"})


def each_once(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Every measure once: hourly if anybody asked for hours of it."""
    found: dict[str, Measure] = {}
    for measure in measures:
        held = found.get(measure.id)
        if held is None or (measure.hourly and not held.hourly):
            found[measure.id] = measure
    return tuple(found.values())


def id_of(series: str) -> str:
    """The id of the measure a series belongs to."""
    return series.removeprefix(MEASURE_PREFIX).partition(":")[0]


def arms(measures: Sequence[Measure], *, rank: bool) -> list[str]:
    """The arms of these measures; without `rank` the breakdowns' values are only those given."""
    made: list[str] = []
    for number, measure in enumerate(measures):
        made.append(_points(number, measure, rank=rank, hourly=False))
        if measure.hourly:
            made.append(_points(number, measure, rank=rank, hourly=True))
        if measure.by is not None and rank:
            name = f"concat('{measure.series('')}', part)"
            counted = _counted(number, measure, MOST_VALUES)
            made.append(
                f"select toDate('{RANK_DAY}') as day, {name} as metric, toFloat(times) as value from (\n  {counted})"
            )
    return made


def rank_arms(measures: Sequence[Measure]) -> list[str]:
    """The rankings of the breakdowns alone: the series' name, and how often."""
    return [
        f"select concat('{measure.series('')}', part) as name, times from (\n  {_counted(number, measure, MOST_RANKED)})"
        for number, measure in enumerate(measures)
        if measure.by is not None
    ]


def values(measures: Sequence[Measure], parts: Mapping[str, Sequence[str]]) -> dict[str, QueryValue]:
    """What the arms' placeholders stand for; `parts` are values of breakdowns by measure id."""
    told: dict[str, QueryValue] = {}
    for number, measure in enumerate(measures):
        named = {"event": measure.event, "of": measure.of, "by": measure.by}
        told |= {f"m{number}_{name}": text for name, text in named.items() if text is not None}
        told[f"m{number}_parts"] = ["", *parts.get(measure.id, ())]
        for place, wanted in enumerate(measure.where):
            told[f"m{number}_p{place}"] = wanted.property
            told[f"m{number}_v{place}"] = [text for value in wanted.values if (text := _text(value)) is not None]
    return told


def _points(number: int, measure: Measure, *, rank: bool, hourly: bool) -> str:
    series = f"'{measure.series()}'" if measure.by is None else f"concat('{measure.series('')}', part)"
    place, span, day = (UTC_HOUR, IN_HOURS, f"toDate('{HOUR_DAY}')") if hourly else (LOCAL_DAY, IN_DAYS, "place")
    metric = f"concat('{HOUR_PREFIX}', toString(place), ':', {series})" if hourly else series
    columns = [f"{place} as place"]
    if measure.by is not None:
        columns.append(f"{_part(number)} as part")
    if measure.math == "persons":
        columns.append("person_id as person")
    if measure.of is not None:
        columns.append(f"{_number(number)} as number")
    inside = f"select {', '.join(columns)} from events where {span}{_conditions(number, measure)}"
    grouped, only = (
        ("place", "") if measure.by is None else ("place, part", f"\nwhere {_chosen(number, measure, rank=rank)}")
    )
    return (
        f"select {day} as day, {metric} as metric, toFloat({_AGGREGATES[measure.math]}) as value from (\n"
        f"  {inside}){only} group by {grouped}"
    )


def _chosen(number: int, measure: Measure, *, rank: bool) -> str:
    ranked = f" or part in (select part from ({_counted(number, measure, MOST_VALUES)}))" if rank else ""
    return f"{_IS_VALUE} and (part in {{m{number}_parts}}{ranked})"


def _counted(number: int, measure: Measure, most: int) -> str:
    inside = f"select {_part(number)} as part from events where {IN_RANK}{_conditions(number, measure)}"
    return (
        f"select part, count() as times from ({inside}) where {_IS_VALUE} group by part"
        f" order by times desc, part asc limit {most}"
    )


# PostHog reads an empty text of a materialised property as none; so does this, wherever the property is kept.
_IS_VALUE = f"part != '' and part != 'null' and length(part) <= {LONGEST_VALUE}"


def _part(number: int) -> str:
    return f"ifNull(toString(properties[{{m{number}_by}}]), '')"


def _number(number: int) -> str:
    return f"toFloat(properties[{{m{number}_of}}])"


def _conditions(number: int, measure: Measure) -> str:
    told = [f"event = {{m{number}_event}}"] if measure.event is not None else []
    for place, wanted in enumerate(measure.where):
        told.append(_filter(number, place, wanted.values))
    if measure.of is not None:
        # Also false for what is no number.
        told.append(f"abs({_number(number)}) <= {LARGEST_NUMBER}")
    return "".join(f" and {condition}" for condition in told)


def _filter(number: int, place: int, wanted: Sequence[Scalar]) -> str:
    """Texts and truths are compared as text, numbers as numbers: `200` is also `200.0` and the text `200`."""
    named = f"properties[{{m{number}_p{place}}}]"
    either = [f"toFloat({named}) = {known!r}" for value in wanted if (known := _finite(value)) is not None]
    if any(_text(value) is not None for value in wanted):
        either.append(f"toString({named}) in {{m{number}_v{place}}}")
    return f"({' or '.join(either)})" if either else "false"


def _text(value: Scalar) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _finite(value: Scalar) -> float | None:
    """The number as PostHog's is: a double. What is none, or no number, equals nothing."""
    if isinstance(value, bool | str):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
