"""`hedgerow outbox`: what PostHog has not taken yet, why, and by hand back on its way."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path, tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, ConnectionOption, JsonOption, VerbByDefault
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown

STATES = ("pending", "held", "dead")
ADVICE = {
    "pending": "pending is sent by itself, every minute, once PostHog answers",
    "held": "held waits for your decision: hedgerow outbox redeliver ID, or hedgerow outbox refuse ID",
    "dead": "dead is not sent by itself: mend what `why` names, then hedgerow outbox redeliver --state dead",
}
# The API takes as many ids in one call.
MOST_IDS = 100


class State(StrEnum):
    """What a delivery may be."""

    PENDING = "pending"
    HELD = "held"
    DEAD = "dead"
    DELIVERED = "delivered"


class ListByDefault(VerbByDefault):
    """`outbox` is `outbox list`."""

    verb = "list"


outbox = typer.Typer(cls=ListByDefault, help="What waits for PostHog; without a verb, the list.")
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Deliveries, dlv_….")]
EventOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="With a state: only deliveries that hold an event of this name.")
]


@outbox.command("list")
def list_outbox(
    connection: ConnectionArgument = None,
    state: Annotated[
        State | None,
        typer.Option(metavar="STATE", help="pending, held, dead or delivered; the first three when left out."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many, 1 to 1000.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """What waits, since when, why.

    What is due first, oldest first; then what is held, then what is dead.
    """
    server = tenant_server()
    wanted = None if state is None else state.value
    page = server.get(f"/v1/connections/{the_connection(server, connection)}/outbox", state=wanted, limit=limit)
    if as_json:
        return screen.say_json(page)
    screen.say(_first(page["totals"]))
    if not page["items"]:
        return None
    made = screen.table(
        "delivery",
        "state",
        "events",
        "since (UTC)",
        "tries",
        "why",
        right=("events", "tries"),
        fluid=("why",),
        spare=("tries",),
    )
    for each in page["items"]:
        style = "red" if each["state"] == "dead" else None
        since = screen.instant(each["since"])
        cells = (each["id"], each["state"], f"{each['count']:,}", since, each["tries"], _why(each))
        screen.row(made, *cells, style=style)
    screen.show(made)
    if page["next_cursor"]:
        screen.say(f"More than {limit}: say --limit or --state.")
    return None


@outbox.command("show")
def show_delivery(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="The delivery's id, dlv_….")],
    connection: ConnectionOption = None,
    payload: Annotated[
        bool, typer.Option("--payload", help="The events too; needs a write key: customers' data.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """One delivery: where it came from, every try, its events."""
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/outbox/{in_path(delivery)}"
    shown = server.get(path, payload="true" if payload else None)
    if as_json:
        return screen.say_json(shown)
    screen.say(
        f"{shown['id']} is {shown['state']}: {screen.counted(shown['count'], 'event')}, lane {shown['lane']}. {_why(shown)}"
    )
    came = screen.table("received (UTC)", "events", "SDK", "path", "changed", right=("events",), fluid=("changed",))
    for each in shown["parcels"]:
        cells = (screen.instant(each["received_at"]), each["count"], each["sdk"], each["path"])
        screen.row(came, *cells, "; ".join(each["changes"]))
    screen.show(came)
    if shown["attempts"]:
        tried = screen.table("tried (UTC)", "status", "what came", fluid=("what came",))
        for each in shown["attempts"]:
            screen.row(tried, screen.instant(each["at"]), each["status"], f"{each['code']}: {each['detail']}")
        screen.show(tried)
    events = screen.table("event", "name", "its own time (UTC)", fluid=("name",))
    for each in shown["events"]:
        screen.row(events, each["uuid"], each["name"], screen.instant(each["timestamp"]))
    screen.show(events)
    if shown["payload"] is not None:
        screen.say(shown["payload"])
    return None


@outbox.command("redeliver")
def redeliver(
    ids: IdsArgument = None,
    state: Annotated[State | None, typer.Option(metavar="STATE", help="All that are pending, held or dead.")] = None,
    event: EventOption = None,
    connection: ConnectionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send deliveries again, dead and held ones too.

    They are due at once. What the catalogue refused is judged by the catalogue of now; what is no JSON can never be sent.
    """
    _by_hand("redeliver", "due now", ids, state, event, connection, as_json=as_json)


@outbox.command("refuse")
def refuse(
    ids: IdsArgument = None,
    every: Annotated[bool, typer.Option("--all", help="All that are held.")] = False,
    event: EventOption = None,
    connection: ConnectionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse held deliveries.

    They are dead then, kept thirty days, and can still be redelivered.
    """
    _by_hand("refuse", "refused", ids, State.HELD if every else None, event, connection, as_json=as_json)


def _by_hand(
    verb: str,
    done: str,
    ids: list[str] | None,
    state: State | None,
    event: str | None,
    connection: str | None,
    *,
    as_json: bool,
) -> None:
    if bool(ids) == (state is not None):
        every = "--all" if verb == "refuse" else "--state dead"
        raise Stop(USAGE, "Say which deliveries.", hint=f"Name their ids, or say {every}.")
    if event is not None and state is None:
        raise Stop(USAGE, "--event narrows a state down, not ids.")
    if ids and len(ids) > MOST_IDS:
        raise Stop(USAGE, f"One call takes {MOST_IDS} ids.")
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/outbox/{verb}"
    wanted: Shown = {"ids": list(map(in_path, ids))} if ids else {"state": str(state)}
    if event is not None:
        wanted["event"] = event
    released = _all_of(server, path, wanted)
    if as_json:
        screen.say_json(released)
    else:
        deliveries = screen.counted(released["deliveries"], "delivery", "deliveries")
        be = "is" if released["deliveries"] == 1 else "are"
        screen.say(f"{deliveries} with {screen.counted(released['events'], 'event')} {be} {done}.")
        for each in released["refused"]:
            screen.say(f"{each['id']} stays: {each['detail']} [{each['code']}] → {each['hint']}")
    if released["refused"]:
        raise Stop(FAILED)


def _all_of(server: Server, path: str, wanted: Shown) -> Shown:
    """One call after the other, added up."""
    whole = server.post(path, wanted)
    following = whole
    while following["more"]:
        following = server.post(path, {**wanted, "cursor": following["next_cursor"]})
        for number in ("deliveries", "events"):
            whole[number] += following[number]
        whole["refused"] += following["refused"]
    return {**whole, "more": False, "next_cursor": None}


def _first(totals: Shown) -> str:
    """What is wrong, and what to do: on one line, or where several things are, on one each."""
    some = {state: totals[state] for state in STATES if totals[state]["deliveries"]}
    if not some:
        return "Nothing waits: PostHog took everything."
    said = []
    for state, each in some.items():
        least = "at least " if each["cut"] else ""
        said.append(
            f"{least}{screen.counted(each['events'], 'event')} {'is' if each['events'] == 1 else 'are'} {state}"
        )
    pending = some.get("pending")
    since = f", the oldest pending since {screen.instant(pending['oldest_accepted_at'])} UTC" if pending else ""
    between = " " if len(some) == 1 else "\n"
    return between.join([f"{'; '.join(said)}{since}.", *(f"→ {ADVICE[state]}" for state in some)])


def _why(delivery: Shown) -> str:
    why = delivery["why"]
    return f"{why['detail']} [{why['code']}] → {why['hint']}" if why else "PostHog took it."
