"""A month of metric points, packed into one record: values by day, and which write each came from.

A write is one run's visit to the month: when it began, in which zone, with which query.
A day is complete when the write that set it began after the day had closed in that
write's zone. Packed as compressed JSON; pure, no store.
"""

from __future__ import annotations

import json
import zlib
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypedDict

from hedgerow import days

Value = int | float
QueryValue = str | int | float | list[str]


class Packed(TypedDict):
    """`w`: the writes still referred to, as run, begin, zone, query, values; `s`: per series values and write numbers by day."""

    w: list[tuple[str, str, str, str, dict[str, QueryValue]]]
    s: dict[str, tuple[list[Value | None], list[int | None]]]


@dataclass(frozen=True, slots=True)
class Write:
    """One run's visit to a month. `query` is the SHA-256 of its HogQL text, empty where none was sent."""

    run_id: str
    began_at: datetime
    zone: str
    query: str = ""
    values: Mapping[str, QueryValue] = field(default_factory=dict)

    def completes(self, day: date) -> bool:
        """Had the day closed when this write's sync began?"""
        return self.began_at >= days.ends(day, self.zone)


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one day, and the write that set it."""

    value: Value
    write: Write


@dataclass(slots=True)
class Month:
    """A month being read or changed: series name -> day of the month -> point."""

    month: str
    series: dict[str, dict[int, Point]] = field(default_factory=dict)

    def date_of(self, day: int) -> date:
        """The date of a day of this month."""
        return date.fromisoformat(f"{self.month}-{day:02d}")

    def point(self, name: str, day: date) -> Point | None:
        """The point of a series on a day of this month."""
        return self.series.get(name, {}).get(day.day)

    def put(self, name: str, day: date, point: Point) -> None:
        """Set a point."""
        self.series.setdefault(name, {})[day.day] = point

    def drop(self, name: str, day: date) -> None:
        """Forget a point."""
        self.series.get(name, {}).pop(day.day, None)

    def queries(self) -> set[str]:
        """The ids of the query texts that wrote points of this month."""
        return {point.write.query for points in self.series.values() for point in points.values()}

    def drop_before(self, oldest: date) -> bool:
        """Forget the days before `oldest`; True when anything went."""
        dropped = False
        for name, points in list(self.series.items()):
            for day in [day for day in points if self.date_of(day) < oldest]:
                del points[day]
                dropped = True
            if not points:
                del self.series[name]
        return dropped


def record_id(connection_id: str, month: str) -> str:
    """The id of a connection's month."""
    return f"{connection_id}:{month}"


def pack(month: Month) -> bytes:
    """The month as compressed JSON of the form `Packed`."""
    length = monthrange(int(month.month[:4]), int(month.month[5:]))[1]
    numbers: dict[int, int] = {}
    packed: Packed = {"w": [], "s": {}}
    for name, points in sorted(month.series.items()):
        values: list[Value | None] = [None] * length
        refs: list[int | None] = [None] * length
        for day, point in points.items():
            write = point.write
            if id(write) not in numbers:
                numbers[id(write)] = len(packed["w"])
                packed["w"].append(
                    (write.run_id, write.began_at.isoformat(), write.zone, write.query, dict(write.values))
                )
            values[day - 1] = point.value
            refs[day - 1] = numbers[id(write)]
        packed["s"][name] = (values, refs)
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def unpack(month: str, packed: bytes) -> Month:
    """The month as it was packed."""
    raw = load(packed)
    writes = [
        Write(run, datetime.fromisoformat(began), zone, query, values) for run, began, zone, query, values in raw["w"]
    ]
    series = {
        name: {
            day: Point(value, writes[ref])
            for day, (value, ref) in enumerate(zip(values, refs, strict=True), start=1)
            if ref is not None and value is not None
        }
        for name, (values, refs) in raw["s"].items()
    }
    return Month(month, series)


def load(packed: bytes) -> Packed:
    """The packed form itself, for readers in a hurry."""
    loaded: Packed = json.loads(zlib.decompress(packed))
    return loaded
