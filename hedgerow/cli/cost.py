"""`hedgerow cost`: what a month on Google Cloud costs, by line, and what dominates it. Asks nobody: prices and counts are files."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.options import JsonOption
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown
    from hedgerow.cli.operations.costs.files import Prices
    from hedgerow.cli.operations.costs.reckoning import Limit, Line, Wish
    from hedgerow.cli.operations.costs.saying import Saving
    from hedgerow.models import Tier

GIB = 1 << 30
MOST = 10_000_000


class RegionChoice(StrEnum):
    """Where Firestore and the functions are."""

    EUROPE_WEST1 = "europe-west1"
    US = "us"
    EUR3 = "eur3"


class VaultChoice(StrEnum):
    """Where personal API keys live."""

    SECRET_MANAGER = "secret_manager"  # noqa: S105 - a kind of vault
    SEALED = "sealed"


def cost(
    connections: Annotated[int, typer.Option(min=0, max=MOST, metavar="N", help="Connections.")],
    tier: Annotated[str, typer.Option(metavar="TIER", help="starter, basic, pro or scale.")] = "scale",
    events_per_day: Annotated[
        int, typer.Option(min=0, max=10**12, metavar="M", help="Captured events a day, all connections together.")
    ] = 0,
    rules: Annotated[int, typer.Option(min=0, max=1_000, metavar="R", help="Alert rules of each connection.")] = 0,
    region: Annotated[
        RegionChoice, typer.Option(help="Where Firestore is; us is one region of it.")
    ] = RegionChoice.EUROPE_WEST1,
    vault: Annotated[
        VaultChoice, typer.Option(help="Terraform's `vault`: where personal API keys live.")
    ] = VaultChoice.SECRET_MANAGER,
    min_instances: Annotated[
        int, typer.Option(min=0, max=1_000, metavar="I", help="Instances kept warm, all functions together.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """A month's bill on Google Cloud, by line.

    From the operations that the tests count and list prices of one day; what is free is
    taken off. Reckoned for 31 days, without taxes and contracts.
    """
    from hedgerow.cli.operations.costs import files, reckoning, saying
    from hedgerow.wiring import utc_now

    if events_per_day and not connections:
        raise Stop(USAGE, "Without a connection no event is captured.", hint="Say --connections 1 or more.")

    prices, counts = files.prices(), files.counts()
    asked = saying.wish(
        connections,
        _tier(tier),
        events_a_day=events_per_day,
        rules=rules,
        region=region.value,
        vault=vault.value,
        min_instances=min_instances,
    )
    lines, limits = reckoning.bill(asked, counts, prices), reckoning.limits(asked, counts)
    savings = saying.savings(asked, counts, prices)
    if prices.are_old(utc_now().date()):
        screen.warn(f"The prices are of {prices.dated}, older than half a year: look at Google's price list too.")
    if as_json:
        return screen.say_json(_shown(asked, lines, limits, savings, prices))
    return _say(asked, lines, limits, savings, prices)


def _tier(name: str) -> Tier:
    from hedgerow.tiers import TIERS

    for tier in TIERS:
        if tier == name:
            return tier
    raise Stop(USAGE, f"There is no tier `{name}`.", hint=f"Tiers are {', '.join(TIERS)}.")


def _say(
    asked: Wish, lines: tuple[Line, ...], limits: tuple[Limit, ...], savings: tuple[Saving, ...], prices: Prices
) -> None:
    from hedgerow.cli.operations.costs import reckoning, saying

    made = screen.table("line", "a month", "USD", "price", right=("a month", "USD"))
    for line in lines:
        if line.units:
            screen.row(made, line.name, amount(line), f"{line.usd:,.2f}", "" if line.verified else "unverified")
    screen.row(made, "Sum", "", f"{reckoning.total(lines):,.2f}", "")
    screen.show(made)
    dear = saying.dominating(lines)
    if dear:
        whole = reckoning.total(lines)
        screen.say(f"Dominated by {', '.join(f'{line.name} ({line.usd / whole:.0%})' for line in dear)}.")
    for saving in savings:
        screen.say(f"With {saving.what}: {saving.usd:,.2f} USD.")
    screen.say(
        f"{screen.counted(asked.connections, 'connection')}, {asked.tier}, {asked.events_a_day:,.0f} events a day, "
        f"31 days, list prices of {prices.dated}; docs/operations/costs.md says what is assumed."
    )
    reads, writes, calls = (f"{each.per_hour:,.0f}" for each in limits)
    screen.say(f"An hour has {reads} reads, {writes} writes and {calls} requests on average. For Terraform's alert:")
    for each in limits:
        screen.say(f"{each.variable} = {each.limit}")


def amount(line: Line) -> str:
    """The units as people read them."""
    if line.unit == "bytes":
        return f"{line.units / GIB:,.2f} GiB"
    return f"{line.units:,.0f} {line.unit}"


def _shown(
    asked: Wish, lines: tuple[Line, ...], limits: tuple[Limit, ...], savings: tuple[Saving, ...], prices: Prices
) -> Shown:
    from hedgerow.cli.operations.costs import reckoning, saying

    return {
        "connections": asked.connections,
        "tier": asked.tier,
        "events_per_day": asked.events_a_day,
        "rules": asked.rules,
        "region": asked.region,
        "vault": asked.vault,
        "min_instances": asked.min_instances,
        "prices_of": prices.dated.isoformat(),
        "days": reckoning.DAYS,
        "usd": round(reckoning.total(lines), 2),
        "lines": [
            {
                "name": line.name,
                "units": round(line.units, 3),
                "unit": line.unit,
                "usd": round(line.usd, 4),
                "verified": line.verified,
            }
            for line in lines
        ],
        "limits": {each.variable: {"per_hour": round(each.per_hour, 1), "limit": each.limit} for each in limits},
        "dominated_by": [line.name for line in saying.dominating(lines)],
        "savings": [{"what": saving.what, "usd": round(saving.usd, 2)} for saving in savings],
    }
