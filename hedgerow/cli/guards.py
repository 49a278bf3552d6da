"""`hedgerow guards`: the privacy guard and the merge guard of a connection, shown in sentences and changed by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, JsonOption, VerbByDefault
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown

Action = Literal["off", "report", "mask", "hash", "drop"]


class ShowByDefault(VerbByDefault):
    """`guards` is `guards show`."""

    verb = "show"


guards = typer.Typer(
    cls=ShowByDefault,
    help="Keep personal data out; hold merges that cannot be undone. Without a verb, how they stand.",
)


@guards.command("show")
def show(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """What both guards do, and what they did in the last 24 hours."""
    server = tenant_server()
    _say(server.get(f"/v1/connections/{the_connection(server, connection)}/guards"), as_json=as_json)


@guards.command("set")
def change(
    connection: ConnectionArgument = None,
    email: Annotated[Action | None, typer.Option(metavar="ACTION", help="E-mail addresses in events.")] = None,
    phone: Annotated[Action | None, typer.Option(metavar="ACTION", help="Phone numbers.")] = None,
    card: Annotated[Action | None, typer.Option(metavar="ACTION", help="Card numbers.")] = None,
    iban: Annotated[Action | None, typer.Option(metavar="ACTION", help="IBANs.")] = None,
    ip: Annotated[Action | None, typer.Option(metavar="ACTION", help="IP addresses, $ip among them.")] = None,
    secret: Annotated[Action | None, typer.Option(metavar="ACTION", help="Keys, tokens, passwords.")] = None,
    identity: Annotated[
        Literal["keep", "hash"] | None,
        typer.Option(metavar="HOW", help="Ids and person properties: keep or hash."),
    ] = None,
    exempt: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A property never touched; repeat it. Replaces the list."),
    ] = None,
    exempt_none: Annotated[bool, typer.Option("--exempt-none", help="Empty the list of exempt properties.")] = False,
    add_ip: Annotated[
        bool | None, typer.Option("--add-ip/--no-add-ip", help="Whether the client's address is added to events.")
    ] = None,
    merges: Annotated[bool | None, typer.Option("--merges/--no-merges", help="The merge guard, on or off.")] = None,
    most_ids: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="More ids than this on one person are unusual.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is named; everything else stays.

    An ACTION is off, report, mask, hash or drop.
    """
    if exempt and exempt_none:
        raise Stop(USAGE, "--exempt and --exempt-none exclude each other.")
    kinds = {"email": email, "phone": phone, "card": card, "iban": iban, "ip": ip, "secret": secret}
    actions = {kind: action for kind, action in kinds.items() if action is not None}
    privacy: Shown = {
        "actions": actions or None,
        "identity": identity,
        "exempt": [] if exempt_none else exempt or None,
        "no_ip": None if add_ip is None else not add_ip,
    }
    wanted = {"privacy": _said(privacy), "merges": _said({"on": merges, "most_ids": most_ids})}
    if not any(wanted.values()):
        raise Stop(USAGE, "Nothing was named to change.", hint="For example: hedgerow guards set --email mask")
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/guards"
    _say(server.patch(path, {name: part for name, part in wanted.items() if part}), as_json=as_json)


def _said(part: Shown) -> Shown:
    return {name: value for name, value in part.items() if value is not None}


def _say(shown: Shown, *, as_json: bool) -> None:
    if as_json:
        return screen.say_json(shown)
    for title, part in (("Privacy", shown["privacy"]), ("Merges", shown["merges"])):
        screen.say(title)
        for sentence in part["sentences"]:
            screen.say(f"  {sentence}")
        counts = ", ".join(f"{name} {number}" for name, number in part["counts"].items())
        screen.say(f"  Last 24 hours: {counts or 'nothing'}.")
    return None
