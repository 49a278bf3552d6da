"""The table of one collection: its columns, its indexes and the statements that use them.

A row is the record as JSON, one column for each indexed field, in a form that sorts as
the field does, and one for each field of bytes, as they are. Rows that lack a column,
because the class gained an index or an older revision wrote bytes into the JSON, are
written anew when the table is next touched; so are rows of an older schema version.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hedgerow.adapters.index_choice import indexed_fields, ordered_fields
from hedgerow.adapters.sqlite_thread import transaction
from hedgerow.errors import NewerRecordError
from hedgerow.lifting import FIRST, SCHEMA, check_schema, lifted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from hedgerow.adapters.cursors import Place
    from hedgerow.adapters.index_choice import IndexChoice
    from hedgerow.records import Index, Record

R = TypeVar("R", bound="Record")

# The first key of a body, so that a row of the first schema is told without reading its JSON.
_SCHEMA_KEY = f'{{"{SCHEMA}":'
_SCHEMA_OF_ROW = f"COALESCE(body ->> '$.{SCHEMA}', {FIRST})"


class Table(Generic[R]):
    """The statements for one class of record. Names are quoted; values always travel as parameters."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self.name = f'"{kind.collection}"'
        self.fields = indexed_fields(kind)
        self.bytes_fields = _bytes_fields(kind)
        self._beside = set(self.bytes_fields)
        required = [name for name in self.bytes_fields if kind.model_fields[name].is_required()]
        self._stand_ins = "".join(f',"{name}":""' for name in required) + "}"
        # Bytes come last: whoever wants the rest of a large row need not walk through them.
        self.extra = [*map(_column, self.fields), *map(_bytes_column, self.bytes_fields)]
        columns = ["id", "version", "body", *self.extra]
        marks = ", ".join("?" * len(columns))
        self.insert = f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        written = ", ".join(f"{column} = ?" for column in columns[1:])
        self.update = f"UPDATE {self.name} SET {written} WHERE id = ? AND version = ?"
        self.delete = f"DELETE FROM {self.name} WHERE id = ?"
        self.delete_version = f"{self.delete} AND version = ?"
        self._read = ", ".join(["version", "body", *map(_bytes_column, self.bytes_fields)])

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Create what is missing of the table, its columns and its indexes."""
        with transaction(connection):
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self.name}"
                " (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL)"
            )
            there = {f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({self.name})")}
            missing = [column for column in self.extra if column not in there]
            for column in missing:
                connection.execute(f"ALTER TABLE {self.name} ADD COLUMN {column}")
            if missing and self.kind.partial:
                self._fill_keys(connection, self._each(connection))
            elif missing:
                self._write_anew(connection, self._each(connection))
            if self.kind.schema_version > FIRST:
                self._lift_rows(connection)
            for index in self.kind.indexes:
                connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {self._index_name(index)} ON {_index_terms(self, index)}"
                )

    def _lift_rows(self, connection: sqlite3.Connection) -> None:
        # Their keys are those of the older fields: a find would pass them over.
        connection.execute(
            f'CREATE INDEX IF NOT EXISTS "{self.kind.collection} by schema" ON {self.name} ({_SCHEMA_OF_ROW})'
        )
        older = self._each(connection, f" WHERE {_SCHEMA_OF_ROW} < {self.kind.schema_version}")
        if self.kind.partial:
            self._fill_keys(connection, older)
        else:
            self._write_anew(connection, older)

    def _write_anew(self, connection: sqlite3.Connection, records: Iterator[tuple[str, R]]) -> None:
        written = ", ".join(f"{column} = ?" for column in ["version", "body", *self.extra])
        for id, record in records:
            connection.execute(
                f"UPDATE {self.name} SET {written} WHERE id = ?", (*self.row(record, abs(record.version)), id)
            )

    def _fill_keys(self, connection: sqlite3.Connection, records: Iterator[tuple[str, R]]) -> None:
        # A view knows too little of a record to write it; the bytes stay where they are.
        if filled := ", ".join(f"{_column(field)} = ?" for field in self.fields):
            for id, record in records:
                connection.execute(f"UPDATE {self.name} SET {filled} WHERE id = ?", (*self._keys(record), id))

    def _each(self, connection: sqlite3.Connection, terms: str = "") -> Iterator[tuple[str, R]]:
        """Every record, one by one: all of them may be more than memory holds. What a newer release wrote is left be."""
        for (id,) in connection.execute(f"SELECT id FROM {self.name}{terms}").fetchall():
            with suppress(NewerRecordError):
                yield id, self.record(connection.execute(self.select_some(1), (id,)).fetchone()[1:])

    def row(self, record: Record, version: int) -> tuple[object, ...]:
        """The values of everything but the id, as `insert` and `update` take them."""
        body = record.model_dump_json(exclude=self._beside)
        if self.kind.schema_version > FIRST:
            body = f"{_SCHEMA_KEY}{self.kind.schema_version},{body[1:]}"
        return (version, body, *self._keys(record), *(getattr(record, name) for name in self.bytes_fields))

    def patch(self, values: Mapping[str, object]) -> tuple[str, list[object]]:
        """The statement that gives records these values, and its parameters but the last.

        In front of them goes the new version; the last are the records, as JSON of [[id, expected version], …].
        """
        fields: dict[str, Any] = dict(values)
        patched = self.kind.model_construct(**fields)
        beside = [name for name in self.bytes_fields if name in values]
        in_body = patched.model_dump(mode="json", include=values.keys() - set(beside))
        keys = [name for name in self.fields if name in values]
        body = "".join(f", '$.{name}', json(?)" for name in in_body)
        terms = ["version = ?", f"body = json_set(body{body})" if in_body else "body = body"]
        terms += [f"{_column(name)} = ?" for name in keys] + [f"{_bytes_column(name)} = ?" for name in beside]
        # One statement for many: the thread lets go of the interpreter once, not once for each.
        statement = (
            f"UPDATE {self.name} SET {', '.join(terms)} FROM json_each(?) AS patched"
            f" WHERE {self.name}.id = patched.value ->> 0 AND {self.name}.version = patched.value ->> 1"
        )
        written = [*(json.dumps(value) for value in in_body.values()), *(sort_key(values[name]) for name in keys)]
        return statement, [*written, *(values[name] for name in beside)]

    def record(self, row: Sequence[Any]) -> R:
        """The record of a row as the `select_…` statements give it."""
        version, body, *parts = row
        beside = {name: part for name, part in zip(self.bytes_fields, parts, strict=True) if part is not None}
        stored = int(body[len(_SCHEMA_KEY) : body.index(",")]) if body.startswith(_SCHEMA_KEY) else FIRST
        if stored != self.kind.schema_version:
            return self._lifted(version, body, beside, stored)
        if beside and len(self._stand_ins) > 1:
            body = body[:-1] + self._stand_ins
        return self.kind.model_validate_json(body).model_copy(update={"version": version, **beside})

    def _lifted(self, version: int, body: str, beside: Mapping[str, bytes], stored: int) -> R:
        fields = json.loads(body)
        check_schema(self.kind, fields["id"], stored)
        record = lifted(self.kind, {**fields, **beside}, stored)
        return record.model_copy(update={"version": -version})

    def select_some(self, number: int) -> str:
        """The statement for records by id: takes `number` ids, gives id and row."""
        return f"SELECT id, {self._read} FROM {self.name} WHERE id IN ({', '.join('?' * number)})"

    def select_page(self, choice: IndexChoice, after: Place | None, limit: int) -> tuple[str, list[object]]:
        """The statement for one page and its parameters: rows of at most `limit` records."""
        terms, values = _conditions(choice)
        if after is not None:
            term, more = _beyond(choice, after)
            terms.append(term)
            values += more
        order = ", ".join(f"{name} DESC" if descends else name for name, descends in _sort_terms(choice))
        return (
            f"SELECT {self._read} FROM {self._served_by(choice)}{_all(terms)} ORDER BY {order} LIMIT ?",
            [*values, limit],
        )

    def count(self, choice: IndexChoice) -> tuple[str, list[object]]:
        """The statement that counts, and its parameters."""
        terms, values = _conditions(choice)
        return f"SELECT COUNT(*) FROM {self._served_by(choice)}{_all(terms)}", values

    def _keys(self, record: Record) -> list[object]:
        return [sort_key(getattr(record, field)) for field in self.fields]

    def _served_by(self, choice: IndexChoice) -> str:
        # Named, so that SQLite refuses the statement rather than scan the table.
        return f"{self.name} INDEXED BY {self._index_name(choice.index)}" if choice.index else self.name

    def _index_name(self, index: Index) -> str:
        return f'"{self.kind.collection} by {" ".join(index.fields)}"'


def sort_key(value: object) -> object:
    """A value of an indexed field as SQLite keeps it: instants in UTC with one fixed width."""
    match value:
        case None | str() | int() | float():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
    raise ValueError(f"a {type(value).__name__} cannot be indexed")


def _column(field: str) -> str:
    return f'"by {field}"'


def _bytes_fields(kind: type[Record]) -> tuple[str, ...]:
    # A record that must leave no trace is best kept small and in one piece.
    is_beside = not kind.leaves_no_trace
    return tuple(name for name, field in kind.model_fields.items() if is_beside and field.annotation is bytes)


def _bytes_column(field: str) -> str:
    return f'"bytes {field}"'


def _index_terms(table: Table[Any], index: Index) -> str:
    fields = ordered_fields(index)
    terms = [_column(field.name) + " DESC" * field.descends for field in fields]
    return f"{table.name} ({', '.join([*terms, 'id' + ' DESC' * fields[-1].descends])})"


def _sort_terms(choice: IndexChoice) -> list[tuple[str, bool]]:
    return [*((_column(field.name), field.descends) for field in choice.order), ("id", choice.id_descends)]


def _conditions(choice: IndexChoice) -> tuple[list[str], list[object]]:
    terms = [f"{_column(each.field)} = ?" for each in choice.equal]
    terms += [f"{_column(each.field)} {each.operator} ?" for each in choice.ranged]
    values = [sort_key(each.value) for each in (*choice.equal, *choice.ranged)]
    terms += [f"{_column(field.name)} IS NOT NULL" for field in choice.order]
    return terms, values


def _beyond(choice: IndexChoice, after: Place) -> tuple[str, list[object]]:
    """The condition for whatever sorts behind a place."""
    sorts = _sort_terms(choice)
    keys = [*map(sort_key, after.values), after.id]
    if len({descends for _, descends in sorts}) == 1:
        names = ", ".join(name for name, _ in sorts)
        return f"({names}) {'<' if choice.id_descends else '>'} ({', '.join('?' * len(keys))})", keys
    # Rows compare in one direction only: spell the order out, with a bound in front for the index.
    either: list[str] = []
    values: list[object] = [keys[0]]
    for position, (name, descends) in enumerate(sorts):
        same = [f"{earlier} = ?" for earlier, _ in sorts[:position]]
        either.append(" AND ".join([*same, f"{name} {'<' if descends else '>'} ?"]))
        values += keys[: position + 1]
    first, descends = sorts[0]
    return f"{first} {'<=' if descends else '>='} ? AND (({') OR ('.join(either)}))", values


def _all(terms: list[str]) -> str:
    return f" WHERE {' AND '.join(terms)}" if terms else ""
