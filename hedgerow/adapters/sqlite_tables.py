"""The table of one collection: its columns, its indexes and the statements that use them.

A row is the record as JSON plus one column for each indexed field, in a form that sorts
as the field does. A class that gains an index gets its column filled from the JSON when
the table is next touched.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from hedgerow.adapters.index_choice import indexed_fields, ordered_fields
from hedgerow.adapters.sqlite_thread import transaction

if TYPE_CHECKING:
    import sqlite3

    from hedgerow.adapters.cursors import Place
    from hedgerow.adapters.index_choice import IndexChoice
    from hedgerow.records import Index, Record


class Table:
    """The statements for one class of record. Names are quoted; values always travel as parameters."""

    def __init__(self, kind: type[Record]) -> None:
        self.kind = kind
        self.name = f'"{kind.collection}"'
        self.fields = indexed_fields(kind)
        columns = ["id", "version", "body", *map(_column, self.fields)]
        marks = ", ".join("?" * len(columns))
        self.insert = f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        written = ", ".join(f"{column} = ?" for column in columns[1:])
        self.update = f"UPDATE {self.name} SET {written} WHERE id = ? AND version = ?"
        self.delete = f"DELETE FROM {self.name} WHERE id = ?"
        self.delete_version = f"{self.delete} AND version = ?"

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Create what is missing of the table, its columns and its indexes."""
        with transaction(connection):
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self.name}"
                " (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL)"
            )
            there = {f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({self.name})")}
            missing = [field for field in self.fields if _column(field) not in there]
            for field in missing:
                connection.execute(f"ALTER TABLE {self.name} ADD COLUMN {_column(field)}")
            if missing:
                self._fill(connection)
            for index in self.kind.indexes:
                connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {self._index_name(index)} ON {_index_terms(self, index)}"
                )

    def _fill(self, connection: sqlite3.Connection) -> None:
        filled = ", ".join(f"{_column(field)} = ?" for field in self.fields)
        for id, body in connection.execute(f"SELECT id, body FROM {self.name}").fetchall():
            keys = self._keys(self.kind.model_validate_json(body))
            connection.execute(f"UPDATE {self.name} SET {filled} WHERE id = ?", (*keys, id))

    def row(self, record: Record, version: int) -> tuple[object, ...]:
        """The values of version, body and the indexed columns, as `insert` and `update` take them."""
        return (version, record.model_dump_json(), *self._keys(record))

    def select_some(self, number: int) -> str:
        """The statement for records by id: takes `number` ids, gives id, version and body."""
        return f"SELECT id, version, body FROM {self.name} WHERE id IN ({', '.join('?' * number)})"

    def select_page(self, choice: IndexChoice, after: Place | None, limit: int) -> tuple[str, list[object]]:
        """The statement for one page and its parameters: version and body of at most `limit` records."""
        terms, values = _conditions(choice)
        if after is not None:
            term, more = _beyond(choice, after)
            terms.append(term)
            values += more
        order = ", ".join(f"{name} DESC" if descends else name for name, descends in _sort_terms(choice))
        return (
            f"SELECT version, body FROM {self._served_by(choice)}{_all(terms)} ORDER BY {order} LIMIT ?",
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


def _index_terms(table: Table, index: Index) -> str:
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
