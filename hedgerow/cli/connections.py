"""`hedgerow connections`: look at connections, and change them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.connect import say_where_sdks_point, show_verdicts
from hedgerow.cli.keys import posthog_keys
from hedgerow.cli.options import ConnectionArgument, JsonOption, ThatConnectionArgument
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown

connections = typer.Typer()
# Minutes as people write them; what is too slow or too fast is the server's to say.
_MINUTES = re.compile(r"[0-9]{1,9}")


@connections.callback(invoke_without_command=True)
def begin(context: typer.Context, as_json: JsonOption = False) -> None:
    """List connections; change them.

    Without a verb, the list.
    """
    if context.invoked_subcommand is None:
        list_connections(as_json=as_json)
    elif as_json:
        raise Stop(USAGE, "--json belongs after the verb.", hint="For example: hedgerow connections list --json")


@connections.command("list")
def list_connections(as_json: JsonOption = False) -> None:
    """Every connection, and how it is doing.

    With why there is no data, or why it is old.
    """
    server = tenant_server()
    items = server.pages("/v1/connections")
    first = server.get("/v1/connections", limit=1).get("first")
    if as_json:
        return screen.say_json({"first": first, "items": items, "next_cursor": None})
    if first:
        screen.say(f"{first['detail']} → {first['hint']}")
    made = screen.table("connection", "name", "state", "project", "host", "diagnosis", fluid=("name", "diagnosis"))
    for each in items:
        screen.row(
            made, each["id"], each["name"], each["state"], each.get("project_id"), each["host"], _diagnosis(each)
        )
    return screen.show(made)


@connections.command("show")
def show_connection(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """One connection: state, capabilities, schedule, diagnosis."""
    server = tenant_server()
    _show(server.url, server.get(f"/v1/connections/{the_connection(server, connection)}"), as_json=as_json)


@connections.command("rename")
def rename(
    connection: ThatConnectionArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it from now on.")],
    as_json: JsonOption = False,
) -> None:
    """Give a connection another name."""
    _change(connection, {"name": name}, as_json=as_json)


@connections.command("rotate")
def rotate(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """Replace a key.

    The new one is tested first; it comes from the environment, standard input or a prompt.
    """
    keys = posthog_keys().fields()
    if not keys:
        raise Stop(
            USAGE, "No PostHog key was given.", hint="Give the new personal API key, the new project token, or both."
        )
    _change(connection, keys, as_json=as_json)


@connections.command("slow")
def slow(
    connection: ThatConnectionArgument,
    every: Annotated[
        str,
        typer.Option(
            metavar="MINUTES", help="Minutes between two syncs, such as 360; `tier` goes back to the tier's schedule."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Sync less often than the tier would; never more often."""
    if every != "tier" and not _MINUTES.fullmatch(every):
        raise Stop(USAGE, f"--every: {every!r} is neither minutes nor `tier`.")
    _change(connection, {"every": None if every == "tier" else int(every)}, as_json=as_json)


@connections.command("pin")
def pin(
    connection: ThatConnectionArgument,
    events: Annotated[
        list[str] | None, typer.Argument(metavar="EVENT", help="The events to keep a series of; none unpins all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Keep series of these custom events, however rare they are."""
    _change(connection, {"events": events or []}, as_json=as_json)


@connections.command("pause")
def pause(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """Stop syncing until `resume`; the keys and the history stay."""
    server = tenant_server()
    _show(server.url, server.post(f"/v1/connections/{the_connection(server, connection)}/pause"), as_json=as_json)


@connections.command("resume")
def resume(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """Go on syncing."""
    server = tenant_server()
    _show(server.url, server.post(f"/v1/connections/{the_connection(server, connection)}/resume"), as_json=as_json)


def _change(connection: str | None, fields: Shown, *, as_json: bool) -> None:
    server = tenant_server()
    _show(server.url, server.patch(f"/v1/connections/{the_connection(server, connection)}", fields), as_json=as_json)


def _key(connection: Shown) -> str:
    if not connection["has_personal_api_key"]:
        return "none"
    # A server of an older release does not say since when.
    given = screen.instant(connection.get("key_since"))
    return f"in the vault, given {given}" if given else "in the vault"


def _show(url: str, connection: Shown, *, as_json: bool) -> None:
    if as_json:
        return screen.say_json(connection)
    screen.say(f"{connection['name']} ({connection['id']}): {connection['state']}")
    screen.say(f"  {_diagnosis(connection)}")
    made = screen.table("", "value", fluid=("value",), has_header=False)
    for label, field in (("host", "host"), ("project", "project_id"), ("time zone", "timezone"), ("tier", "tier")):
        screen.row(made, f"  {label}", connection[field] or "none")
    for label, field in (("last success", "last_success_at"), ("next sync due", "due_at")):
        screen.row(made, f"  {label}", screen.instant(connection[field]) or "none")
    screen.row(made, "  personal API key", _key(connection))
    screen.row(made, "  pinned events", ", ".join(connection["events"]) or "none")
    screen.show(made)
    say_where_sdks_point(url, connection)
    if connection["state"] != "disconnected":
        show_verdicts(connection["capabilities"])
    return None


def _diagnosis(connection: Shown) -> str:
    diagnosis = connection["diagnosis"]
    said = " ".join(diagnosis[part] for part in ("detail", "hint") if diagnosis[part])
    return f"{said} → {diagnosis['command']}" if diagnosis["command"] else said
