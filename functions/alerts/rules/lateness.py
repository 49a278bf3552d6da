"""How late a rule can be on a connection's tier, in words. Pure."""

from __future__ import annotations

from datetime import timedelta

from functions.alerts.spec import (
    BacklogSeries,
    DifferenceSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    RatioSeries,
    SeriesGrain,
    SeriesSpec,
    SyncSeries,
)
from hedgerow import tiers
from hedgerow.models import Connection, Tier
from hedgerow.tiers import TierRules

# The last tenth of a percent of late events is not waited for.
AWAITED_SHARE = 2


def grain_of(spec: SeriesSpec) -> SeriesGrain | None:
    """By what the series is cut; None for those that are looked at as they stand."""
    match spec:
        case MetricSeries() | EventSeries():
            return spec.grain
        case RatioSeries() | DifferenceSeries():
            return spec.of.grain
        case FlagSeries():
            return "day"
        case SyncSeries() | BacklogSeries():
            return None


def lateness(spec: SeriesSpec, connection: Connection, rules: dict[Tier, TierRules]) -> str:
    """One or two sentences: when the rule is judged, and how long after the fact at most."""
    grain = grain_of(spec)
    if grain is None:
        return "Judged every few minutes, on every tier."
    every = tiers.interval(connection, rules)
    if every is None:
        return (
            f"The {connection.tier} tier syncs by hand: judged whenever somebody refreshes, and silent in between. "
            "Pro judges every 3 hours, Scale every 30 minutes."
        )
    whole = _whole(grain, connection)
    awaited = connection.progress.arrivals[AWAITED_SHARE] if len(connection.progress.arrivals) > AWAITED_SHARE else 0.0
    latest = every + timedelta(seconds=awaited)
    late = f", as 99 % of this project's events arrive within {words(timedelta(seconds=awaited))}" if awaited else ""
    return f"Judged after every sync, every {words(every)} on this tier. It judges {whole}: at most {words(latest)} after its end{late}."


def words(span: timedelta) -> str:
    """A span as people say it: 30 minutes, 3 hours, 1 hour 20 minutes."""
    minutes = max(1, round(span.total_seconds() / 60))
    hours, rest = divmod(minutes, 60)
    parts = [f"{number} {name}{'' if number == 1 else 's'}" for number, name in ((hours, "hour"), (rest, "minute"))]
    return " ".join(part for part, number in zip(parts, (hours, rest), strict=True) if number)


def _whole(grain: SeriesGrain, connection: Connection) -> str:
    match grain:
        case "hour":
            return f"an hour, once it is over ({connection.timezone})"
        case "so_far":
            return f"the day so far ({connection.timezone}) up to an hour, once that is over"
        case "day":
            return f"a day, once it is over at midnight ({connection.timezone})"
