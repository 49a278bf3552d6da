"""ClickHouse inside this process (chdb): one data path, one worker thread, statements one after another.

Refuses a second path while one is open, because chdb holds only one for a process.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from local.posthog.errors import ClickHouseError

T = TypeVar("T")

# As PostHog sets it for HogQL, in bytes; the rows of an INSERT do not count.
LONGEST_STATEMENT = 1_048_576

_EXCEPTION = re.compile(r"Code: (\d+)\.\s*(?:DB::Exception: )?(.*?)(?:\(([A-Z][A-Z0-9_]+)\))?\.?\s*$", re.DOTALL)


class Engine:
    """The process's ClickHouse. `run` keeps its work off the event loop."""

    def __init__(self, path: Path, session: Any, *, temporary: bool) -> None:
        self.path = path
        self._session = session
        self._temporary = temporary
        self._holders = 1
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clickhouse")

    def execute(self, statement: str, form: str = "JSONCompactEachRow") -> bytes:
        """Run one statement and give ClickHouse's bytes in `form`; raises ClickHouseError."""
        try:
            answer = self._session.query(statement, form)
        except RuntimeError as refusal:
            # chdb 4.4 leaves what a failed statement had written in front of the next answer.
            self._session.query("SELECT 1", form)
            raise _clickhouse_error(str(refusal)) from None
        return bytes(answer.bytes()) if answer is not None else b""

    def insert(self, table: str, columns: str, lines: list[str]) -> None:
        """Insert rows given as JSON objects, one part and so all or nothing."""
        if lines:
            self.execute(
                f"INSERT INTO {table} ({columns}) SETTINGS max_insert_block_size = 100000000, "
                "min_insert_block_size_rows = 0, min_insert_block_size_bytes = 0, "
                "input_format_parallel_parsing = 0 "
                "FORMAT JSONEachRow\n" + "\n".join(lines)
            )

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work`, which may call `execute`, on the one worker thread, in turn."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def run_here(self, work: Callable[[], T]) -> T:
        """As `run`, for callers without an event loop."""
        return self._worker.submit(work).result()

    def hold(self) -> "Engine":
        self._holders += 1
        return self

    def close(self) -> None:
        """Let go; the last holder closes the session and, if it was temporary, removes the files."""
        self._holders -= 1
        if self._holders > 0:
            return
        self._worker.shutdown(wait=True)
        self._session.close()
        _OPEN.clear()
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)


_OPEN: list[Engine] = []


def open_engine(path: Path | None = None) -> Engine:
    """The process's engine at `path`; without one, whatever is open, or a new temporary directory."""
    if _OPEN:
        engine = _OPEN[0]
        if path is not None and path.resolve() != engine.path:
            raise RuntimeError(f"ClickHouse already holds {engine.path} in this process; it can hold one path only")
        return engine.hold()
    from chdb import session

    temporary = path is None
    home = Path(tempfile.mkdtemp(prefix="local-posthog-")) if path is None else path
    home.mkdir(parents=True, exist_ok=True)
    home = home.resolve()
    opened = session.Session(str(home))  # type: ignore[no-untyped-call]
    # Parsing comes before a statement's own SETTINGS are known, so this one is the session's.
    opened.query(f"SET max_query_size = {LONGEST_STATEMENT}")  # type: ignore[no-untyped-call]
    engine = Engine(home, opened, temporary=temporary)
    _OPEN.append(engine)
    return engine


def literal(text: str) -> str:
    """A ClickHouse string literal: the only way text of a caller's enters a statement."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"


def identifier(name: str) -> str:
    """A quoted ClickHouse identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _clickhouse_error(message: str) -> ClickHouseError:
    found = _EXCEPTION.search(message)
    if found is None:
        return ClickHouseError(0, "UNKNOWN_EXCEPTION", message.strip())
    return ClickHouseError(int(found[1]), found[3] or "UNKNOWN_EXCEPTION", found[2].strip())
