"""`hedgerow disconnect`: end a connection; its credential is destroyed, its history kept or purged."""

from __future__ import annotations

from typing import Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.operator import receipt_lines
from hedgerow.cli.options import ConnectionArgument, JsonOption, YesOption


def disconnect(
    connection: ConnectionArgument = None,
    purge: Annotated[bool, typer.Option("--purge", help="Remove what was synced too; ends in a receipt.")] = False,
    refuse_traffic: Annotated[
        bool, typer.Option("--refuse-traffic", help="Refuse events that apps still send here.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a connection. Safe to repeat; connecting the same project again finds what was kept."""
    server = tenant_server()
    id = the_connection(server, connection)
    if purge and not yes:
        typer.confirm(f"Remove everything that was synced for {id}?", abort=True)
    asked = {name: True for name, wanted in (("purge", purge), ("refuse_traffic", refuse_traffic)) if wanted}
    answer = server.post(f"/v1/connections/{id}/disconnect", asked)
    if as_json:
        return screen.say_json(answer)
    kept = (
        "What was synced is being removed." if purge else "What was synced stays readable as long as the tier keeps it."
    )
    return screen.say(f"{id} is {answer['state']}; its credential is destroyed. {kept}{receipt_lines(answer)}")
