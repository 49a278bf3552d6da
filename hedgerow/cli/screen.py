"""What commands print: tables and sparklines at a terminal, plain text elsewhere, JSON on request."""

from __future__ import annotations

import io
import json
import re
import sys
from functools import cache
from typing import TYPE_CHECKING

from hedgerow.cli.environment import environment
from hedgerow.cli.sheets import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from hedgerow.cli.calls import Shown
    from hedgerow.cli.stops import Stop

BARS = "▁▂▃▄▅▆▇█"
# A pipe has no edge: lines must not be folded for one.
PIPE_COLUMNS = 240
# Control characters that JSON lets stand as they are.
_C1 = re.compile(r"[\x7f-\x9f]")


@cache
def console() -> Console:
    """Standard output. At a terminal with colours, unless NO_COLOR is set: then no escape code at all."""
    from rich.console import Console

    plain = environment().no_color
    return Console(
        highlight=False,
        width=None if sys.stdout.isatty() else PIPE_COLUMNS,
        color_system=None if plain else "auto",
        force_terminal=False if plain else None,
    )


def accept_any_encoding() -> None:
    """Let a terminal or pipe of a narrow encoding show `?` where it has no character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(line: str, style: str | None = None) -> None:
    """Text, printed as it is; `style` colours it at a terminal."""
    console().print(_lines(line), style=style, markup=False, soft_wrap=True)


def say_json(shown: Shown | Sequence[Shown]) -> None:
    """The API's JSON as it came; escaped where the output could not hold it, or a terminal would obey it."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(shown, ensure_ascii=not is_unicode, indent=2)
    sys.stdout.write(_C1.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def say_csv(text: str) -> None:
    """The API's CSV: as it came into a pipe or file, without control characters at a terminal."""
    sys.stdout.write(_lines(text.replace("\r\n", "\n")) if sys.stdout.isatty() else text)


def warn(line: str) -> None:
    """Text on standard error, beside what the command prints."""
    sys.stderr.write(f"{_lines(line)}\n")


def table(
    *columns: str,
    right: Iterable[str] = (),
    fluid: Iterable[str] = (),
    spare: Sequence[str] = (),
    has_header: bool = True,
) -> Sheet:
    """An empty table; columns named in `right` hold numbers, in `fluid` text that may fold, in `spare` may go first."""
    names = tuple(map(harmless, columns))
    return Sheet(names, frozenset(map(harmless, right)), frozenset(map(harmless, fluid)), tuple(spare), has_header)


def row(made: Sheet, *cells: object, style: str | None = None) -> None:
    """Add a row; a cell's text is never read as markup, nor obeyed by the terminal."""
    made.rows.append((tuple("" if cell is None else harmless(str(cell)) for cell in cells), style))


def harmless(text: str) -> str:
    """The text with control characters as pictures: an event's name may hold a line break or an escape code."""
    return "".join(_picture(character) for character in text)


def show(made: Sheet) -> None:
    """Print a table, without the spaces that would end its lines; what does not fit is left out, or set in blocks."""
    columns = console().width
    shown = made.fitting(columns) if sys.stdout.isatty() else made.columns
    if not shown:
        for line in made.blocks(columns):
            say(line)
        return
    with console().capture() as captured:
        console().print(made.grid(shown))
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
    if left_out := [name for name in made.columns if name not in shown]:
        say(f"Too narrow for: {', '.join(left_out)}.")


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


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 event, 1,200 events."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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
    warn(f"{stop.detail}{code}")
    if stop.hint:
        warn(f"→ {stop.hint}")


def _lines(text: str) -> str:
    return "\n".join(map(harmless, text.split("\n")))


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if 0x7F <= code < 0xA0 else character


def _height(value: float, highest: float) -> int:
    if highest <= 0 or value <= 0:
        return 0
    return min(len(BARS) - 1, max(1, round(value / highest * (len(BARS) - 1))))
