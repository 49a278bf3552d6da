"""The table as people read it: in a terminal by rich, elsewhere as plain lines; and as Markdown for the docs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Row, Spread, Unit

HEAD = ("what", "figure", "floor", "ratio", "must", "verdict")


def cells(row: Row) -> tuple[str, ...]:
    """The texts of one row, in the order of `HEAD`."""
    must = "—"
    if row.must is not None:
        sign = "≥" if row.must.at_least else "≤"
        must = f"{sign} {row.must.limit:g}" + ("" if row.must.of == "ratio" else f" {row.unit}".rstrip())
    return (
        row.what,
        _figure(row.figure, row.unit),
        _figure(row.floor, row.unit),
        _ratio(row.ratio),
        must,
        row.verdict,
    )


def show(rows: Sequence[Row]) -> None:
    """Print the table, with every note below its row's name."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        print("\n".join(plain(rows)), flush=True)
        return
    table = Table(*HEAD, show_lines=True)
    colours = {"met": "green", "MISSED": "bold red", "NOT MEASURED": "bold red", "reported": "dim"}
    for row in rows:
        what, *others, verdict = cells(row)
        named = what if not row.note else f"{what}\n[dim]{row.note}[/dim]"
        table.add_row(named, *others, f"[{colours[row.verdict]}]{verdict}[/]")
    console.print(table)


def plain(rows: Sequence[Row]) -> list[str]:
    """The table in lines of text."""
    texts = [HEAD, *(cells(row) for row in rows)]
    widths = [max(len(text[at]) for text in texts) for at in range(len(HEAD))]
    lines: list[str] = []
    for at, text in enumerate(texts):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(text, widths, strict=True)).rstrip())
        if at == 0:
            lines.append("-" * len(lines[0]))
        elif rows[at - 1].note:
            lines.append(f"    {rows[at - 1].note}")
    return lines


def markdown(rows: Sequence[Row]) -> list[str]:
    """The table for the docs."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|---|"]
    for row in rows:
        what, *others, verdict = cells(row)
        named = what if not row.note else f"{what}<br><sub>{row.note}</sub>"
        shown = verdict if row.verdict in {"met", "reported"} else f"**{verdict}**"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (named, *others, shown)) + " |")
    return lines


def _figure(figure: Spread | None, unit: Unit) -> str:
    if figure is None:
        return "—"
    text = f"{_number(figure.middle)} {unit}".rstrip()
    if figure.rounds == 1 or (not unit and figure.lowest == figure.highest):
        return text
    return f"{text} ({_number(figure.lowest)}–{_number(figure.highest)})"


def _ratio(ratio: Spread | None) -> str:
    if ratio is None:
        return "—"
    return f"{ratio.middle:.2f} ({ratio.lowest:.2f}–{ratio.highest:.2f})"


def _number(value: float) -> str:
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
