"""A month's bill of 1,000 Scale connections, by line, as `hedgerow cost` says it: counted operations, list prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import Row, Spread
from hedgerow.cli.cost import amount
from hedgerow.cli.operations.costs import files, reckoning, saying

if TYPE_CHECKING:
    from bench.sizes import Sizes

NAME = "costs"
CONNECTIONS, EVENTS = 1_000, 1_000


def measure(sizes: Sizes) -> list[Row]:
    """The whole and each line of it; the whole again for a quiet month, and with the sealed vault."""
    prices, counts = files.prices(), files.counts()
    busy = saying.wish(CONNECTIONS, "scale", events_a_day=CONNECTIONS * EVENTS)
    lines = reckoning.bill(busy, counts, prices)
    whole = reckoning.total(lines)
    dear = ", ".join(f"{line.name} {line.usd / whole:.0%}" for line in saying.dominating(lines))
    what = f"USD a month, {CONNECTIONS:,} Scale connections"
    rows = [_row(f"{what}, {EVENTS:,} events a day each", whole, f"dominated by {dear}; prices of {prices.dated}")]
    rows += [_row(f"{what}: {line.name}", line.usd, amount(line)) for line in lines if line.units]
    for name, wish in (
        ("no events", saying.wish(CONNECTIONS, "scale")),
        ("sealed vault", saying.wish(CONNECTIONS, "scale", events_a_day=CONNECTIONS * EVENTS, vault="sealed")),
    ):
        rows.append(_row(f"{what}, {name}", reckoning.total(reckoning.bill(wish, counts, prices)), ""))
    return rows


def _row(what: str, usd: float, note: str) -> Row:
    usd = round(usd, 2)
    return Row(NAME, what, Spread(usd, usd, usd, 1), note=note)
