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
        screen.say(_traffic(answer))
    if not answer["purge"]:
        screen.say(f"What is still pending, held or dead of its events: hedgerow outbox {id}")
    return show_receipt(answer)


def _traffic(answer: Shown) -> str:
    """What came before tells of apps that may still send; what becomes of their events from now on."""
    came = f"{screen.counted(answer['traffic_last_hour'], 'event')} came in for this token during the last hour."
    if answer["purge"] or answer["refuse_traffic"]:
        return f"{came} Within ten seconds whoever still sends here hears 401: point the apps at PostHog itself."
    return (
        f"{came} Until you point the apps elsewhere their events pass straight through to PostHog, for 30 days: "
        "not changed, kept or sent again. --refuse-traffic ends that."
    )


def _history(answer: Shown) -> str:
    if answer["purge"]:
        return "What was synced is removed."
    until_day = answer["history_kept_until"]
    return f"What was synced stays readable until {until_day}." if until_day else "What was synced stays readable."
