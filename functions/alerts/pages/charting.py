"""An incident's chart: which stretch of which series, and the range its rule expected. Reads the store, asks nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from functions.alerts.conditions.kinds import Anomaly, Change, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.incidents import health, looking, waking
from functions.alerts.pages.plotting import is_whole
from functions.alerts.records import AlertRule, Incident
from functions.alerts.series import reading
from functions.alerts.series.past import with_data
from hedgerow.models import Connection

if TYPE_CHECKING:
    from functions.alerts.pages.averaging import Average
    from functions.alerts.pages.charts import Theme
    from functions.alerts.pages.plotting import Band
    from hedgerow.app import App

# How much is shown: enough weekdays to see what is usual, few enough buckets to see one on a phone.
SHOWN_DAYS = {DAY: 56, HOUR: 8}
MOST_DAYS = 120


async def chart_of(app: App, incident: Incident, theme: Theme) -> bytes:
    """The PNG. Without a connection, rule or point it says what there is nothing to show of."""
    from functions.alerts.pages import charts

    connection = await app.store.get(Connection, incident.connection_id)
    rule = await app.store.get(AlertRule, incident.rule_id)
    if rule is None and connection is not None and incident.rule_id == health.rule_id(connection.id):
        rule = health.health_rule(connection)
    if connection is None or rule is None:
        words = f"The {'rule' if rule is None else 'connection'} was removed"
        return await asyncio.to_thread(charts.png, _nothing(app, incident), incident, None, theme, nothing=words)
    series, since = await _series_of(app, incident, connection, rule)
    # Judging the past and drawing it take half a second, in which others are to be answered.
    return await asyncio.to_thread(_drawn, series, since, incident, rule, theme)


def _drawn(series: Series, since: int, incident: Incident, rule: AlertRule, theme: Theme) -> bytes:
    """The PNG of what began at `since`, in epoch seconds, or later."""
    from functions.alerts.pages import charts

    average, band = _average(rule, series, incident), _band(rule, series, incident)
    if average is not None and band is not None:
        within = (average.begin <= at <= average.last for at in series.begins)
        band = [(average.low, average.high) if one else limits for one, limits in zip(within, band, strict=True)]
    shown, band = _cut(series, band, since)
    # A person chose a threshold: what is within is allowed, usual or not.
    name = "allowed" if isinstance(rule.condition, Threshold) else "usual"
    return charts.png(shown, incident, band, theme, name, average=average)


def _nothing(app: App, incident: Incident) -> Series:
    return Series(incident.rule_name, DAY, (), (), int(app.now().timestamp()))


async def _series_of(app: App, incident: Incident, connection: Connection, rule: AlertRule) -> tuple[Series, int]:
    """The series with what judging it needs of before, and since when it is shown, in epoch seconds."""
    grain = waking.grain_of(rule.series) or DAY
    until = _until(incident, grain, app.now())
    shown = _shown_days(incident, grain, until)
    days = min(MOST_DAYS, shown) + looking.days_of(rule)
    found = await reading.read(app, connection, rule.series, days=days, now=until)
    series = next((with_data(rule.series, each) for each in found if each.value == incident.value), None)
    shown_since = int((until - timedelta(days=shown)).timestamp())
    return _nothing(app, incident) if series is None else _told(series, incident), shown_since


def _until(incident: Incident, grain: int, now: datetime) -> datetime:
    """A resolved incident is shown with some buckets of what came after it."""
    if incident.resolved_at is None:
        return now
    return min(now, incident.resolved_at + timedelta(seconds=6 * grain))


def _shown_days(incident: Incident, grain: int, until: datetime) -> int:
    """The usual stretch; of a long incident, it and half as much before."""
    usual = SHOWN_DAYS.get(grain, SHOWN_DAYS[DAY])
    return min(MOST_DAYS, max(usual, round((until - incident.since).days * 1.5)))


def _band(rule: AlertRule, series: Series, incident: Incident) -> Band | None:
    """What the rule expected of each bucket as of its own end; None for conditions that expect no range.

    A threshold is the one the incident was told with, whatever the rule has been edited to since.
    """
    if not isinstance(rule.condition, Threshold | Change | Anomaly) or not series.begins:
        return None
    if isinstance(rule.condition, Threshold) and (incident.low is not None or incident.high is not None):
        return [(incident.low, incident.high)] * len(series.begins)
    from functions.alerts.conditions import judging

    history = judging.judge_history(rule.condition, series)
    return list(zip(history.low.tolist(), history.high.tolist(), strict=True))


def _average(rule: AlertRule, series: Series, incident: Incident) -> Average | None:
    """Of the bucket the incident's sentence tells of."""
    if not isinstance(rule.condition, Anomaly) or incident.bucket not in series.begins:
        return None
    from functions.alerts.pages import averaging

    return averaging.average_at(rule.condition, series, series.begins.index(incident.bucket))


def _told(series: Series, incident: Incident) -> Series:
    """Of a resolved incident without what still runs or has not arrived: the beginning of an hour looks like a plunge."""
    if incident.state != "resolved":
        return series
    kept = len(series.begins)
    while kept > 1 and series.begins[kept - 1] > (incident.bucket or 0) and not is_whole(series, kept - 1):
        kept -= 1
    arrived = None if series.arrived is None else series.arrived[:kept]
    return replace(series, begins=series.begins[:kept], values=series.values[:kept], arrived=arrived)


def _cut(series: Series, band: Band | None, begin: int) -> tuple[Series, Band | None]:
    """From `begin` on: what came before was only needed for judging."""
    first = next((place for place, at in enumerate(series.begins) if at >= begin), len(series.begins))
    arrived = None if series.arrived is None else series.arrived[first:]
    shown = replace(series, begins=series.begins[first:], values=series.values[first:], arrived=arrived)
    return shown, None if band is None else band[first:]
