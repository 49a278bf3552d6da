"""From an answer's facts to the points that are new or have moved, and what that changed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from functions.sync.answers import Facts
from functions.sync.hogql import HEAVY
from functions.sync.windows import Ask, Span
from hedgerow import days
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, Family, fixed
from hedgerow.models import ValueChange
from hedgerow.months import Month, Point, Value, Write


@dataclass(slots=True)
class Stored:
    """What merging did: months to write, how many points moved or are new, what moved after it was complete."""

    months: set[str] = field(default_factory=set)
    points: int = 0
    changes: dict[str, list[ValueChange]] = field(default_factory=lambda: defaultdict(list))
    rezoned: bool = False

    @property
    def days_changed(self) -> tuple[date, ...]:
        """The past days of which a value moved."""
        return tuple(sorted({change.day for changes in self.changes.values() for change in changes}))


def tracked(months: Mapping[str, Month], spans: Iterable[Span], prefix: str) -> tuple[str, ...]:
    """Names that already have a point in these days: they are measured again there, ranked or not."""
    names: set[str] = set()
    for span in spans:
        for day in span.days():
            month = months.get(days.month_of(day))
            if month is not None:
                names.update(
                    name for name, points in month.series.items() if name.startswith(prefix) and day.day in points
                )
    return tuple(sorted(name.removeprefix(prefix) for name in names))


def flag_keys(variants: Iterable[str]) -> tuple[str, ...]:
    """The flag keys of `key:variant` names: a variant may hold a colon, a key does not."""
    return tuple(sorted({name.partition(":")[0] for name in variants}))


def wanted(ask: Ask, facts: Facts, months: Mapping[str, Month], pinned: Iterable[str]) -> dict[tuple[str, date], Value]:
    """Every point this answer sets: its own values, and zero where a day had none of what is measured."""
    light = ask.light_days()
    # Beyond the window only what is there already is measured again: a late event moves the trailing days behind it.
    heavy = [day for day in (ask.heavy.days() if ask.heavy else []) if day <= ask.window.last or _is_held(months, day)]
    points: dict[tuple[str, date], Value] = {}
    for family in ("day", "session", "trailing", "new_users"):
        for metric in fixed(family):
            points.update(((metric.name, day), 0) for day in _days_of(family, light, heavy))
    ranked = {EVENT_PREFIX + name for name in (*facts.events, *pinned)}
    points.update(((name, day), 0) for name in ranked for day in light)
    called = {
        name
        for name, _ in facts.values
        if name.startswith(FLAG_PREFIX) and name.removeprefix(FLAG_PREFIX).partition(":")[0] in facts.flags
    }
    points.update(((name, day), 0) for name in called for day in light)
    known = [day for day in light if days.month_of(day) in months]
    for day in known:
        for name, held in months[days.month_of(day)].series.items():
            if name.startswith((EVENT_PREFIX, FLAG_PREFIX)) and day.day in held:
                points.setdefault((name, day), 0)
    points.update((place, value) for place, value in facts.values.items() if place in points)
    return points


def merge(
    months: dict[str, Month],
    points: Mapping[tuple[str, date], Value | None],
    write_of: Callable[[str, date], Write],
) -> Stored:
    """Put the points that are new, have moved, changed zone or became complete; tell what changed.

    None takes the point away: there is nothing any more of which it could be the mean.
    """
    stored = Stored()
    for (name, day), value in points.items():
        write = write_of(name, day)
        month = months.setdefault(days.month_of(day), Month(days.month_of(day)))
        old = month.point(name, day)
        if value is None:
            if old is not None:
                _drop(stored, month, name, day, old)
            continue
        if old is not None and old.value == value and old.write.zone == write.zone:
            if old.write.completes(day) or not write.completes(day):
                continue
        elif old is None or old.value != value:
            stored.points += 1
        if old is not None and old.value != value and old.write.completes(day):
            stored.changes[month.month].append(ValueChange(metric=name, day=day, old=old.value, new=value))
            stored.rezoned = stored.rezoned or old.write.zone != write.zone
        month.put(name, day, Point(value, write))
        stored.months.add(month.month)
    return stored


def _drop(stored: Stored, month: Month, name: str, day: date, old: Point) -> None:
    month.drop(name, day)
    stored.months.add(month.month)
    stored.points += 1
    if old.write.completes(day):
        stored.changes[month.month].append(ValueChange(metric=name, day=day, old=old.value, new=None))


def flags_points(active: int | None, today: date, months: Mapping[str, Month]) -> dict[tuple[str, date], Value]:
    """The count of active flags: today's, and yesterday's last one confirmed now that the day has closed."""
    name = fixed("listing")[0].name
    points: dict[tuple[str, date], Value] = {}
    yesterday = today - days.DAY
    before = months.get(days.month_of(yesterday))
    held = before.point(name, yesterday) if before else None
    if held is not None:
        points[name, yesterday] = held.value
    now = months.get(days.month_of(today))
    listed = now.point(name, today) if now else None
    if listed is not None:
        points[name, today] = listed.value
    if active is not None:
        points[name, today] = active
    return points


def _is_held(months: Mapping[str, Month], day: date) -> bool:
    month = months.get(days.month_of(day))
    return month is not None and month.point(fixed("trailing")[0].name, day) is not None


def _days_of(family: Family, light: list[date], heavy: list[date]) -> list[date]:
    return heavy if family in HEAVY else light
