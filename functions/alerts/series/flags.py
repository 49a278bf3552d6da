"""Feature flags as series: persons by variant, grouped by flag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from functions.alerts.conditions.series import Series
from functions.alerts.series import stored
from functions.alerts.series.combining import series_of
from functions.alerts.series.held import Bucket
from functions.alerts.series.naming import flag_name
from functions.alerts.spec import FlagSeries
from hedgerow.app import App
from hedgerow.catalogue import FLAG_PREFIX, TOP_FLAGS
from hedgerow.models import Connection

SYNCED = "posthog_events"
"""A metric of every day that was synced, whatever happened on it."""


async def read(app: App, connection: Connection, spec: FlagSeries, span: stored.Span) -> dict[str, dict[str, Series]]:
    """Flag -> variant -> series, of the flags that were called in these days.

    Only the most called flags are measured. A flag missing from a day on which fewer were
    was not called on it, and has a 0 there; on a day with as many as are measured nobody knows.
    """
    prefix = FLAG_PREFIX if spec.key is None else f"{FLAG_PREFIX}{spec.key}:"

    def wanted(name: str) -> bool:
        # All of them, because how many were measured says what a missing one means.
        return name == SYNCED or name.startswith(FLAG_PREFIX)

    found = await stored.daily(app, connection, wanted, span)
    called: dict[int, set[str]] = {begin: set() for begin in found.get(SYNCED, {})}
    for name, buckets in found.items():
        for begin in buckets if name != SYNCED else ():
            called.setdefault(begin, set()).add(_key_of(name))
    quiet = {begin: bucket.arrived for begin, bucket in found.get(SYNCED, {}).items() if len(called[begin]) < TOP_FLAGS}
    grouped: dict[str, dict[str, Series]] = defaultdict(dict)
    for name in sorted(name for name in found if name != SYNCED and name.startswith(prefix)):
        key, variant = _key_of(name), name.removeprefix(FLAG_PREFIX).partition(":")[2]
        points = _with_zeros(found[name], quiet)
        grouped[key][variant] = series_of(
            flag_name(key, variant),
            points,
            spec,
            zone=connection.timezone,
            until=_seconds(span.until),
            value=variant,
        )
    return dict(grouped)


def _with_zeros(buckets: Mapping[int, Bucket], quiet: Mapping[int, float]) -> dict[int, Bucket]:
    first = min(buckets)
    zeros = {begin: Bucket(0.0, arrived) for begin, arrived in quiet.items() if begin > first}
    return {**zeros, **buckets}


def _key_of(name: str) -> str:
    # A variant may hold a colon, a key does not.
    return name.removeprefix(FLAG_PREFIX).partition(":")[0]


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
