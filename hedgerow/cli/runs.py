"""`hedgerow sync` and `hedgerow runs`: ask for a sync, and see what ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import in_path, tenant_server, the_connection
from hedgerow.cli.following import follow
from hedgerow.cli.options import ConnectionArgument, FromOption, JsonAtOnceOption, JsonOption, ToOption

if TYPE_CHECKING:
    from hedgerow.cli.calls import Shown


def sync(
    connection: ConnectionArgument = None,
    begin: FromOption = None,
    to: ToOption = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not follow the run.")] = False,
    as_json: JsonAtOnceOption = False,
) -> None:
    """Sync now, and see which days moved.

    The last 7 days, or a window of up to two years.
    """
    server = tenant_server()
    id = the_connection(server, connection)
    window = {name: day for name, day in (("from", begin), ("to", to)) if day is not None}
    watched = not (as_json or no_wait)
    zone = server.get(f"/v1/connections/{id}")["timezone"] if watched else None
    run = server.post(f"/v1/connections/{id}/refresh", window)
    if as_json:
        screen.say_json(run)
    elif no_wait:
        screen.say(f"Run {run['id']} is {run['state']}: {run['from']} to {run['to']}.")
    else:
        follow(server, id, run)
        now = server.get(f"/v1/connections/{id}")["timezone"]
        if zone and now != zone:
            screen.say(f"The project's time zone changed from {zone} to {now}: days are cut in {now} from now on.")


def runs(
    connection: ConnectionArgument = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only this run, in full.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many, 1 to 1000.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """What ran, newest first.

    Window, points, days moved, requests, error with remedy. `all 9` marks the whole of a refresh that
    ran in 9 parts: its numbers are the sums of theirs.
    """
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/runs"
    if run is not None:
        answer = server.get(f"{path}/{in_path(run, 'run')}")
        items = [answer]
    else:
        answer = server.get(path, limit=limit)
        items = answer["items"]
    if as_json:
        return screen.say_json(answer)
    numbers = ("points", "days moved", "requests")
    split = ("part",) if any(each["parts"] > 1 for each in items) else ()
    columns = ("run", "kind", "state", "window", *split, *numbers, "ended (UTC)")
    # One run alone is shown in full; of many, these columns may be left out.
    spare = () if run else ("requests", "ended (UTC)", "days moved", "kind")
    made = screen.table(*columns, right=numbers, spare=spare)
    for each in items:
        window = f"{each['from']} to {each['to']}"
        part = (_part(each),) if split else ()
        cells = (
            *part,
            each["points"],
            len(each["days_changed"]),
            each["requests"],
            screen.instant(each["finished_at"]),
        )
        style = "red" if each["state"] == "failed" else None
        screen.row(made, each["id"], each["kind"], each["state"], window, *cells, style=style)
    screen.show(made)
    for each in items:
        if each["error"]:
            error = each["error"]
            screen.say(f"{each['id']}: {error['detail']} [{error['code']}] → {error['hint']}")
    if items and items[0].get("next_due_at"):
        screen.say(f"Next sync due {screen.instant(items[0]['next_due_at'])} UTC.")
    return None


def _part(run: Shown) -> str:
    """Which part of a long refresh a run is; the whole repeats what its parts did."""
    if run["parts"] == 1:
        return ""
    return f"{run['part']}/{run['parts']}" if run["part"] else f"all {run['parts']}"
