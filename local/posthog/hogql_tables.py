"""The tables HogQL knows, their columns, and the ClickHouse subquery each one stands for.

A subquery holds only what a query asks of it: persons are joined when a person is named.
"""

from collections.abc import Callable
from dataclasses import dataclass

from local.posthog.hogql_kinds import DATETIME, INT, JSON, STRING, UUID, Kind

NEEDS_PERSON = "person"
NEEDS_SESSION = "session"

Columns = dict[str, Kind]

EVENTS: Columns = {
    "uuid": UUID,
    "event": STRING,
    "properties": JSON,
    "timestamp": DATETIME,
    "distinct_id": STRING,
    "elements_chain": STRING,
    "created_at": DATETIME,
    "$session_id": STRING,
    "$window_id": STRING,
    "person_mode": STRING,
    "person_id": UUID,
    **{f"$group_{index}": STRING for index in range(5)},
}
EVENT_PERSON: Columns = {"id": UUID, "created_at": DATETIME, "properties": JSON}
PERSONS: Columns = {"id": UUID, "created_at": DATETIME, "properties": JSON, "is_identified": INT}
PERSON_DISTINCT_IDS: Columns = {"distinct_id": STRING, "person_id": UUID}
SESSIONS: Columns = {
    "session_id": STRING,
    "distinct_id": STRING,
    "$start_timestamp": DATETIME,
    "$end_timestamp": DATETIME,
    "$session_duration": INT,
    "duration": INT,
    "$pageview_count": INT,
    "$autocapture_count": INT,
    "$screen_count": INT,
    "$entry_current_url": STRING.maybe(),
    "$end_current_url": STRING.maybe(),
}
GROUPS: Columns = {
    "index": INT,
    "key": STRING,
    "created_at": DATETIME,
    "updated_at": DATETIME,
    "properties": JSON,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project's rows are, and how they must be read."""

    database: str
    has_moved_ids: bool = False
    is_doubled: bool = False


def events(place: Place, needs: frozenset[str]) -> str:
    """One row for each stored event, with the person its distinct id has now, if asked."""
    moved = place.has_moved_ids and NEEDS_PERSON in needs
    person = "if(empty(o.moved_id), e.person_id, o.person_id)" if moved else "e.person_id"
    source = f"{place.database}.events AS e FINAL"
    if place.is_doubled:
        once = f"SELECT * FROM {place.database}.events FINAL"
        source = f"({once} UNION ALL {once}) AS e"
    sql = (
        "SELECT e.uuid AS uuid, e.event AS event, e.properties AS properties, "
        "e.timestamp AS timestamp, e.distinct_id AS distinct_id, "
        "e.elements_chain AS elements_chain, e.created_at AS created_at, "
        "e.`$session_id` AS `$session_id`, e.`$window_id` AS `$window_id`, "
        f"e.person_mode AS person_mode, {person} AS person_id, "
        "e.person_properties AS person_properties, e.person_created_at AS person_created_at, "
        + ", ".join(f"e.`$group_{index}` AS `$group_{index}`" for index in range(5))
    )
    if NEEDS_SESSION in needs:
        named = ", ".join(f"s.`{name}` AS `session.{name}`" for name in SESSIONS)
        sql += f", {named}"
    sql += f" FROM {source}"
    if moved:
        sql += (
            " LEFT ANY JOIN (SELECT distinct_id AS moved_id, person_id FROM "
            f"{place.database}.person_distinct_ids FINAL WHERE moved = 1) AS o "
            "ON e.distinct_id = o.moved_id"
        )
    if NEEDS_SESSION in needs:
        sql += f" LEFT ANY JOIN ({sessions(place, frozenset())}) AS s ON e.`$session_id` = s.session_id"
    return sql


def persons(place: Place, _needs: frozenset[str]) -> str:
    """One row for each person that is not merged away."""
    return f"SELECT id, created_at, properties, is_identified FROM {place.database}.persons FINAL WHERE is_deleted = 0"


def person_distinct_ids(place: Place, _needs: frozenset[str]) -> str:
    """The person each distinct id belongs to now; ids without a profile have no row."""
    return f"SELECT distinct_id, person_id FROM {place.database}.person_distinct_ids FINAL"


def sessions(place: Place, _needs: frozenset[str]) -> str:
    """One row for each session id that is a UUID of version 7, as PostHog keeps them."""
    url = "JSONExtract(properties, '$current_url', 'Nullable(String)')"
    return (
        "SELECT `$session_id` AS session_id, argMin(distinct_id, at) AS distinct_id, "
        "min(at) AS `$start_timestamp`, max(at) AS `$end_timestamp`, "
        "dateDiff('second', min(at), max(at)) AS `$session_duration`, "
        "dateDiff('second', min(at), max(at)) AS duration, "
        "countIf(event = '$pageview') AS `$pageview_count`, "
        "countIf(event = '$autocapture') AS `$autocapture_count`, "
        "countIf(event = '$screen') AS `$screen_count`, "
        f"argMinIf({url}, at, event IN ('$pageview', '$screen')) AS `$entry_current_url`, "
        f"argMaxIf({url}, at, event IN ('$pageview', '$screen')) AS `$end_current_url` "
        f"FROM (SELECT *, timestamp AS at FROM {place.database}.events FINAL) "
        "WHERE length(`$session_id`) = 36 AND substring(`$session_id`, 15, 1) = '7' "
        "GROUP BY session_id"
    )


def groups(place: Place, _needs: frozenset[str]) -> str:
    """One row for each group that was identified."""
    return f"SELECT `index`, key, created_at, updated_at, properties FROM {place.database}.groups FINAL"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of HogQL: its columns, and the subquery that gives them."""

    name: str
    columns: Columns
    subquery: Callable[[Place, frozenset[str]], str]


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("events", EVENTS, events),
        Table("persons", PERSONS, persons),
        Table("person_distinct_ids", PERSON_DISTINCT_IDS, person_distinct_ids),
        Table("sessions", SESSIONS, sessions),
        Table("groups", GROUPS, groups),
    )
}
