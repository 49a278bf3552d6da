"""A project's rows: arrivals in, one part for a batch, and the ledger read back after a restart.

Distinct ids are written first, then persons, then the events that name them: a process killed
in between has stored nothing that a repeated request would not store again.
"""

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from local.posthog import tables
from local.posthog.arrivals import Arrival, Ledger, row
from local.posthog.definitions import Definitions, EventDefinition
from local.posthog.engine import Engine, literal
from local.posthog.groups import Group, Groups
from local.posthog.persons import Person, Persons
from local.posthog.tables import read, written

BULK_ROWS = 100_000


class Storage:
    """One project's database. Every method runs on the engine's worker thread."""

    def __init__(self, engine: Engine, database: str, project_id: int) -> None:
        self._engine = engine
        self.database = database
        for statement in tables.statements(database):
            engine.execute(statement)
        self.ledger = Ledger(Persons(project_id), Groups(), Definitions())
        # Whether any distinct id belongs to another person than its events were stored with.
        self.has_moved_ids = False
        self._read_ledger()

    def store(self, arrivals: Iterable[Arrival], now: datetime, *, in_time: bool = False) -> int:
        """Store a batch together and answer how many events it left; no limit of size.

        `in_time`: each came when it happened, as a history that was always here.
        """
        lines = [
            line
            for arrival in arrivals
            if (line := row(arrival, self.ledger, min(arrival.timestamp, now) if in_time else now))
        ]
        self._write_changes()
        self._engine.insert(f"{self.database}.events", tables.EVENT_COLUMNS, lines)
        return len(lines)

    def store_many(self, arrivals: Iterable[Arrival], now: datetime) -> int:
        """Store a stream in large parts, then merge them, so that reading is fast at once."""
        stream, stored = iter(arrivals), 0
        while batch := list(islice(stream, BULK_ROWS)):
            stored += self.store(batch, now, in_time=True)
        self.compact()
        return stored

    def fill(self, select: str, now: datetime) -> None:
        """Store what a ClickHouse SELECT gives: uuid, event, distinct_id, timestamp, properties.

        Made for benches: nothing passes through Python. The events are personless, so their
        person is the one their distinct id would get, and properties get no definitions.
        """
        base = self.ledger.arrivals
        namespace = self.ledger.persons.namespace.hex
        digest = f"lower(hex(SHA1(concat(unhex('{namespace}'), distinct_id))))"
        variant = "lower(hex(bitOr(bitAnd(reinterpretAsUInt8(unhex(substring(h, 17, 2))), 63), 128)))"
        person = (
            "toUUID(concat(substring(h, 1, 8), '-', substring(h, 9, 4), '-5', substring(h, 14, 3), "
            f"'-', {variant}, substring(h, 19, 2), '-', substring(h, 21, 12)))"
        )
        self._engine.execute(
            f"INSERT INTO {self.database}.events (uuid, event, distinct_id, timestamp, created_at, "
            "properties, person_id, person_mode, person_properties, person_created_at, "
            "`$session_id`, `$window_id`, arrival) "
            f"SELECT uuid, event, distinct_id, timestamp, toDateTime64({literal(written(now))}, 6, 'UTC'), "
            f"properties, {person}, 'propertyless', '{{}}', timestamp, "
            "JSONExtractString(properties, '$session_id'), JSONExtractString(properties, '$window_id'), "
            f"{base} + rowNumberInAllBlocks() + 1 FROM (SELECT *, {digest} AS h FROM ({select}))"
        )
        self.compact()
        self._read_arrivals()
        seen = self._rows(f"SELECT DISTINCT event FROM {self.database}.events")
        for (event,) in seen:
            self.ledger.definitions.saw_event(str(event), now)
        self._write_changes()

    def compact(self) -> None:
        self._engine.execute(f"OPTIMIZE TABLE {self.database}.events FINAL")

    def has_events(self) -> bool:
        return bool(self.ledger.definitions.events)

    def drop(self) -> None:
        self._engine.execute(f"DROP DATABASE IF EXISTS {self.database} SYNC")

    def _write_changes(self) -> None:
        ledger, version = self.ledger, self.ledger.arrivals + 1
        ledger.arrivals = version
        persons, assigned = ledger.persons.take_changes()
        rows = [_distinct_id_row(d, person, ledger, version) for d, person in assigned.items()]
        self._write("person_distinct_ids", tables.DISTINCT_ID_COLUMNS, rows)
        self.has_moved_ids = self.has_moved_ids or any(line["moved"] for line in rows)
        self._write("persons", tables.PERSON_COLUMNS, (_person_row(p, version) for p in persons))
        events, properties = ledger.definitions.take_changes()
        self._write("event_definitions", tables.EVENT_DEFINITION_COLUMNS, map(_event_row, events))
        self._write(
            "property_definitions",
            tables.PROPERTY_DEFINITION_COLUMNS,
            (
                {"name": name, "kind": owner, "property_type": kind, "version": version}
                for (owner, name), kind in properties.items()
            ),
        )
        types, groups = ledger.groups.take_changes()
        self._write(
            "group_types",
            tables.GROUP_TYPE_COLUMNS,
            ({"name": name, "index": index} for name, index in types.items()),
        )
        self._write("groups", tables.GROUP_COLUMNS, (_group_row(g, version) for g in groups))

    def _write(self, table: str, columns: str, rows: Iterable[dict[str, object]]) -> None:
        lines = [json.dumps(line, ensure_ascii=False) for line in rows]
        self._engine.insert(f"{self.database}.{table}", columns, lines)

    def _read_ledger(self) -> None:
        self._read_arrivals()
        self._read_persons()
        definitions = self.ledger.definitions
        for name, since, seen in self._rows(
            f"SELECT name, min(created_at), max(last_seen_at) FROM {self.database}.event_definitions GROUP BY name"
        ):
            definitions.events[str(name)] = EventDefinition(str(name), read(str(since)), read(str(seen)))
        for name, kind, property_type in self._rows(
            f"SELECT name, kind, property_type FROM {self.database}.property_definitions FINAL"
        ):
            definitions.properties[kind, str(name)] = property_type  # type: ignore[index,assignment]
        groups = self.ledger.groups
        for name, index in self._rows(f"SELECT name, `index` FROM {self.database}.group_types FINAL ORDER BY `index`"):
            groups.types[str(name)] = int(str(index))
        for index, key, since, updated, properties in self._rows(
            f"SELECT `index`, key, created_at, updated_at, properties FROM {self.database}.groups FINAL"
        ):
            number = int(str(index))
            groups.groups[number, str(key)] = Group(
                number,
                str(key),
                read(str(since)),
                read(str(updated)),
                json.loads(str(properties)),
            )

    def _read_arrivals(self) -> None:
        counted = self._rows(
            f"SELECT greatest((SELECT max(arrival) FROM {self.database}.events), "
            f"(SELECT max(version) FROM {self.database}.persons), "
            f"(SELECT max(version) FROM {self.database}.person_distinct_ids), "
            f"(SELECT max(version) FROM {self.database}.property_definitions))"
        )
        self.ledger.arrivals = max(self.ledger.arrivals, *(int(str(n)) for (n,) in counted))

    def _read_persons(self) -> None:
        found: dict[str, Person] = {}
        for identity, since, properties, identified in self._rows(
            f"SELECT id, created_at, properties, is_identified FROM {self.database}.persons FINAL WHERE is_deleted = 0"
        ):
            found[str(identity)] = Person(
                uuid.UUID(str(identity)),
                read(str(since)),
                json.loads(str(properties)),
                is_identified=bool(identified),
            )
        for distinct_id, identity, moved in self._rows(
            f"SELECT distinct_id, person_id, moved FROM {self.database}.person_distinct_ids FINAL"
        ):
            self.has_moved_ids = self.has_moved_ids or bool(moved)
            if person := found.get(str(identity)):
                person.distinct_ids.add(str(distinct_id))
        for person in found.values():
            self.ledger.persons.restore(person)

    def _rows(self, statement: str) -> list[list[object]]:
        return [json.loads(line) for line in self._engine.execute(statement).splitlines() if line]


def _distinct_id_row(distinct_id: str, person: Person, ledger: Ledger, version: int) -> dict[str, object]:
    return {
        "distinct_id": distinct_id,
        "person_id": str(person.id),
        "moved": int(person.id != ledger.persons.id_for(distinct_id)),
        "version": version,
    }


def _person_row(person: Person, version: int) -> dict[str, object]:
    return {
        "id": str(person.id),
        "created_at": written(person.created_at),
        "properties": json.dumps(person.properties, ensure_ascii=False),
        "is_identified": int(person.is_identified),
        "is_deleted": int(person.is_deleted),
        "version": version,
    }


def _event_row(definition: EventDefinition) -> dict[str, object]:
    return {
        "name": definition.name,
        "created_at": written(definition.created_at),
        "last_seen_at": written(definition.last_seen_at),
    }


def _group_row(group: Group, version: int) -> dict[str, object]:
    return {
        "index": group.index,
        "key": group.key,
        "created_at": written(group.created_at),
        "updated_at": written(group.updated_at),
        "properties": json.dumps(group.properties, ensure_ascii=False),
        "version": version,
    }
