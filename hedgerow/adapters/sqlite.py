"""`Store` on one SQLite file: the laptop's, and the one the tests run on."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from hedgerow.adapters.changes import check_changes, conflict, subject
from hedgerow.adapters.cursors import decode_cursor, encode_cursor
from hedgerow.adapters.index_choice import choose_index
from hedgerow.adapters.sqlite_tables import Table
from hedgerow.adapters.sqlite_thread import SqliteThread, empty_log, transaction
from hedgerow.ports import Add, Committed, Delete, Page, Patch, Swap
from hedgerow.records import is_possible_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from hedgerow.ports import Change, Where
    from hedgerow.records import Record

R = TypeVar("R", bound="Record")

NEXT_VERSION = """
    INSERT INTO "latest version" (only, version) VALUES (1, 1)
    ON CONFLICT DO UPDATE SET version = version + 1 RETURNING version
"""


class SqliteStore:
    """Records in a file, one table for each collection; ":memory:" keeps them as long as the store.

    Versions are the running number of the commit that wrote them, so that no version is
    ever given twice, not even to a record that was deleted and added again.
    """

    def __init__(self, path: Path | str) -> None:
        self._thread = SqliteThread(path)
        self._tables: dict[type[Record], Table[Any]] = {}
        # A process that was killed may have left a trace in the log.
        self._log_has_traces = True

    async def get(self, kind: type[R], id: str) -> R | None:
        """One record, or None."""
        return (await self.get_many(kind, [id]))[0]

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """Several records, in the order of `ids`; None where none is."""
        wanted = sorted({id for id in ids if is_possible_id(id)})

        def read(connection: sqlite3.Connection) -> dict[str, R]:
            table = self._table(connection, kind)
            rows = connection.execute(table.select_some(len(wanted)), wanted).fetchall()
            return {id: table.record(row) for id, *row in rows}

        found = await self._thread.run(read) if wanted else {}
        return [found.get(id) for id in ids]

    async def find(
        self,
        kind: type[R],
        *where: Where,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[R]:
        """One page of the records that meet the conditions, in the order of their index."""
        if limit < 1:
            raise ValueError("a page has at least one record")
        choice = choose_index(kind, where)
        after = decode_cursor(cursor, kind, choice) if cursor is not None else None

        def read(connection: sqlite3.Connection) -> list[R]:
            # One more than asked for tells whether anything follows.
            table = self._table(connection, kind)
            statement, values = table.select_page(choice, after, limit + 1)
            return [table.record(row) for row in connection.execute(statement, values)]

        records = await self._thread.run(read)
        items = tuple(records[:limit])
        return Page(items, encode_cursor(items[-1], choice) if len(records) > limit else None)

    async def count(self, kind: type[R], *where: Where) -> int:
        """How many records meet the conditions."""
        choice = choose_index(kind, where)

        def read(connection: sqlite3.Connection) -> int:
            statement, values = self._table(connection, kind).count(choice)
            number: int = connection.execute(statement, values).fetchone()[0]
            return number

        return await self._thread.run(read)

    async def commit(self, *changes: Change) -> Committed:
        """Make all changes or none, on disk when it returns."""
        check_changes(changes)
        return await self._thread.run(lambda connection: self._write(connection, changes)) if changes else Committed()

    async def close(self) -> None:
        """Close the file."""
        await self._thread.close()

    def _table(self, connection: sqlite3.Connection, kind: type[R]) -> Table[R]:
        if kind not in self._tables:
            table = Table(kind)
            table.prepare(connection)
            self._tables[kind] = table
        return self._tables[kind]

    def _write(self, connection: sqlite3.Connection, changes: Sequence[Change]) -> Committed:
        tables = {kind: self._table(connection, kind) for kind, _ in map(subject, changes)}
        connection.execute('CREATE TABLE IF NOT EXISTS "latest version" (only INTEGER PRIMARY KEY, version INTEGER)')
        with transaction(connection):
            version: int = connection.execute(NEXT_VERSION).fetchone()[0]
            for _, together in groupby(changes, _together):
                some = tuple(together)
                table = tables[subject(some[0])[0]]
                if not _apply(connection, table, some, version):
                    raise conflict(*some)
        # The log still holds the pages as they were before, until it is cut.
        self._log_has_traces |= any(isinstance(change, Delete) and change.kind.leaves_no_trace for change in changes)
        if self._log_has_traces:
            self._log_has_traces = not empty_log(connection)
        written = (subject(change) for change in changes if not isinstance(change, Delete))
        return Committed({(kind.collection, id): version for kind, id in written})


def _together(change: Change) -> object:
    """Patches with the same values are one statement; every other change has its own."""
    return (change.kind, id(change.values), change.version < 0) if isinstance(change, Patch) else id(change)


def _apply(connection: sqlite3.Connection, table: Table[Any], changes: tuple[Change, ...], version: int) -> bool:
    """Make one change, or patches with the same values; False when a record is not as expected."""
    match changes[0]:
        case Add(record):
            done = connection.execute(table.insert, (record.id, *table.row(record, version)))
        case Swap(record):
            done = connection.execute(table.update, (*table.row(record, version), record.id, abs(record.version)))
        case Patch(version=expected) if expected < 0:
            return all(_patch_lifted(connection, table, change, version) for change in changes)
        case Patch(_, _, _, values):
            statement, written = table.patch(values)
            patched = json.dumps([(change.id, change.version) for change in changes if isinstance(change, Patch)])
            done = connection.execute(statement, (version, *written, patched))
        case Delete(_, id, 0):
            connection.execute(table.delete, (id,))
            return True
        case Delete(_, id, expected):
            done = connection.execute(table.delete_version, (id, abs(expected)))
    return done.rowcount == len(changes)


def _patch_lifted(connection: sqlite3.Connection, table: Table[Any], change: Change, version: int) -> bool:
    """Patch a record that was lifted on reading: all of it is written, or its older fields would stay beside new ones."""
    if not isinstance(change, Patch):
        return False
    row = connection.execute(table.select_some(1), (change.id,)).fetchone()
    if row is None or row[1] != abs(change.version):
        return False
    record = table.record(row[1:]).model_copy(update=change.values)
    return connection.execute(table.update, (*table.row(record, version), change.id, row[1])).rowcount == 1
