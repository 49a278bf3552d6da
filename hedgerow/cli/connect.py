"""`hedgerow connect`: tests a PostHog project's keys, says what they can do, connects, follows the first sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import shown_url, tenant_server
from hedgerow.cli.following import follow
from hedgerow.cli.keys import posthog_keys
from hedgerow.cli.options import JsonAtOnceOption
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


def connect(
    host: Annotated[
        str, typer.Option(metavar="URL", help="https://us.posthog.com, https://eu.posthog.com, or your own.")
    ],
    project_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Digits; needed when the key sees several projects.")
    ] = None,
    ingestion_host: Annotated[
        str | None, typer.Option(metavar="URL", help="Where events go, when it is not derived from the host.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the connection.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Only say what the keys can do; change nothing.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not follow the first sync.")] = False,
    as_json: JsonAtOnceOption = False,
) -> None:
    """Connect a PostHog project.

    Keys come from the environment, standard input or a prompt.
    """
    server = tenant_server()
    keys = posthog_keys().fields()
    if not keys:
        raise Stop(
            USAGE,
            "No PostHog key was given.",
            hint="At least one: the personal API key (phx_…) or the project token (phc_…).",
        )
    asked: Shown = {"host": host, "project_id": project_id, "ingestion_host": ingestion_host, **keys}
    asked = {field: value for field, value in asked.items() if value is not None}
    if test:
        return _test(server.post("/v1/connections/test", asked), as_json=as_json)
    if name is not None:
        asked["name"] = name
    try:
        connection = server.post("/v1/connections", asked)
    except Stop as stop:
        verdicts = stop.problem.get("capabilities")
        if isinstance(verdicts, list) and not as_json:
            show_verdicts(verdicts)
        raise
    if as_json:
        return screen.say_json(connection)
    capabilities = connection["capabilities"]
    if not all(each["ok"] for each in capabilities):
        show_verdicts(capabilities)
    screen.say(f"Connected: {connection['name']} is {connection['id']}, {connection['state']}.")
    say_where_sdks_point(server.url, connection)
    run = connection.get("run")
    if run is not None and not no_wait:
        follow(server, connection["id"], run)
    return None


def say_where_sdks_point(url: str, connection: Shown) -> None:
    """The address of this server is the host of every SDK, where the connection has a project token."""
    if connection["project_token_ends"] and connection["state"] not in {"disconnecting", "disconnected"}:
        screen.say(
            f"Point your SDKs at {shown_url(url)} (api_host) with the project token (…{connection['project_token_ends']})."
        )


def show_verdicts(capabilities: list[Shown]) -> None:
    """What the keys can do, a row a capability, and what to do about those that fail."""
    made = screen.table("capability", "works", "needed", "what was found", fluid=("what was found",))
    for each in capabilities:
        style = None if each["ok"] else "red" if each["required"] else "yellow"
        found = f"{each['detail']} → {each['hint']}" if each["hint"] else each["detail"]
        screen.row(
            made, each["name"], "yes" if each["ok"] else "no", "yes" if each["required"] else "", found, style=style
        )
    screen.show(made)


def _test(tested: Shown, *, as_json: bool) -> None:
    if as_json:
        screen.say_json(tested)
    else:
        show_verdicts(tested["capabilities"])
        if tested["ok"]:
            screen.say("These keys are enough to connect.")
    if not tested["ok"]:
        raise Stop(
            FAILED, "" if as_json else "These keys are not enough to connect; the lines marked `no` and `yes` say why."
        )
