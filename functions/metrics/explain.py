"""One number explained: what it means, which query of which run brought it, whether it is complete, what moved since.

Everything stands in the month and in the text kept beside it, so an explanation
outlives its run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import BaseModel, Field

from functions.metrics import changes, names
from functions.metrics.changes import Change
from functions.metrics.window import day_of, oldest_of
from hedgerow import days, months
from hedgerow.app import App
from hedgerow.catalogue import definition as definition_of
from hedgerow.catalogue import metric_of
from hedgerow.errors import MissingError
from hedgerow.models import ChangeSet, Connection, MetricMonth, QueryText
from hedgerow.months import Point, QueryValue
from hedgerow.ports import Where

MOST_SETS = 1_000


class WrittenBy(BaseModel):
    """The run that set the value. Its record is kept 90 days, this longer."""

    id: str
    began_at: datetime


class Query(BaseModel):
    """The HogQL as it was sent, and the values of its placeholders."""

    hogql: str
    values: Mapping[str, QueryValue]


class Explanation(BaseModel):
    """Everything known about one value."""

    name: str
    date: date
    description: str
    definition: str
    unit: str
    value: float | int
    complete: bool = Field(description="The run began after the day had closed.")
    zone: str = Field(description="The zone the day was cut in.")
    run: WrittenBy
    age_seconds: int = Field(description="How long ago PostHog was asked.")
    query: Query | None = Field(description="Null for what is counted from PostHog's list of feature flags.")
    changes: list[Change] = Field(
        description="How this value moved after it was complete, newest first; kept 400 days."
    )


async def explain(app: App, connection: Connection, name: str, text: str) -> Explanation:
    """The explanation of a series' value on a local day; `MissingError`, saying why, where there is none."""
    names.known([name])
    day = day_of("date", text)
    record = await app.store.get(MetricMonth, months.record_id(connection.id, days.month_of(day)))
    oldest = oldest_of(app, connection)
    point = months.unpack(record.month, record.packed).point(name, day) if record is not None else None
    if point is None or (oldest is not None and day < oldest):
        raise _nothing(app, connection, name, day)
    metric = metric_of(name)
    return Explanation(
        name=name,
        date=day,
        description=metric.description if metric else "",
        definition=definition_of(metric, _span_of(point, app.settings.new_users_days)) if metric else "",
        unit=names.unit_of(name),
        value=point.value,
        complete=point.write.completes(day),
        zone=point.write.zone,
        run=WrittenBy(id=point.write.run_id, began_at=point.write.began_at),
        age_seconds=max(0, int((app.now() - point.write.began_at).total_seconds())),
        query=await _query(app, point),
        changes=await _changes(app, connection, name, day),
    )


async def _query(app: App, point: Point) -> Query | None:
    if not point.write.query:
        return None
    kept = await app.store.get(QueryText, point.write.query)
    return Query(hogql=kept.text, values=point.write.values) if kept is not None else None


async def _changes(app: App, connection: Connection, name: str, day: date) -> list[Change]:
    """From the sets about the day's month; a set is one run's, and few runs change a closed day."""
    found: list[Change] = []
    looked, cursor = 0, None
    while looked < MOST_SETS:
        page = await app.store.find(
            ChangeSet,
            Where("connection_id", "==", connection.id),
            Where("month", "==", days.month_of(day)),
            cursor=cursor,
        )
        for each in page.items:
            found += [changes.shown(each, moved) for moved in each.changes if (moved.metric, moved.day) == (name, day)]
        looked += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _span_of(point: Point, setting: int) -> int:
    """How far back new users were looked for when this value was counted, which the setting may have left behind."""
    used = point.write.values.get("new_users_days", setting)
    return used if isinstance(used, int) else setting


def _nothing(app: App, connection: Connection, name: str, day: date) -> MissingError:
    today = days.today(app.now(), connection.timezone)
    oldest = oldest_of(app, connection)
    metric = metric_of(name)
    if day > today:
        why = f"it is {today} in the project's zone, {connection.timezone}: the day has not begun"
    elif oldest is not None and day < oldest:
        why = f"tier {connection.tier} keeps days from {oldest} on"
    elif connection.secret_ref is None and connection.state in ("connected", "paused"):
        why = "the connection is capture-only: without a personal API key nothing is synced"
    elif connection.progress.last_success_at is None:
        why = "no sync has succeeded yet"
    elif metric is not None and metric.family in ("event", "flag"):
        why = "no sync of that day measured it: it was not seen, not among the most frequent, and not pinned"
    elif metric is not None and metric.family == "measure":
        why = "no sync of that day measured it: no alert rule asked for it then, or there was nothing to average"
    elif metric is not None and metric.family == "listing":
        why = "the feature flags were not listed on that day"
    else:
        why = "no sync has covered that day"
    return MissingError(
        f"There is no value of `{name[:200]}` on {day}: {why}.",
        code="no_value",
        hint="GET /v1/connections/{id}/metrics shows which days there are; POST …/refresh with `from` and `to` fetches others.",
    )
