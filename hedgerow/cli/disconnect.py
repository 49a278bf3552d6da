"""`hedgerow disconnect`: end a connection; its credential is destroyed, its history kept or purged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.following import until
from hedgerow.cli.options import ConnectionArgument, JsonOption, YesOption
from hedgerow.cli.questions import confirm, somebody_is_there
from hedgerow.cli.receipts import show_receipt

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


def disconnect(
    connection: ConnectionArgument = None,
    purge: Annotated[bool, typer.Option("--purge", help="Remove what was synced too; ends in a receipt.")] = False,
    refuse_traffic: Annotated[
        bool, typer.Option("--refuse-traffic", help="Refuse events that apps still send here.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a connection.

    Asks first at a terminal; with --purge, always. Safe to repeat; connecting the same project again finds
    what was kept.
    """
    server = tenant_server()
    id = the_connection(server, connection)
    if not yes and purge:
        confirm(f"Destroy the credential of {id} and remove everything that was synced?")
    elif not yes and somebody_is_there():
        confirm(f"Disconnect {id} and destroy its credential? What was synced stays.")
    asked = {name: True for name, wanted in (("purge", purge), ("refuse_traffic", refuse_traffic)) if wanted}
    path = f"/v1/connections/{id}/disconnect"
    answer = server.post(path, asked)
    if purge and not (answer.get("receipt") or {}).get("complete"):
        answer = until(lambda: server.get(path), lambda seen: bool((seen.get("receipt") or {}).get("complete")))
    if as_json:
        return screen.say_json(answer)
    screen.say(f"{id} is {answer['state']}; its credential is destroyed. {_history(answer)}")
    if answer["traffic_last_hour"]:
        screen.say(
            f"{answer['traffic_last_hour']:,} events came in here during the last hour: some app still points at Hedgerow."
        )
    return show_receipt(answer)


def _history(answer: Shown) -> str:
    if answer["purge"]:
        return "What was synced is removed."
    until_day = answer["history_kept_until"]
    return f"What was synced stays readable until {until_day}." if until_day else "What was synced stays readable."
