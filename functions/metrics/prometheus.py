"""The newest complete day of each series over all of a tenant's connections, in the exposition format 0.0.4,
and what capture accepted in this hour and the last one.

A series without a complete day in this month or the one before is left out: a scrape
shows what is current, charts are read elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import get_args

from functions.metrics import series
from functions.metrics.names import unit_of
from functions.metrics.window import Window, oldest_of
from hedgerow import counting_up, days, months
from hedgerow.app import App
from hedgerow.models import Connection, ConnectionState, MetricMonth
from hedgerow.months import Value
from hedgerow.ports import Where

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PAGE = 100
AT_ONCE = 10


@dataclass(slots=True)
class Family:
    """One metric of the exposition: its help and its samples, which must stand together."""

    name: str
    help: str
    samples: list[str] = field(default_factory=list)

    def add(self, labels: Mapping[str, str], value: Value) -> None:
        """One sample."""
        inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        self.samples.append(f"{self.name}{{{inside}}} {value!r}")

    def lines(self) -> list[str]:
        """HELP, TYPE and the samples; nothing without samples."""
        head = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} gauge"]
        return head + self.samples if self.samples else []


@dataclass(slots=True)
class Exposition:
    """The families of one scrape."""

    value: Family = field(
        default_factory=lambda: Family("hedgerow_metric", "Value of a series on its newest complete local day.")
    )
    day: Family = field(
        default_factory=lambda: Family(
            "hedgerow_metric_day_timestamp_seconds", "When that local day began, in seconds since 1970."
        )
    )
    age: Family = field(
        default_factory=lambda: Family("hedgerow_sync_age_seconds", "Seconds since the last sync that succeeded began.")
    )
    state: Family = field(
        default_factory=lambda: Family(
            "hedgerow_connection_state", "1 for the state a connection is in, 0 for the others."
        )
    )

    events: Family = field(
        default_factory=lambda: Family(
            "hedgerow_capture_events",
            "Events by what became of them, of the current hour of acceptance and the last complete one.",
        )
    )
    waiting: Family = field(
        default_factory=lambda: Family(
            "hedgerow_capture_oldest_waiting_seconds",
            "Seconds since the oldest event was accepted that still waits for PostHog; 0 when none does.",
        )
    )

    def text(self) -> bytes:
        """The body of the answer."""
        families = (self.value, self.day, self.age, self.state, self.events, self.waiting)
        lines = [line for family in families for line in family.lines()]
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


async def expose(app: App, tenant_id: str) -> bytes:
    """The whole exposition of a tenant: two documents read for each connection, the connection, and two short finds."""
    exposition = Exposition()
    cursor: str | None = None
    while True:
        page = await app.store.find(Connection, Where("tenant_id", "==", tenant_id), limit=PAGE, cursor=cursor)
        spans = {connection.id: _span(app, connection) for connection in page.items}
        wanted = [
            months.record_id(id, month)
            for id, span in spans.items()
            for month in days.months_between(span.first, span.last)
        ]
        held = [month for month in await app.store.get_many(MetricMonth, wanted) if month is not None]
        for connection in page.items:
            own = [month for month in held if month.connection_id == connection.id]
            _add(exposition, app, connection, spans[connection.id], own)
        await _add_captured(exposition, app, page.items)
        cursor = page.next_cursor
        if cursor is None:
            return exposition.text()


def _span(app: App, connection: Connection) -> Window:
    """This month and the one before, as far as the tier keeps them."""
    today = days.today(app.now(), connection.timezone)
    before = date(today.year - (today.month == 1), 12 if today.month == 1 else today.month - 1, 1)
    oldest = oldest_of(app, connection)
    return Window(max(before, oldest) if oldest else before, today)


def _add(exposition: Exposition, app: App, connection: Connection, span: Window, held: Iterable[MetricMonth]) -> None:
    known = {"connection": connection.id, "project": connection.project_id or ""}
    for name, points in series.reading(span, (), held).series.items():
        newest = next(((day, value) for day, value, complete in reversed(points) if complete), None)
        if newest is None:
            continue
        labels = {**known, "name": name, "unit": unit_of(name)}
        exposition.value.add(labels, newest[1])
        began = days.begins(date.fromisoformat(newest[0]), connection.timezone)
        exposition.day.add(labels, int(began.timestamp()))
    last = connection.progress.last_success_at
    if last is not None:
        exposition.age.add(known, max(0, int((app.now() - last).total_seconds())))
    for state in get_args(ConnectionState):
        exposition.state.add({**known, "state": state}, int(connection.state == state))


async def _add_captured(exposition: Exposition, app: App, connections: Sequence[Connection]) -> None:
    """Nothing for a connection that captured nothing lately and has nothing waiting."""
    for start in range(0, len(connections), AT_ONCE):
        some = connections[start : start + AT_ONCE]
        found = await asyncio.gather(*(counting_up.recent(app.store, each.id, app.now()) for each in some))
        for connection, recent in zip(some, found, strict=True):
            if recent is None:
                continue
            known = {"connection": connection.id, "project": connection.project_id or ""}
            for hour, sums in (("current", recent.current), ("last", recent.last)):
                exposition.events.add({**known, "hour": hour, "state": "accepted"}, sums.accepted)
                for state in counting_up.OUTCOMES:
                    exposition.events.add({**known, "hour": hour, "state": state}, sums.of(state))
            since = recent.waiting_since
            exposition.waiting.add(known, max(0, int((app.now() - since).total_seconds())) if since else 0)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
