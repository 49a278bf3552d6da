"""An independent calculation of every metric, straight from the raw events, in another engine: DuckDB.

It keeps its own idea of deduplication and merges, and computes by joins where the sync uses
arrays; the two share nothing but the definitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Raw:
    """One event as PostHog holds it after deduplication."""

    event: str
    person: str
    local_day: date
    at: datetime
    session: str
    flag: str
    response: str


class Oracle:
    """Metrics by day from raw events, in one zone."""

    def __init__(self, events: Iterable[Mapping[str, Any]], zone: str) -> None:
        self.db = duckdb.connect()
        self.db.execute("set threads to 1")
        self.db.execute(
            "create table e (event varchar, person varchar, day date, us bigint, session varchar, flag varchar, response varchar)"
        )
        rows = [
            (
                raw.event,
                raw.person,
                raw.local_day,
                (raw.at - EPOCH) // timedelta(microseconds=1),
                raw.session,
                raw.flag,
                raw.response,
            )
            for raw in resolved(list(events), zone)
        ]
        if rows:
            self.db.executemany("insert into e values (?, ?, ?, ?, ?, ?, ?)", rows)

    def metrics(self, first: date, last: date, new_users_days: int = 365) -> dict[tuple[str, date], float]:
        """Every metric of every day, zeros included; `event:` and `flag:` series only where not zero."""
        self.db.execute(
            "create or replace table d as select unnest(generate_series($1::date, $2::date, interval 1 day))::date as day",
            [first, last],
        )
        found: dict[tuple[str, date], float] = {}
        for name, sql in {**FIXED, "posthog_new_users": NEW_USERS.format(days=new_users_days)}.items():
            found.update({(name, day): value or 0 for day, value in self.db.execute(sql).fetchall()})
        for name, day, value in self.db.execute(EVENTS).fetchall() + self.db.execute(FLAGS).fetchall():
            found[name, day] = value
        return found


FIXED = {
    "posthog_dau": "select d.day, count(distinct person) from d left join e using (day) group by 1",
    "posthog_wau": "select d.day, count(distinct person) from d left join e on e.day > d.day - 7 and e.day <= d.day group by 1",
    "posthog_mau": "select d.day, count(distinct person) from d left join e on e.day > d.day - 30 and e.day <= d.day group by 1",
    "posthog_events": "select d.day, count(event) from d left join e using (day) group by 1",
    "posthog_pageviews": "select d.day, count(*) filter (event = '$pageview') from d left join e using (day) group by 1",
    "posthog_exceptions": "select d.day, count(*) filter (event = '$exception') from d left join e using (day) group by 1",
    "posthog_flag_evaluations": (
        "select d.day, count(*) filter (event = '$feature_flag_called') from d left join e using (day) group by 1"
    ),
    "posthog_sessions": "select d.day, count(s.session) from d left join (SESSIONS) s using (day) group by 1",
    "posthog_session_duration": "select d.day, avg(s.lasted) / 1e6 from d left join (SESSIONS) s using (day) group by 1",
}
SESSIONS = (
    "select session, arg_min(day, us) as day, max(us) - min(us) as lasted from e where session <> '' group by session"
)
FIXED = {name: sql.replace("SESSIONS", SESSIONS) for name, sql in FIXED.items()}
NEW_USERS = (
    "select d.day, count(distinct e.person) from d left join e on e.day = d.day and not exists ("
    " select 1 from e p where p.person = e.person and p.day < e.day and p.day >= e.day - {days}) group by 1"
)
EVENTS = "select 'event:' || event, day, count(*) from e join d using (day) group by 1, 2"
FLAGS = (
    "select 'flag:' || flag || ':' || response, day, count(distinct person) from e join d using (day)"
    " where event = '$feature_flag_called' and flag <> '' group by 1, 2"
)


def resolved(events: Sequence[Mapping[str, Any]], zone: str) -> list[Raw]:
    """The events PostHog keeps, each with the person it belongs to after every merge.

    One row for UTC day, event, distinct_id and uuid: the last to arrive stays. `$identify`
    with an anonymous id, `$create_alias` and `$merge_dangerously` join persons in order of
    arrival; the first two never swallow an identified person.
    """
    kept: dict[tuple[object, ...], Mapping[str, Any]] = {}
    persons = Persons()
    for event in events:
        at = instant(event)
        kept[at.astimezone(ZoneInfo("UTC")).date(), event["event"], event["distinct_id"], event["uuid"]] = event
        persons.see(event)
    return [
        Raw(
            event=event["event"],
            person=persons.root(event["distinct_id"]),
            local_day=instant(event).astimezone(ZoneInfo(zone)).date(),
            at=instant(event),
            session=str(event.get("properties", {}).get("$session_id") or ""),
            flag=str(event.get("properties", {}).get("$feature_flag") or ""),
            response=str(event.get("properties", {}).get("$feature_flag_response") or "null"),
        )
        for event in kept.values()
    ]


class Persons:
    """Who is whom: a forest of distinct ids."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self.identified: set[str] = set()

    def root(self, distinct_id: str) -> str:
        """The person of an id."""
        here = self.parent.setdefault(distinct_id, distinct_id)
        while here != self.parent[here]:
            here = self.parent[here]
        return here

    def see(self, event: Mapping[str, Any]) -> None:
        """Take in one event, in order of arrival."""
        properties = event.get("properties", {})
        into = event["distinct_id"]
        self.root(into)
        match event["event"]:
            case "$identify":
                if properties.get("$anon_distinct_id"):
                    self.join(properties["$anon_distinct_id"], into, force=False)
                self.identified.add(self.root(into))
            case "$create_alias":
                self.join(properties["alias"], into, force=False)
                self.identified.add(self.root(into))
            case "$merge_dangerously":
                self.join(properties["alias"], into, force=True)
                self.identified.add(self.root(into))

    def join(self, other: str, into: str, *, force: bool) -> None:
        """Merge the person of `other` into that of `into`."""
        one, two = self.root(other), self.root(into)
        if one == two or (one in self.identified and not force):
            return
        self.parent[one] = two
        if one in self.identified:
            self.identified.add(two)


def instant(event: Mapping[str, Any]) -> datetime:
    """The event's own timestamp."""
    return datetime.fromisoformat(event["timestamp"])


def days_between(first: date, last: date) -> list[date]:
    """Every day, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
