"""From an answer's facts to the points of measures, by day and by hour, and the hours that are new or have moved. Pure.

A value of a breakdown gets points on every day and hour asked about once it is among the
most frequent, and is measured again wherever it has one already. What is counted or added
up is 0 where there was none; a mean or a percentile of nothing is no point, None here
where one is held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import TypeVar

from functions.sync.answers import Facts
from functions.sync.hogql import Question
from hedgerow import days, hours
from hedgerow.hours import HOUR, HourPoint, Hours
from hedgerow.measure_hogql import ADDITIVE
from hedgerow.measures import MEASURE_PREFIX, Measure
from hedgerow.months import Month, Value

Place = TypeVar("Place", date, int)
Points = dict[tuple[str, Place], Value | None]


def parts_of(measures: Iterable[Measure], names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values of breakdowns that series' names hold, by measure id."""
    found: dict[str, tuple[str, ...]] = {}
    listed = sorted(set(names))
    for measure in measures:
        if measure.by is not None:
            series = measure.series("")
            found[measure.id] = tuple(name.removeprefix(series) for name in listed if name.startswith(series))
    return found


def daily(questions: Iterable[Question], facts: Facts, held: Mapping[str, Month]) -> Points[date]:
    """Every point by local day that the answers to these questions set."""
    points: Points[date] = {}
    for question in questions:
        asked = [day for span in question.light_spans() for day in span.days()] if question.measured else []
        known = {day: _of_day(held, day) for day in asked}
        for measure in question.measured:
            points.update(_points(measure, asked, known, facts.parts, facts.values))
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
            points.update(_points(measure, asked, known, facts.parts, facts.hours))
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
        for name, hour, value in found:
            series = into.series.setdefault(name, {})
            if value is None:
                series.pop(hour, None)
            else:
                series[hour] = HourPoint(value, asked_at)
    return moved


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
    ranked: Mapping[str, int],
    found: Mapping[tuple[str, Place], Value],
) -> Points[Place]:
    series = measure.series("")
    of_all = {series} if measure.by is None else {name for name in ranked if name.startswith(series)}
    points: Points[Place] = {}
    for place in asked:
        mine = {name for name in known.get(place, ()) if name.startswith(series)} if measure.by is not None else of_all
        for name in of_all | mine:
            value = found.get((name, place))
            if value is None and measure.math in ADDITIVE:
                value = 0
            if value is not None or name in known.get(place, ()):
                points[name, place] = value
    return points


def _of_day(held: Mapping[str, Month], day: date) -> set[str]:
    month = held.get(days.month_of(day))
    if month is None:
        return set()
    return {name for name, points in month.series.items() if name.startswith(MEASURE_PREFIX) and day.day in points}
