"""The average of several buckets that an anomaly's verdict was about, so that its chart shows the number its sentence tells. Pure.

Only where their average was what was unusual, and of days only where none is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from functions.alerts.conditions import anomalies, grid
from functions.alerts.conditions.anomaly import BEFORE, LEAST, SENSITIVITY, Usual
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
    """What `anomalies.verdict_of` tells of the buckets up to this one; None where it tells of this one alone."""
    usual = _of_days(series, place) if series.seconds >= DAY else _of_finer(series, place)
    limit = condition.sensitivity or SENSITIVITY
    if usual is None or usual.lasting <= 1 or abs(usual.lasting_mads) <= limit or abs(usual.mads) > limit:
        return None
    half = abs(usual.lasting_mean - usual.lasting_expected) * limit / abs(usual.lasting_mads)
    low, high = usual.lasting_expected - half, usual.lasting_expected + half
    low = 0.0 if low < 0 <= usual.lasting_expected else low
    count = int(usual.lasting)
    # A local day may be an hour shorter or longer.
    begin = series.begins[place - count + 1] if series.seconds >= DAY else _back(series, place, count - 1)
    return Average(begin, series.begins[place], count, usual.lasting_mean, low, high)


def _back(series: Series, place: int, steps: int) -> int:
    return series.begins[place] - steps * series.seconds


def _of_days(series: Series, place: int) -> Usual | None:
    begins = series.begins[max(0, place - BEFORE) : place + 1]
    if len(begins) <= LEAST or any(abs(after - before - series.seconds) > HOUR for before, after in pairwise(begins)):
        return None
    return anomalies.of_days(series.values[max(0, place - BEFORE) : place], series.values[place])


def _of_finer(series: Series, place: int) -> Usual | None:
    import numpy as np

    from functions.alerts.conditions import hours

    begin, least = series.begins[place], hours.least_days(series.seconds) * DAY
    if begin - series.begins[0] < least - series.seconds:
        return None
    upto = replace(series, begins=series.begins[: place + 1], values=series.values[: place + 1])
    laid, steps = grid.laid(upto, max(1, round(DAY / series.seconds)))
    if steps[-1] < 0:
        return None
    there = np.zeros(len(laid), dtype=bool)
    there[steps[steps >= 0]] = True
    found = Usual(*(float(column[0]) for column in hours.usual(laid, there, series.seconds, only_last=True)))
    return found if found.mads == found.mads else None
