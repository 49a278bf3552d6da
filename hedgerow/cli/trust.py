"""`hedgerow changes`, `prove` and `explain`: why a number can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, FromOption, JsonOption, ToOption
from hedgerow.cli.stops import FAILED, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


def changes(
    connection: ConnectionArgument = None,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="Only what moved since then.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Every past day whose value moved after it was complete: old → new, by which run, when."""
    server = tenant_server()
    answer = server.get(f"/v1/connections/{the_connection(server, connection)}/changes", since=since, limit=1000)
    if as_json:
        return screen.say_json(answer)
    if not answer["items"]:
        return screen.say("No complete day has moved.")
    made = screen.table("day", "metric", "old", "new", "noticed", "by run", right=("old", "new"))
    for each in answer["items"]:
        old, new = (screen.number(each[side], each.get("unit", "count")) for side in ("old", "new"))
        screen.row(made, each["date"], each["name"], old, new, screen.instant(each["at"]), each["run_id"])
    return screen.show(made)


def prove(
    connection: ConnectionArgument = None, begin: FromOption = None, to: ToOption = None, as_json: JsonOption = False
) -> None:
    """Count again, by a query of another shape, and compare day by day; exit 1 on a difference."""
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/proof"
    answer = server.get(path, **{"from": begin, "to": to})
    if as_json:
        screen.say_json(answer)
    else:
        _show_proof(answer)
    if not answer["equal"]:
        raise Stop(
            FAILED,
            "" if as_json else "What is stored is not what PostHog counts.",
            hint="hedgerow sync, then prove again.",
        )


def explain(
    connection: ConnectionArgument = None,
    name: Annotated[str, typer.Option(help="The series, such as posthog_dau.")] = "",
    date: Annotated[str, typer.Option(metavar="DATE", help="The day, YYYY-MM-DD.")] = "",
    as_json: JsonOption = False,
) -> None:
    """One number: its definition, the exact HogQL, the run that wrote it, and what moved since."""
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/explain"
    answer = server.get(path, name=name, date=date)
    if as_json:
        screen.say_json(answer)
    else:
        _show_explanation(answer)


def _show_proof(answer: Shown) -> None:
    raise SystemExit(answer)


def _show_explanation(answer: Shown) -> None:
    raise SystemExit(answer)
