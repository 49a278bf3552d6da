"""One SQLite database behind one thread: every statement of an adapter runs there, in turn.

Owns how a file is opened and how a transaction ends; knows nothing of what is in it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from hedgerow.errors import MisconfiguredError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
BUSY_SECONDS = 10.0
"""How long a second process waits for the first one's transaction."""


class SqliteThread:
    """A database file (or ":memory:") and the only thread that touches it.

    The file is opened by the first `run`. Several processes may open the same file.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in the thread; `TransientError` when the file does not answer."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._do, work)

    async def close(self) -> None:
        """Close the file. Safe to repeat; nothing may run afterwards."""
        try:
            closing = self._executor.submit(self._close)
        except RuntimeError:
            return
        self._executor.shutdown(wait=False)
        await asyncio.wrap_future(closing)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)
        except sqlite3.OperationalError as error:
            raise TransientError(f"The embedded database did not do its work: {error}.") from error
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in DAMAGE:
                raise
            raise MisconfiguredError(
                f"The file {self._path} is damaged: {error}.",
                code="damaged",
                hint="Stop what runs on its folder, keep the file, and go by docs/operations/restore.md, The files of a laptop.",
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._create()
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            # A commit that was acknowledged survives the power cord, not only the process.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            # What is deleted is overwritten, not only forgotten.
            connection.execute("PRAGMA secure_delete = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        """Make a new file the owner's alone; the log beside it takes over its mode."""
        if self._path != ":memory:":
            # There already, or nowhere to be: SQLite opens the one and explains the other.
            with suppress(OSError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def empty_log(connection: sqlite3.Connection) -> bool:
    """Bring what was committed into the file and cut the log to nothing; False when another process was in the way."""
    try:
        is_blocked: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    return not is_blocked


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements inside or none; waits its turn for the file's one writer."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some failures, such as a full disk, have rolled back by themselves.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
