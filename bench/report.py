"""Where the figures go besides the terminal: build/bench.json, and the block of figures in docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from bench.figures import Row
from bench.table import markdown

_ROWS = TypeAdapter(list[Row])
BEGIN, END = "<!-- figures: written by `python -m bench --publish` -->", "<!-- end of figures -->"


def as_rows(rows: Sequence[Row]) -> str:
    """Rows for `rows_of`."""
    return _ROWS.dump_json(list(rows)).decode()


def rows_of(text: str) -> list[Row]:
    """The inverse of `as_rows`."""
    return _ROWS.validate_json(text)


def as_json(rows: Sequence[Row], machine: str, *, full: bool) -> str:
    """Every row with its verdict, and whether the sizes were the promised ones."""
    told = [{**asdict(row), "verdict": row.verdict} for row in rows]
    return json.dumps({"machine": machine, "full_size": full, "rows": told}, indent=1, ensure_ascii=False) + "\n"


def write(file: Path, text: str) -> None:
    """Write a file, its folder included."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def published(page: str, rows: Sequence[Row], taken: str, block: str = "") -> str:
    """The page with its block of figures, or the one of this name, replaced; `ValueError` when it has none."""
    mark = BEGIN.replace("figures:", f"figures of {block}:") if block else BEGIN
    before, begin, rest = page.partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the figures")
    return "\n".join([before + mark, "", taken, "", *markdown(rows), "", END]) + after
