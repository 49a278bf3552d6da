"""`hedgerow event` and `hedgerow reconcile`: where an event is, and whether every one arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path, tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, JsonOption
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown

OUTCOMES = ("delivered", "pending", "held", "dead")
WHEN = "a day of the project's zone, or an instant such as 2026-11-20T15:30:00Z"


def event(
    uuid: Annotated[
        str, typer.Argument(metavar="UUID", help="The event's uuid, as its SDK or Hedgerow-Event-Id has it.")
    ],
    connection: Annotated[
        str | None, typer.Option(metavar="CON", help="Only this connection; every one of the tenant when left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Where is this event?

    For what was not delivered at once our own timeline; for the rest PostHog's own row, asked for.
    """
    server = tenant_server()
    if connection is not None:
        answer = server.get(f"/v1/connections/{in_path(connection)}/events/{_uuid(uuid)}")
        places, not_asked = [answer], []
    else:
        answer = server.get(f"/v1/events/{_uuid(uuid)}")
        places, not_asked = answer["items"], answer["not_asked"]
    if as_json:
        return screen.say_json(answer)
    for place in places:
        _show_place(place)
    for each in not_asked:
        screen.say(f"PostHog was not asked for {each['connection_id']}. {each['detail']} → {each['hint']}")
    return None


def reconcile(
    connection: ConnectionArgument = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="WHEN", help=f"The begin: {WHEN}.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="WHEN", help="The end; a day is included.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether every event arrived.

    Accepted, delivered, pending, held and dead here; arrived in PostHog; what differs and why. The last 24 hours
    when nothing else is said. Counts lost in a kill are booked; exit 1 on a difference nothing explains.
    """
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/reconciliation"
    books = server.get(path, **{"from": begin, "to": to})
    if as_json:
        screen.say_json(books)
    else:
        _show_books(books)
    if not books["ok"]:
        raise Stop(FAILED)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise Stop(USAGE, f"{text!r} is no uuid.", hint="For example 0197c2a1-8d3e-7c11-9f00-2a4c5b6d7e8f") from None


def _show_place(place: Shown) -> None:
    screen.say(place["summary"])
    whose = "PostHog's own row, asked for now" if place["source"] == "posthog" else f"delivery {place['delivery_id']}"
    name = place["name"] or "an event whose name is not kept any more"
    screen.say(f"{name} in {place['connection_id']}, {whose}")
    made = screen.table("at (UTC)", "what happened", fluid=("what happened",))
    for moment in place["timeline"]:
        screen.row(made, screen.instant(moment["at"]), moment["what"])
    screen.show(made)
    if place["why"]:
        screen.say(f"→ {place['why']['hint']}")


def _show_books(books: Shown) -> None:
    remedy = f" → {books['hint']}" if books["hint"] else ""
    screen.say(f"{books['detail']}{remedy}", style="green" if books["ok"] else "red")
    here, there = books["here"], books["posthog"]
    screen.say(f"{screen.instant(books['from'])} to {screen.instant(books['to'])} UTC, by hour of acceptance")
    made = screen.table("accepted", *OUTCOMES, "arrived*", right=("accepted", *OUTCOMES, "arrived*"))
    arrived = f"{there['arrived']:,} of {there['delivered']:,}" if there["asked"] else "not asked"
    screen.row(made, *(f"{here[name]:,}" for name in ("accepted", *OUTCOMES)), arrived)
    screen.show(made)
    screen.say("* in PostHog, in the hours of the events' own time")
    if not there["asked"]:
        screen.say(f"PostHog was not asked: {there['detail']} [{there['code']}] → {there['hint']}")
    for each in books["booked"]:
        lost = ", ".join(f"{each[state]:,} {state}" for state in OUTCOMES[1:] if each[state])
        screen.say(
            f"Booked {screen.instant(each['hour'])}: {lost}; counts lost with a killed instance, their events are here."
        )
    for each in books["errors"]:
        screen.say(
            f"Wrong at {screen.instant(each['hour'])}: {each['detail']} [{each['code']}] → {each['hint']}", style="red"
        )
    _show_differences(there)


def _show_differences(there: Shown) -> None:
    if not there["differences"]:
        return
    numbers = ("delivered", "arrived", "difference")
    made = screen.table(
        "event", "hour (UTC)", *numbers, "what explains it", right=numbers, fluid=("event", "what explains it")
    )
    for each in there["differences"]:
        style = None if each["explained"] else "red"
        values = (each["delivered"], each["arrived"], f"{each['difference']:+,}")
        screen.row(made, each["name"], screen.instant(each["hour"]), *values, " ".join(each["why"]), style=style)
    screen.show(made)
    if there["more"]:
        screen.say(f"And {there['more']:,} more; ask for fewer hours.")
