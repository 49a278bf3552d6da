"""From an answer's facts to the points of measures, by day and by hour, and the hours that are new or have moved. Pure.

A value of a breakdown gets points on every day and hour asked about once it is among the
most frequent, and is measured again wherever it has one already, unless more than
`MOST_PARTS` have: then those with the most are. What is counted or added
up is 0 where there was none; a mean or a percentile of nothing is no point, None here
where one is held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import TypeVar

from functions.sync.answers import Facts
from functions.sync.hogql import Question
from functions.sync.windows import Span
from hedgerow import days, hours, measure_hogql
from hedgerow.hours import HOUR, HourPoint, Hours
from hedgerow.measure_hogql import ADDITIVE
from hedgerow.measures import MEASURE_PREFIX, Measure
from hedgerow.months import Month, Value

Place = TypeVar("Place", date, int)
Points = dict[tuple[str, Place], Value | None]

# Values that keep changing, such as order numbers, would make every query longer than the last.
MOST_PARTS = 40


def parts_of(
    measures: Iterable[Measure], months: Mapping[str, Month], spans: Iterable[Span]
) -> dict[str, tuple[str, ...]]:
    """The values of breakdowns that have points in these days, by measure id: the `MOST_PARTS` with the most."""
    weights: dict[str, float] = defaultdict(float)
    for day in {day for span in spans for day in span.days()}:
        for name in _of_day(months, day):
            weights[name] += abs(months[days.month_of(day)].series[name][day.day].value)
    found: dict[str, tuple[str, ...]] = {}
    for measure in measures:
        if measure.by is not None:
            series = measure.series("")
            mine = sorted((-weight, name) for name, weight in weights.items() if name.startswith(series))
            found[measure.id] = tuple(name.removeprefix(series) for _, name in mine[:MOST_PARTS])
    return found


def daily(questions: Iterable[Question], facts: Facts, held: Mapping[str, Month]) -> Points[date]:
    """Every point by local day that the answers to these questions set."""
    points: Points[date] = {}
    for question in questions:
        asked = [day for span in question.light_spans() for day in span.days()] if question.measured else []
        known = {day: _of_day(held, day) for day in asked}
        for measure in question.measured:
            points.update(_points(measure, asked, known, _told(question, measure, facts), facts.values))
    return points


def hourly(questions: Iterable[Question], facts: Facts, held: Mapping[str, Hours]) -> Points[int]:
    """Every point by UTC hour that the answers to these questions set; none for hours that had not begun."""
    points: Points[int] = {}
    for question in questions:
        wanted = [measure for measure in question.measured if measure.hourly]
        asked = question.hours() if wanted else []
        known: dict[int, set[str]] = {hour: set() for hour in asked}
        for month in held.values():
            for name, series in month.series.items():
                for hour in series.keys() & known.keys():
                    known[hour].add(name)
        for measure in wanted:
            rounded = {place: hours.rounded(value) for place, value in facts.hours.items()}
            points.update(_points(measure, asked, known, _told(question, measure, facts), rounded))
    return points


def merge_hours(
    held: dict[str, Hours], points: Mapping[tuple[str, int], Value | None], asked_at: datetime
) -> dict[str, int]:
    """Put the hours of every month in which one is new, has moved or has closed; month -> how many are new or moved.

    A month that is written anyway keeps of every hour asked about when that was.
    """
    moved: dict[str, int] = {}
    by_month: dict[str, list[tuple[str, int, Value | None]]] = {}
    for (name, hour), value in points.items():
        by_month.setdefault(hours.month_of(hour), []).append((name, hour, value))
    for month, found in by_month.items():
        into = held.setdefault(month, Hours(month))
        fates = [_fate(into.series.get(name, {}).get(hour), hour, value, asked_at) for name, hour, value in found]
        if not any(fates):
            continue
        moved[month] = fates.count("moved")
        asked = {name for name, _, _ in found}
        for name, hour, value in found:
            series = into.series.setdefault(name, {})
            if value is None:
                series.pop(hour, None)
            else:
                series[hour] = HourPoint(value, asked_at)
        _drop_crowd(into, asked)
    return moved


def weight(points: Mapping[int, HourPoint]) -> float:
    """How much a series of hours holds."""
    return sum(abs(point.value) for point in points.values())


def _drop_crowd(month: Hours, asked: Collection[str]) -> None:
    """Leave of every breakdown `MOST_PARTS` values: those just asked for first, then those with the most."""
    by_measure: dict[str, list[str]] = {}
    for name in month.series:
        by_measure.setdefault(measure_hogql.id_of(name), []).append(name)
    for names in by_measure.values():
        if len(names) > MOST_PARTS:
            names.sort(key=lambda name: (name not in asked, -weight(month.series[name]), name))
            for name in names[MOST_PARTS:]:
                del month.series[name]


def _told(question: Question, measure: Measure, facts: Facts) -> tuple[list[str], frozenset[str]]:
    """The series the answer tells of: those to have points everywhere, and all of them, the ranked ones first."""
    series = measure.series("")
    if measure.by is None:
        return [series], frozenset((series,))
    ranked = [name for name in facts.parts if name.startswith(series)]
    again = [series + value for value in question.parts.get(measure.id, ())]
    return ranked, frozenset(list(dict.fromkeys((*ranked, *again)))[:MOST_PARTS])


def _fate(old: HourPoint | None, hour: int, value: Value | None, asked_at: datetime) -> str:
    if old is None or value is None:
        return "moved" if (old is None) != (value is None) else ""
    if old.value != value:
        return "moved"
    end = hour + HOUR
    return "closed" if old.asked_at.timestamp() < end <= asked_at.timestamp() else ""


def _points(
    measure: Measure,
    asked: Iterable[Place],
    known: Mapping[Place, Collection[str]],
    told: tuple[Collection[str], frozenset[str]],
    found: Mapping[tuple[str, Place], Value],
) -> Points[Place]:
    """What was not asked for again stays as it is: nothing is known of it."""
    everywhere, told_of = told
    points: Points[Place] = {}
    for place in asked:
        held = told_of.intersection(known.get(place, ()))
        for name in held.union(everywhere):
            value = found.get((name, place))
            if value is None and measure.math in ADDITIVE:
                value = 0
            if value is not None or name in held:
                points[name, place] = value
    return points


def _of_day(held: Mapping[str, Month], day: date) -> set[str]:
    month = held.get(days.month_of(day))
    if month is None:
        return set()
    return {name for name, points in month.series.items() if name.startswith(MEASURE_PREFIX) and day.day in points}
