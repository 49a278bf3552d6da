"""A month of hourly points, packed into one record: values by hour, and when PostHog was asked for each.

Hours are of UTC and named by the epoch second of their begin, so that a night on which
clocks change has every hour once. Packed as compressed JSON; pure, no store.
"""

from __future__ import annotations

import json
import zlib
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict

from hedgerow.records import Index, Instant, Record

HOUR = 3_600
# More figures tell a rule nothing, and cost half of a month's room.
FIGURES = 7


class HourMonth(Record):
    """A UTC month of a connection's hourly series. Its id is `connection_id:YYYY-MM`."""

    collection = "hour_months"
    indexes = (Index("connection_id", "month"), Index("month"))

    connection_id: str
    month: str
    packed: bytes
    updated_at: Instant


@dataclass(frozen=True, slots=True)
class HourPoint:
    """One value of one hour, and when the sync that wrote it asked PostHog.

    An hour that is asked for again and has not moved may keep its earlier `asked_at`: a
    sync that found nothing new writes nothing.
    """

    value: float
    asked_at: datetime


@dataclass(slots=True)
class Hours:
    """A month being read or changed: series name -> epoch second of the hour's begin -> point."""

    month: str
    series: dict[str, dict[int, HourPoint]] = field(default_factory=dict)

    def drop_before(self, oldest: int) -> bool:
        """Forget the hours that begin before this epoch second; True when anything went."""
        dropped = False
        for name, points in list(self.series.items()):
            for hour in [hour for hour in points if hour < oldest]:
                del points[hour]
                dropped = True
            if not points:
                del self.series[name]
        return dropped


class Packed(TypedDict):
    """`a`: when was asked; `s`: per series its first hour of the month, then values and runs of `[asked, how many]`."""

    a: list[str]
    s: dict[str, tuple[int, list[float | None], list[tuple[int, int]]]]


def record_id(connection_id: str, month: str) -> str:
    """The id of a connection's month of hours."""
    return f"{connection_id}:{month}"


def month_of(hour: int) -> str:
    """The UTC month, `YYYY-MM`, of an epoch second."""
    return f"{datetime.fromtimestamp(hour, UTC):%Y-%m}"


def months_between(first: int, end: int) -> list[str]:
    """Every UTC month that holds an hour from `first` up to, without, `end`; oldest first."""
    months: list[str] = []
    at = first
    while at < end:
        month = month_of(at)
        months.append(month)
        at = _begin(month) + _length(month) * HOUR
    return months


def rounded(value: float) -> float:
    """The value as it is packed: to `FIGURES` significant ones."""
    kept = float(f"{value:.{FIGURES}g}")
    return int(kept) if kept.is_integer() and abs(kept) < 2**53 else kept


def pack(hours: Hours) -> bytes:
    """The month as compressed JSON of the form `Packed`, values rounded. `ValueError` for an hour of another month."""
    begin, length = _begin(hours.month), _length(hours.month)
    numbers: dict[datetime, int] = {}
    packed: Packed = {"a": [], "s": {}}
    for name, points in sorted(hours.series.items()):
        if not points:
            continue
        slots = sorted((hour - begin) // HOUR for hour in points)
        if slots[0] < 0 or slots[-1] >= length or any((hour - begin) % HOUR for hour in points):
            raise ValueError(f"a point of {name} is at no hour of {hours.month}")
        values: list[float | None] = [None] * (slots[-1] - slots[0] + 1)
        runs: list[tuple[int, int]] = []
        for slot in slots:
            point = points[begin + slot * HOUR]
            values[slot - slots[0]] = rounded(point.value)
            number = numbers.setdefault(point.asked_at, len(numbers))
            if runs and runs[-1][0] == number:
                runs[-1] = (number, runs[-1][1] + 1)
            else:
                runs.append((number, 1))
        packed["s"][name] = (slots[0], values, runs)
    packed["a"] = [at.isoformat() for at in numbers]
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def unpack(month: str, packed: bytes) -> Hours:
    """The month as it was packed."""
    raw: Packed = json.loads(zlib.decompress(packed))
    begin = _begin(month)
    asked = [datetime.fromisoformat(at) for at in raw["a"]]
    hours = Hours(month)
    for name, (first, values, runs) in raw["s"].items():
        refs = iter([asked[number] for number, times in runs for _ in range(times)])
        hours.series[name] = {
            begin + (first + offset) * HOUR: HourPoint(value, next(refs))
            for offset, value in enumerate(values)
            if value is not None
        }
    return hours


def _begin(month: str) -> int:
    return int(datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC).timestamp())


def _length(month: str) -> int:
    return monthrange(int(month[:4]), int(month[5:]))[1] * 24
