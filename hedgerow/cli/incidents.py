"""`hedgerow incidents`: what is wrong and was; acknowledged, snoozed, rated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path, tenant_server
from hedgerow.cli.options import JsonOption, VerbByDefault
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


class ListByDefault(VerbByDefault):
    """`incidents` is `incidents list`."""

    verb = "list"


incidents = typer.Typer(cls=ListByDefault, help="What is wrong, and what was. Without a verb, the open ones.")
IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, inc_….")]
MOST_SHOWN = 50


@incidents.command("list")
def list_incidents(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too, the newest 50.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Incidents, newest first."""
    state = None if everything else "open"
    found = tenant_server().get("/v1/incidents", state=state, limit=MOST_SHOWN)
    if as_json:
        return screen.say_json(found)
    if not found["items"]:
        screen.say("No incident." if everything else "No incident is open.")
        return None
    made = screen.table("incident", "state", "opened", "what", fluid=("what",))
    for each in found["items"]:
        screen.row(made, each["id"], _state(each), screen.instant(each["opened_at"]), each["sentence"])
    screen.show(made)
    if found["next_cursor"]:
        screen.say(f"The newest {MOST_SHOWN}; GET /v1/incidents has the rest.")
    return None


@incidents.command("show")
def show(incident: IncidentArgument, as_json: JsonOption = False) -> None:
    """One incident with its timeline."""
    _say(tenant_server().get(f"/v1/incidents/{in_path(incident, 'inc')}"), as_json=as_json)


@incidents.command("acknowledge")
def acknowledge(incident: IncidentArgument, as_json: JsonOption = False) -> None:
    """Say that somebody is at it."""
    _say(tenant_server().post(f"/v1/incidents/{in_path(incident, 'inc')}/acknowledge"), as_json=as_json)


@incidents.command("snooze")
def snooze(
    incident: IncidentArgument,
    minutes: Annotated[int, typer.Option(metavar="MINUTES", min=1, max=43_200, help="For how long.")] = 60,
    as_json: JsonOption = False,
) -> None:
    """Hear no more of it for a while."""
    _say(
        tenant_server().post(f"/v1/incidents/{in_path(incident, 'inc')}/snooze", {"minutes": minutes}), as_json=as_json
    )


@incidents.command("rate")
def rate(
    incident: IncidentArgument,
    verdict: Annotated[Literal["useful", "useless"], typer.Argument(metavar="VERDICT", help="useful or useless.")],
    as_json: JsonOption = False,
) -> None:
    """Say whether it was worth telling: the digest names the rules that were not."""
    if verdict not in ("useful", "useless"):
        raise Stop(USAGE, "Say useful or useless.")
    _say(
        tenant_server().post(f"/v1/incidents/{in_path(incident, 'inc')}/rate", {"useful": verdict == "useful"}),
        as_json=as_json,
    )


def _state(incident: Shown) -> str:
    if incident["state"] == "open" and incident["acknowledged_at"]:
        return "acknowledged"
    return str(incident["state"])


def _say(incident: Shown, *, as_json: bool) -> None:
    if as_json:
        return screen.say_json(incident)
    screen.say(f"{incident['sentence']}")
    screen.say(f"{incident['rule']}, {incident['connection']}: {_state(incident)}, {incident['severity']}")
    if incident["trace_id"]:
        screen.say(f"trace {incident['trace_id']}")
    made = screen.table("when (UTC)", "what", fluid=("what",))
    for step in incident["timeline"]:
        screen.row(made, screen.instant(step["at"]), step["sentence"])
    return screen.show(made)
