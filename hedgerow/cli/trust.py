"""`hedgerow changes`, `prove` and `explain`: why a number can be believed."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, FromOption, JsonOption, ToOption
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown


def changes(
    connection: ConnectionArgument = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only what was noticed since: a date, or an instant with its zone."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Every complete day that moved afterwards.

    Old and new value, by which run, when it was noticed.
    """
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/changes"
    if as_json:
        return screen.say_json(server.get(path, since=since, limit=1000))
    items = server.pages(path, since=since)
    if not items:
        return screen.say("No day moved after it was complete.")
    for run, found in itertools.groupby(items, key=lambda item: str(item["run"])):
        moved = list(found)
        screen.say(f"Noticed {screen.instant(moved[0]['at'])} UTC by {run}, {moved[0]['reason'].replace('_', ' ')}:")
        made = screen.table("day", "metric", "was", "is", right=("was", "is"), fluid=("metric",))
        for each in sorted(moved, key=lambda item: str(item["day"])):
            screen.row(made, each["day"], each["metric"], *_old_and_new(each))
        screen.show(made)
    days = sorted({str(each["day"]) for each in items})
    return screen.say(f"{len(items)} value(s) of {len(days)} complete day(s) moved: {', '.join(days)}.")


def prove(
    connection: ConnectionArgument = None, begin: FromOption = None, to: ToOption = None, as_json: JsonOption = False
) -> None:
    """Count again in another way, and compare.

    By a query of another shape, day by day; exit 1 on a difference.
    """
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/proof"
    proof = server.get(path, **{"from": begin, "to": to})
    if as_json:
        screen.say_json(proof)
    else:
        _show_proof(proof)
    if not proof["equal"]:
        detail = proof["detail"] or "What is stored is not what PostHog counts now."
        hint = proof["hint"] or "Sync, then prove again."
        raise Stop(FAILED, "" if as_json else detail, code=proof["code"] or "", hint=hint)


def explain(
    connection: ConnectionArgument = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="The series, such as posthog_dau.")] = "posthog_dau",
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="The day, YYYY-MM-DD; the newest one when left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """One number in full.

    Its definition, the exact HogQL, the run that brought it, what moved since.
    """
    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}"
    explained = server.get(f"{path}/explain", name=name, date=date or _newest(server, path, name))
    if as_json:
        return screen.say_json(explained)
    value = screen.number(explained["value"], explained["unit"])
    state = "complete" if explained["complete"] else "not complete yet"
    screen.say(f"{explained['name']} on {explained['date']} ({explained['zone']}): {value}, {state}")
    screen.say(f"{explained['description']}: {explained['definition']}")
    run = explained["run"]
    screen.say(f"Brought by {run['id']}, which began {screen.instant(run['began_at'])} UTC.")
    if explained["query"] is not None:
        screen.say(f"\n{explained['query']['hogql']}")
        screen.say(f"with {json.dumps(explained['query']['values'], ensure_ascii=False)}")
    if explained["changes"]:
        screen.say("\nMoved after the day was complete:")
        made = screen.table("noticed", "was", "is", "by", right=("was", "is"))
        for each in explained["changes"]:
            screen.row(made, screen.instant(each["at"]), *_old_and_new(each), each["run"])
        screen.show(made)
    return None


def _newest(server: Server, path: str, name: str) -> str:
    series = server.get(f"{path}/metrics", name=(name,))["series"]
    points = [point for each in series for point in each["points"]]
    if not points:
        raise Stop(USAGE, f"{name} has no value in the last 30 days.", hint="Say --date DATE.")
    return str(points[-1]["date"])


def _show_proof(proof: Shown) -> None:
    days = f"{proof['from']} to {proof['to']} ({proof['zone']})"
    screen.say(f"{proof['compared']:,} points of {len(proof['checked'])} metrics, {days}, counted a second time.")
    for each in proof["left_out"]:
        screen.say(f"  {each['date']} was not compared: {each['why'].replace('_', ' ')}")
    if proof["equal"]:
        screen.say("Equal, day by day.", style="green")
        return
    counts = ("stored", "counted now", "difference")
    made = screen.table("day", "metric", *counts, right=counts, fluid=("metric",))
    for each in proof["days"]:
        screen.row(made, each["date"], each["metric"], each["stored"], each["counted"], each["difference"])
    if proof["days"]:
        screen.show(made)


def _old_and_new(change: Shown) -> tuple[str, str]:
    unit = change["unit"]
    return screen.number(change["old"], unit), screen.number(change["new"], unit)
