"""`hedgerow metrics`: what was synced, as a table with sparklines, day by day, as CSV or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, FromOption, JsonOption, ToOption
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown

TREND_DAYS = (7, 30)
NUMBERS_COLUMNS = 44


def metrics(
    connection: ConnectionArgument = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A series; repeat it for more. One alone is shown day by day."),
    ] = None,
    begin: FromOption = None,
    to: ToOption = None,
    catalog: Annotated[bool, typer.Option("--catalog", help="What each metric means, instead of values.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the API's CSV as it is.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Daily metrics, from what was synced."""
    if csv and as_json:
        raise Stop(USAGE, "--csv and --json exclude each other.")
    server = tenant_server()
    if catalog:
        return _catalog(server, as_json=as_json)
    path = f"/v1/connections/{the_connection(server, connection)}/metrics"
    query: Shown = {"name": tuple(name or ()), "from": begin, "to": to}
    if csv:
        screen.say_csv(server.text(path, "text/csv", **query))
        # CSV has no place for a remark, and rows of two zones look like one series.
        return _warn_of_zones(server.get(path, **query))
    answer = server.get(path, **query)
    if as_json:
        return screen.say_json(answer)
    series = answer["series"]
    if len(series) == 1 and name:
        _day_by_day(series[0])
    else:
        _overview(series)
    if zones := _zones(answer):
        screen.say(zones)
    return None


def _overview(series: list[Shown]) -> None:
    days = sorted({point["date"] for each in series for point in each["points"]})
    if not days:
        return screen.say("Nothing was synced for these days yet. → hedgerow sync, then hedgerow connections show")
    shown = days[-_trend_days(series) :]
    today = next((day for day in reversed(days) if not _is_complete(series, day)), None)
    numbers = ("latest", "average", "highest") + (("today*",) if today else ())
    trend = "" if shown[0] == days[0] else f", the trend since {shown[0]}"
    screen.say(f"{days[0]} to {days[-1]}{trend}")
    made = screen.table("metric", "trend", *numbers, right=numbers, fluid=("metric",))
    for each in series:
        by_day = {point["date"]: point for point in each["points"]}
        line = screen.sparkline([by_day[day]["value"] if day in by_day else None for day in shown])
        whole = [point["value"] for point in each["points"] if point["complete"] and point["value"] is not None]
        average = sum(whole) / len(whole) if whole else None
        values = [whole[-1] if whole else None, average, max(whole, default=None)]
        if today:
            values.append(by_day[today]["value"] if today in by_day else None)
        screen.row(made, each["name"], line, *(screen.number(value, each["unit"]) for value in values))
    screen.show(made)
    if today:
        screen.say(
            f"* {today} is not complete: it had not closed when it was synced. `latest` is the last complete day."
        )
    return None


def _trend_days(series: list[Shown]) -> int:
    """As many days as fit a line beside the names and numbers."""
    names = max(len(each["name"]) for each in series)
    least, most = TREND_DAYS
    return max(least, min(most, screen.console().width - names - NUMBERS_COLUMNS))


def _day_by_day(series: Shown) -> None:
    made = screen.table("day", series["name"], "", right=(series["name"],))
    for point in series["points"]:
        mark = "" if point["complete"] else "not complete yet"
        screen.row(made, point["date"], screen.number(point["value"], series["unit"]), mark)
    screen.show(made)
    screen.say(screen.sparkline([point["value"] for point in series["points"]]))


def _catalog(server: Server, *, as_json: bool) -> None:
    answer = server.get("/v1/metrics/catalog")
    if as_json:
        return screen.say_json(answer)
    for each in answer["items"]:
        screen.say(f"{each['name']} ({each['unit']}): {each['description']}")
        screen.say(f"    {each['definition']}")
    return None


def _zones(answer: Shown) -> str:
    """What must be known before days of different zones are joined; empty when there is one zone."""
    spans = answer["zones"]
    if len(spans) < 2:
        return ""
    cut = ", ".join(f"{span['from']} to {span['to']} in {span['zone']}" for span in spans)
    return f"These days were cut in more than one time zone and should not be joined unseen: {cut}."


def _warn_of_zones(answer: Shown) -> None:
    if zones := _zones(answer):
        screen.warn(zones)


def _is_complete(series: list[Shown], day: str) -> bool:
    points = [point for each in series for point in each["points"] if point["date"] == day]
    return all(point["complete"] for point in points)
