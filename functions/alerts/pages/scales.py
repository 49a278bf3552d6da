"""The scales of a chart: round steps and short labels with units, for values and for time. Pure; draws nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from functions.alerts.conditions.series import DAY, HOUR, Unit

STEPS = (1, 2, 2.5, 5, 10)
DURATIONS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400, 172_800)
LARGEST, SMALLEST = 1e150, 1e-150
MAGNITUDES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` to `high`, with a label at each of `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at `low` to 1 at `high`; what is outside lies at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def value_scale(values: Sequence[float], band: Sequence[float], unit: Unit, ticks: int = 5) -> Scale:
    """A scale that holds every value, and of the band as much as leaves the values their shape."""
    values, band = [_drawn(each) for each in values], [_drawn(each) for each in band]
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    low = min([low, *(max(each, low - spread) for each in band)])
    high = max([high, *(min(each, high + spread) for each in band)])
    if 0 < low < high / 2:
        low = 0.0
    if low == high:
        low, high = (0.0, high * 2) if high > 0 else (low - spread, high + spread)
    # A line along the frame's edge would be half a line.
    low, high = low - (0.03 * (high - low) if low else 0), high + (0.03 * (high - low) if high else 0)
    step = _step((high - low) / ticks, unit)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, tuple(place * step for place in range(first, last + 1)))


def _drawn(value: float) -> float:
    """The value, brought to where steps are numbers: neither 0 nor endless."""
    return 0.0 if abs(value) < SMALLEST else min(LARGEST, max(-LARGEST, value))


def _step(about: float, unit: Unit) -> float:
    if unit == "seconds" and 1 <= about <= DURATIONS[-1]:
        return next(float(step) for step in DURATIONS if step >= about)
    power = 10.0 ** math.floor(math.log10(about))
    return next(step * power for step in STEPS if step * power >= about * (1 - 1e-9))


def value_label(value: float, unit: Unit) -> str:
    """A number as short as it can be said, with its unit: `7.8 %`, `1.2k`, `5 min`."""
    if unit == "seconds":
        for seconds, word in ((DAY, "d"), (HOUR, "h"), (60, "min")):
            if abs(value) >= seconds:
                return f"{_short(value / seconds)} {word}"
        return f"{_short(value)} s"
    if unit == "percent":
        return f"{_short(value)} %"
    for magnitude, letter in MAGNITUDES:
        if abs(value) >= magnitude:
            return f"{_short(value / magnitude)}{letter}" if abs(value) < 1e15 else f"{value:.0e}"
    return _short(value)


def _short(value: float) -> str:
    if value == 0 or abs(value) < 1e-9:
        return "0"
    # Python knows no minus sign but the hyphen.
    return f"{value:.3g}".replace("e-0", "e-").replace("-", "−", 1) if abs(value) < 1000 else f"{value:,.0f}"


def time_ticks(begin: int, end: int, zone: str, grain: int, most: int = 5) -> list[tuple[int, str]]:
    """Instants at round local days, or hours for a finer grain, with their labels: `most` of them at the most."""
    place = ZoneInfo(zone) if zone != "UTC" else UTC
    hours = max(1, (end - begin) // HOUR)
    if hours <= 36 and grain < DAY:
        step = next(each for each in (1, 2, 3, 6, 12) if hours / each < most or each == 12)
        at = datetime.fromtimestamp(begin, place).replace(minute=0, second=0, microsecond=0)
        at = at.replace(hour=at.hour - at.hour % step)
        return _walk(at, timedelta(hours=step), begin, end, "%H:%M")
    days = max(1, (end - begin) // DAY)
    at = datetime.fromtimestamp(begin, place).replace(hour=0, minute=0, second=0, microsecond=0)
    step = next((each for each in (1, 2, 3, 7, 14, 30, 60, 90, 180, 365) if days / each < most), 730)
    return _walk(at, timedelta(days=step), begin, end, "%b %Y" if step >= 180 else "%d %b")


def _walk(at: datetime, step: timedelta, begin: int, end: int, form: str) -> list[tuple[int, str]]:
    ticks = []
    while at.timestamp() < end:
        if at.timestamp() >= begin:
            words = at.strftime(form)
            ticks.append((int(at.timestamp()), words.removeprefix("0") if form.startswith("%d") else words))
        at += step
    return ticks
