"""What commands print: tables and sparklines at a terminal, plain text elsewhere, JSON on request."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from hedgerow.cli.calls import Shown
    from hedgerow.cli.stops import Stop

BARS = "▁▂▃▄▅▆▇█"
# A pipe has no edge: lines must not be folded for one.
PIPE_COLUMNS = 240


@cache
def console() -> Console:
    """Standard output. Colours only at a terminal, and not where NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def say(line: str, style: str | None = None) -> None:
    """Text, printed as it is; `style` colours it at a terminal."""
    console().print("\n".join(harmless(part) for part in line.split("\n")), style=style, markup=False, soft_wrap=True)


def say_json(shown: Shown | Sequence[Shown]) -> None:
    """The API's JSON as it came."""
    sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """An empty table; the columns named in `right` hold numbers."""
    from rich.table import Table

    numbers = set(right)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def row(made: Table, *cells: object, style: str | None = None) -> None:
    """Add a row; a cell's text is never read as markup, nor obeyed by the terminal."""
    from rich.text import Text

    made.add_row(*(Text("" if cell is None else harmless(str(cell))) for cell in cells), style=style)


def harmless(text: str) -> str:
    """The text with control characters as pictures: an event's name may hold a line break or an escape code."""
    return "".join(_picture(character) for character in text)


def show(made: Table) -> None:
    """Print a table, without the spaces that would end its lines."""
    with console().capture() as captured:
        console().print(made)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def sparkline(values: Sequence[float | None]) -> str:
    """One character a value, from zero to the highest; a gap is a space."""
    highest = max((value for value in values if value is not None), default=0.0)
    return "".join(" " if value is None else BARS[_height(value, highest)] for value in values)


def number(value: float | None, unit: str) -> str:
    """A value as people read it: grouped thousands, or minutes and seconds."""
    if value is None:
        return "–"
    if unit == "seconds":
        return f"{value:.1f}s" if round(value, 1) < 60 else f"{round(value) // 60:,}m {round(value) % 60:02d}s"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def instant(text: str | None) -> str:
    """An instant of the API, to the second, in UTC."""
    if not text:
        return ""
    from datetime import UTC, datetime

    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def complain(stop: Stop) -> None:
    """Say on standard error why the command ends: code, detail, hint."""
    if not stop.detail:
        return
    code = f" [{stop.code}]" if stop.code else ""
    sys.stderr.write(f"{stop.detail}{code}\n")
    if stop.hint:
        sys.stderr.write(f"→ {stop.hint}\n")


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if 0x7F <= code < 0xA0 else character


def _height(value: float, highest: float) -> int:
    if highest <= 0 or value <= 0:
        return 0
    return min(len(BARS) - 1, max(1, round(value / highest * (len(BARS) - 1))))
