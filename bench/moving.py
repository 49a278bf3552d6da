"""`hedgerow export-data` and `import-data` over many small records and some of nearly 1 MB: seconds, and the peak of memory.

Each runs as a person runs it, in a process of its own, on SQLite files. The floor of the
memory is the same command over a tenth of the records: what grew with them would show.
`python -m bench.moving FOLDER SMALL LARGE` fills a store, apart from what is measured.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.children import ROOT
from bench.figures import Must, Row, ratio, spread
from local.environment import with_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.sizes import Sizes
    from hedgerow.records import Record

NAME = "moving"
FLAT = 1.1
ROUNDS = 3
# In the tenth there are enough large ones for a full page, too.
LEAST_LARGE = 30
# Of a page of the fill; in a record, bytes and text: an export's line has the bytes in base64.
FILLED, FILLED_LARGE = 1_000, 10
LARGE_BYTES, LARGE_TEXT = 690_000, 950_000
SEALING_KEY = "00" * 32


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one command."""

    seconds: float
    megabytes: float


def measure(sizes: Sizes) -> list[Row]:
    """Time and memory of either command."""
    small, large = (50_000, 300) if sizes.full else (5_000, 2 * LEAST_LARGE)
    whole, tenth = _rounds(small, large), _rounds(small // 10, max(LEAST_LARGE, large // 10))
    rows: list[Row] = []
    for number, verb in enumerate(("export-data", "import-data")):
        what = f"`{verb}`, {small:,} small records and {large} of nearly 1 MB, SQLite"
        took = [each[number] for each in whole]
        peaks = [each.megabytes for each in took]
        floors = [each[number].megabytes for each in tenth]
        rows.append(Row(NAME, what, spread([each.seconds for each in took]), "s"))
        rows.append(
            Row(
                NAME,
                f"peak memory of {what}, against a tenth of them",
                spread(peaks),
                "MB",
                spread(floors),
                ratio(peaks, floors),
                Must(FLAT, "ratio"),
            )
        )
    return rows


def _rounds(small: int, large: int) -> list[tuple[Taken, Taken]]:
    """What an export and its import took, some times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = _place(folder / "data")
        _run([sys.executable, "-m", "bench.moving", str(data), str(small), str(large)])
        taken: list[tuple[Taken, Taken]] = []
        for number in range(ROUNDS):
            export, there = folder / f"export{number}", _place(folder / f"there{number}")
            command = [sys.executable, "-m", "hedgerow.cli"]
            exported = _run([*command, "export-data", str(export), "--data", str(data)])
            imported = _run([*command, "import-data", str(export), "--data", str(there)])
            taken.append((exported, imported))
        return taken


def _place(folder: Path) -> Path:
    folder.mkdir()
    (folder / "sealing.key").write_text(SEALING_KEY + "\n", encoding="utf-8")
    return folder


def _run(command: Sequence[str]) -> Taken:
    """What the command took; `RuntimeError` when it failed."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=with_variables(PYTHONPATH=str(ROOT)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        said = process.stderr.read().decode() if process.stderr else ""
        # Its own peak: what the resource module gives for children is that of the largest so far.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(said.strip().splitlines()[-1] if said.strip() else f"{command} failed")
    return Taken(time.perf_counter() - began, used.ru_maxrss / 1024)


def _records(small: int, large: int) -> Iterator[list[Record]]:
    """Pages of a store's records."""
    from hedgerow.models import MetricMonth, QueryText, Tenant

    at = datetime(2026, 11, 20, tzinfo=UTC)
    for begin in range(0, small, FILLED):
        numbers = range(begin, min(begin + FILLED, small))
        yield [Tenant(id=f"ten_{number:06}", name=f"Tenant {number}", tier="pro", created_at=at) for number in numbers]
    packed, text = os.urandom(LARGE_BYTES), "select 1 -- " * (LARGE_TEXT // 12)
    for begin in range(0, large, FILLED_LARGE):
        page: list[Record] = []
        for number in range(begin, min(begin + FILLED_LARGE, large)):
            id, whose = f"con_{number:06}", {"connection_id": f"con_{number:06}"}
            if number % 2:
                page.append(QueryText(id=f"qry_{number:06}", text=text, **whose))
            else:
                page.append(MetricMonth(id=f"{id}:2026-11", month="2026-11", packed=packed, updated_at=at, **whose))
        yield page


async def _fill(data: Path, small: int, large: int) -> None:
    from hedgerow.adapters.sqlite import SqliteStore
    from hedgerow.ports import Add

    store = SqliteStore(data / "store.db")
    for page in _records(small, large):
        await store.commit(*map(Add, page))
    await store.close()


if __name__ == "__main__":
    asyncio.run(_fill(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
