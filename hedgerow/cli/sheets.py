"""Tables that keep ids and dates whole: at a narrow terminal columns are left out, then records become blocks.

Owns what fits where; refuses to break a column that was not declared fluid.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

GAP = 2
# Wide enough for an id inside a sentence.
FLUID_COLUMNS = 30


@dataclass
class Sheet:
    """Rows under columns. Names in `right` hold numbers, in `fluid` text that may fold, in `spare` what may be left out."""

    columns: tuple[str, ...]
    right: frozenset[str] = frozenset()
    fluid: frozenset[str] = frozenset()
    spare: tuple[str, ...] = ()
    has_header: bool = True
    rows: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)

    def fitting(self, columns: int) -> tuple[str, ...]:
        """The column names that fit, spare ones left out in their order; empty when even the others do not."""
        shown = list(self.columns)
        for gone in (None, *self.spare):
            if gone is not None:
                shown.remove(gone)
            if sum(map(self._least, shown)) + GAP * (len(shown) - 1) <= columns:
                return tuple(shown)
        return ()

    def grid(self, shown: tuple[str, ...]) -> Table:
        """These columns as a table of the terminal's width."""
        from rich.table import Table
        from rich.text import Text

        made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold", show_header=self.has_header)
        for name in shown:
            justify = "right" if name in self.right else "left"
            made.add_column(Text(name), justify=justify, overflow="fold", no_wrap=name not in self.fluid)  # type: ignore[arg-type]
        places = [self.columns.index(name) for name in shown]
        for cells, style in self.rows:
            made.add_row(*(Text(cells[place]) for place in places), style=style)
        return made

    def blocks(self, columns: int) -> list[str]:
        """One record after the other: its first cell, then a line a cell, folded between words."""
        labels = max(map(len, self.columns[1:]), default=0)
        lines = []
        for cells, _ in self.rows:
            lines.append(cells[0])
            for name, cell in zip(self.columns[1:], cells[1:], strict=True):
                if cell:
                    lead = f"  {name:<{labels}}  "
                    lines += textwrap.wrap(
                        cell,
                        max(columns, len(lead) + FLUID_COLUMNS),
                        initial_indent=lead,
                        subsequent_indent=" " * len(lead),
                        break_long_words=False,
                        break_on_hyphens=False,
                    )
        return lines

    def _least(self, name: str) -> int:
        from rich.cells import cell_len

        place = self.columns.index(name)
        heading = cell_len(name) if self.has_header else 0
        longest = max((cell_len(cells[place]) for cells, _ in self.rows), default=0)
        return max(heading, min(longest, FLUID_COLUMNS) if name in self.fluid else longest)
