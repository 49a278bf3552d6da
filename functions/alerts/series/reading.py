"""The series of a spec from what is stored: nothing here asks PostHog."""

from __future__ import annotations

from datetime import datetime

from functions.alerts.conditions.series import Series
from functions.alerts.series import flags, partial, standing, stored
from functions.alerts.series.measuring import parts_of
from functions.alerts.series.sources import source_of
from functions.alerts.spec import BacklogSeries, FlagSeries, SeriesSpec, SyncSeries
from hedgerow.app import App
from hedgerow.models import Connection


async def read(app: App, connection: Connection, spec: SeriesSpec, *, days: int, now: datetime) -> list[Series]:
    """The series of the last `days` local days up to `now`, today's part included; never more than the tier keeps.

    One for each value of a breakdown or variant of a flag, by name; none where none was
    seen. Without a breakdown exactly one, empty where nothing is stored. Sync and backlog
    give one current point (`standing`). One round trip to the store, except for the
    backlog's events.
    """
    if isinstance(spec, SyncSeries):
        return standing.sync_series(app, connection, spec, now)
    if isinstance(spec, BacklogSeries):
        return await standing.backlog_series(app, connection, spec, now)
    if isinstance(spec, FlagSeries):
        grouped = await read_flags(app, connection, spec, days=days, now=now)
        return [series for variants in grouped.values() for series in variants.values()]
    sources = [source for plain in parts_of(spec) if (source := source_of(plain)) is not None]
    if len(sources) < len(parts_of(spec)):
        return []  # A metric that has no hours: `checking` refuses it, and an older rule may hold it.
    held = await stored.held(app, connection, sources, stored.span_of(app, connection, days, now))
    return partial.seen(spec, held, zone=connection.timezone, now=now)


async def read_flags(
    app: App, connection: Connection, spec: FlagSeries, *, days: int, now: datetime
) -> dict[str, dict[str, Series]]:
    """The same of flags, as a stale flag is judged: flag -> variant -> series."""
    return await flags.read(app, connection, spec, stored.span_of(app, connection, days, now))
