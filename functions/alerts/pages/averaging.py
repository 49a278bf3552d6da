"""The average of several days that an anomaly's verdict was about, so that its chart shows the number its sentence tells. Pure.

Only of days without gaps, and only where their average was what was unusual.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from functions.alerts.conditions import anomalies
from functions.alerts.conditions.anomaly import BEFORE, LEAST, SENSITIVITY
from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.conditions.series import DAY, HOUR, Series


@dataclass(frozen=True, slots=True)
class Average:
    """Of the buckets from `begin` to the one that begins at `last`: their mean, and what was usual of it."""

    begin: int
    last: int
    buckets: int
    mean: float
    low: float
    high: float


def average_at(condition: Anomaly, series: Series, place: int) -> Average | None:
    """What `anomalies.verdict_of` tells of the days up to this one; None where it tells of this one alone."""
    begins = series.begins[max(0, place - BEFORE) : place + 1]
    if series.seconds != DAY or len(begins) <= LEAST:
        return None
    if any(abs(after - before - DAY) > HOUR for before, after in pairwise(begins)):
        return None
    usual = anomalies.of_days(series.values[max(0, place - BEFORE) : place], series.values[place])
    limit = condition.sensitivity or SENSITIVITY
    if usual.lasting <= 1 or abs(usual.lasting_mads) <= limit or abs(usual.mads) > limit:
        return None
    half = abs(usual.lasting_mean - usual.lasting_expected) * limit / abs(usual.lasting_mads)
    low, high = usual.lasting_expected - half, usual.lasting_expected + half
    low = 0.0 if low < 0 <= usual.lasting_expected else low
    count = int(usual.lasting)
    return Average(series.begins[place - count + 1], series.begins[place], count, usual.lasting_mean, low, high)
