"""What of a series is drawn: the points that are numbers, in runs without gaps, with what was expected. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from functions.alerts.conditions.series import Series

Band = Sequence[tuple[float | None, float | None]]
Limits = tuple[float, float]

MOST_BUCKETS = 800
# No number of anybody's, NaN among them; room above it for the arithmetic of scales.
BEYOND = 1e150
NEARLY_ALL = 0.98


@dataclass(frozen=True, slots=True)
class Plot:
    """Points by their buckets' begin, beside each its limits, and how many of the first are complete."""

    points: tuple[tuple[int, float], ...]
    limits: tuple[Limits | None, ...]
    whole: int
    seconds: int

    def runs(self) -> Iterator[range]:
        """Stretches without a gap. A local day may be an hour longer; half a bucket more is a gap."""
        begin = 0
        for place, (before, after) in enumerate(pairwise(self.points), 1):
            if after[0] - before[0] > self.seconds * 1.5:
                yield range(begin, place)
                begin = place
        yield range(begin, len(self.points))

    def limited(self) -> Iterator[list[tuple[int, Limits]]]:
        """The parts of runs that have limits."""
        for run in self.runs():
            part: list[tuple[int, Limits]] = []
            for place in run:
                limits = self.limits[place]
                if limits is not None:
                    part.append((self.points[place][0], limits))
                elif part:
                    yield part
                    part = []
            if part:
                yield part

    def edges(self) -> list[float]:
        """Every limit that is a number."""
        return [edge for limits in self.limits if limits is not None for edge in limits if math.isfinite(edge)]


def plot_of(series: Series, band: Band | None) -> Plot:
    """The newest buckets of a series, with a band as long as it."""
    points: list[tuple[int, float]] = []
    limits: list[Limits | None] = []
    whole = 0
    for place in range(max(0, len(series.begins) - MOST_BUCKETS), len(series.begins)):
        value = float(series.values[place])
        if not abs(value) < BEYOND:
            continue
        low, high = band[place] if band is not None and place < len(band) else (None, None)
        points.append((int(series.begins[place]), value))
        limits.append(_limits(low, high))
        if is_whole(series, place):
            whole = len(points)
    return Plot(tuple(points), tuple(limits), whole, series.seconds)


def is_whole(series: Series, place: int) -> bool:
    """Whether a bucket had ended, and nearly all of it had come, when the series was read."""
    has_ended = series.begins[place] + series.seconds <= series.until
    return has_ended and (series.arrived is None or series.arrived[place] >= NEARLY_ALL)


def _limits(low: float | None, high: float | None) -> Limits | None:
    """Both limits; one that is not there is endless, and with neither there is nothing expected."""
    lowest = -math.inf if low is None or not abs(low) < BEYOND else float(low)
    highest = math.inf if high is None or not abs(high) < BEYOND else float(high)
    return None if math.isinf(lowest) and math.isinf(highest) else (lowest, highest)
