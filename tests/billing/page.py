"""The tables of docs/operations/costs.md, from the files of `hedgerow cost`: `python -m tests.billing.page` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.cli.cost import amount
from hedgerow.cli.operations.costs import files, reckoning, saying
from hedgerow.tiers import TIERS

if TYPE_CHECKING:
    from hedgerow.models import Tier

PAGE = Path(__file__).resolve().parents[2] / "docs/operations/costs.md"
SIZES = (10, 100, 1_000)
EVENTS = 1_000
BEGIN, END = "<!-- {}: written by `python -m tests.billing.page` -->", "<!-- end of {} -->"


def with_tables(page: str) -> str:
    """The page with its tables as they are now; `ValueError` where it has no place for one."""
    for name, table in (("bills", _bills()), ("lines", _lines()), ("counts", _counts()), ("assumptions", _assumed())):
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the page has no place for {name}")
        page = "\n".join([before + begin, "", *table, "", end]) + after
    return page


def _bills() -> list[str]:
    head = f"| tier | connections | no events | {EVENTS:,} events a day each | the same, sealed vault | dominated by |"
    lines = [head, "|---|---:|---:|---:|---:|---|"]
    for tier in TIERS:
        for number in SIZES:
            quiet, busy = _usd(tier, number, 0), _usd(tier, number, number * EVENTS)
            sealed = _usd(tier, number, number * EVENTS, sealed=True)
            lines.append(f"| {tier} | {number:,} | {quiet} | {busy} | {sealed} | {_dear(tier, number)} |")
    return lines


def _lines() -> list[str]:
    lines = ["| line | a month | USD |", "|---|---:|---:|"]
    bill = reckoning.bill(saying.wish(1_000, "scale", events_a_day=1_000_000), files.counts(), files.prices())
    lines += [f"| {line.name} | {amount(line)} | {line.usd:,.2f} |" for line in bill if line.units]
    return [*lines, f"| **Sum** | | **{reckoning.total(bill):,.2f}** |"]


def _counts() -> list[str]:
    lines = ["| what | reads | writes | deletes | messages | secrets read |", "|---|---:|---:|---:|---:|---:|"]
    for name, count in files.counts().counted.items():
        numbers = (count.reads, count.writes, count.deletes, count.messages, count.accesses)
        lines.append(f"| `{name}` | " + " | ".join(f"{number:g}" for number in numbers) + " |")
    return lines


def _assumed() -> list[str]:
    lines = ["| what | value | why |", "|---|---:|---|"]
    return lines + [f"| `{name}` | {each.value:,g} | {each.why} |" for name, each in files.counts().assumed.items()]


def _usd(tier: Tier, number: int, events: float, *, sealed: bool = False) -> str:
    wish = saying.wish(number, tier, events_a_day=events, vault="sealed" if sealed else "secret_manager")
    return f"{reckoning.total(reckoning.bill(wish, files.counts(), files.prices())):,.2f}"


def _dear(tier: Tier, number: int) -> str:
    wish = saying.wish(number, tier, events_a_day=number * EVENTS)
    lines = reckoning.bill(wish, files.counts(), files.prices())
    whole = reckoning.total(lines)
    return ", ".join(f"{line.name} {line.usd / whole:.0%}" for line in saying.dominating(lines))


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
