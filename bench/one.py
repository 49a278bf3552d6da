"""One bench in a process of its own: `python -m bench.one NAME FILE [small]` writes its rows to the file."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from bench import report
from bench.figures import Row
from bench.sizes import FULL, SMALL, Sizes


class Bench(Protocol):
    """A module of this package that measures."""

    def measure(self, sizes: Sizes) -> list[Row]:
        """Its rows."""
        ...


def main(name: str, file: str, size: str = "") -> None:
    """Measure, and write the rows."""
    bench = cast("Bench", import_module(f"bench.{name}"))
    rows = bench.measure(SMALL if size == "small" else FULL)
    report.write(Path(file), report.as_rows(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
