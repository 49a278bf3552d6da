"""`hedgerow alerts backtest`: what a rule would have told, of a connection through the API, or of a file without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import alerts_backtest_screen, screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.options import ConnectionOption
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from functions.alerts.backtest.files import Label
    from functions.alerts.backtest.trying import Tried
    from hedgerow.cli.calls import Server, Shown

EXAMPLE = "For example: hedgerow alerts backtest --csv sales.csv --condition anomaly"
ONLY_A_FILE = "--time-column and --value-column belong to --csv."
TIME, VALUE = "timestamp", "value"


def backtest(
    rule: Annotated[
        str | None, typer.Argument(metavar="RULE", help="The rule's name or id; leave it out with --csv.")
    ] = None,
    connection: ConnectionOption = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First day or instant.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Last day or instant, included.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Try it on a file of timestamp,value instead; - is standard input."),
    ] = None,
    time_column: Annotated[
        str, typer.Option("--time-column", metavar="NAME", help="The file's column with the times.")
    ] = TIME,
    value_column: Annotated[
        str, typer.Option("--value-column", metavar="NAME", help="The file's column with the values.")
    ] = VALUE,
    condition: Annotated[
        str | None,
        typer.Option("--condition", metavar="KIND", help="threshold, change, anomaly, no_data or new_value."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of the condition or policy, for this one try; repeat it. "
            "Of anomaly, sensitivity is the bar, in MADs: higher is calmer.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="Known incidents: a JSON list of [from, to], both included."),
    ] = None,
    nearby: Annotated[
        bool, typer.Option("--nearby", help="With --json: the forecast and the settings around it as well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """When a rule would have fired, for how long, and what to expect of it; and the same of nearby settings.

    With --csv nothing is asked of a server. Times without a zone are UTC.
    """
    if (rule is None) == (csv is None):
        raise Stop(USAGE, "Give a rule, or --csv FILE.", hint=EXAMPLE)
    if csv is None:
        if (time_column, value_column) != (TIME, VALUE):
            raise Stop(USAGE, ONLY_A_FILE, hint=EXAMPLE)
        shown = _of_rule(tenant_server(), connection, str(rule), (begin, to), labels, (condition, settings or []))
        return screen.say_json(shown) if as_json else alerts_backtest_screen.show(shown)
    if condition is None:
        raise Stop(USAGE, "--csv needs --condition KIND.", hint=EXAMPLE)
    columns = (time_column, value_column)
    tried = _of_file(csv, columns, condition, settings or [], labels, (begin, to), wants_nearby=nearby or not as_json)
    from functions.alerts.backtest import shapes

    whole: Shown = shapes.report_shape(tried.report, tried.forecast, tried.nearby).model_dump(mode="json")
    if not as_json:
        return alerts_backtest_screen.show(whole)
    for remark in tried.report.remarks:
        screen.warn(remark)
    brief = shapes.brief(tried.report)
    return screen.say_json({**brief, "forecast": whole["forecast"], "nearby": whole["nearby"]} if nearby else brief)


def _of_rule(
    server: Server,
    connection: str | None,
    rule: str,
    span: tuple[str | None, str | None],
    labels: Path | None,
    wish: tuple[str | None, list[str]],
) -> Shown:
    its_connection = the_connection(server, connection)
    rules = server.get(f"/v1/connections/{its_connection}/rules")["items"]
    found = next((each for each in rules if rule in (each["id"], each["name"])), None)
    if found is None:
        raise Stop(USAGE, f"There is no rule {rule!r}.", hint="`hedgerow alerts` lists them.")
    wanted: Shown = {"connection": its_connection, "rule": found["id"], "from": span[0], "to": span[1], "nearby": True}
    if wish[0] is not None or wish[1]:
        wanted |= _other_settings(found, *wish)
    if labels is not None:
        from functions.alerts.backtest.shapes import iso

        wanted["labels"] = [[iso(label.begin), iso(label.to)] for label in _labels(labels)]
    return server.post("/v1/alerts/backtest", {name: each for name, each in wanted.items() if each is not None})


def _other_settings(rule: Shown, kind: str | None, settings: list[str]) -> Shown:
    """The rule's condition and policy with what was set of them, for one try: the rule stays as it is."""
    from functions.alerts.backtest.wishes import saved, wished
    from hedgerow.errors import InvalidError

    try:
        own, policy = saved(rule["condition"], rule["policy"])
        condition, policy = wished(kind or own.kind, settings, own, policy)
    except InvalidError as wrong:
        raise Stop(USAGE, wrong.detail, hint=wrong.hint) from None
    return {"condition": condition.model_dump(mode="json"), "policy": policy.model_dump(mode="json")}


def _of_file(
    csv: Path,
    columns: tuple[str, str],
    kind: str,
    settings: list[str],
    labels: Path | None,
    span: tuple[str | None, str | None],
    *,
    wants_nearby: bool,
) -> Tried:
    from functions.alerts.backtest import offline
    from functions.alerts.backtest.nearby import MOST_SETTINGS
    from functions.alerts.backtest.wishes import wished
    from hedgerow.errors import InvalidError

    try:
        condition, policy = wished(kind, settings)
        begin, to = offline.span_of(*span)
    except InvalidError as wrong:
        raise Stop(USAGE, wrong.detail, hint=wrong.hint) from None
    known = _labels(labels) if labels is not None else ()
    try:
        return offline.try_file(
            csv,
            condition,
            policy,
            labels=known,
            begin=begin,
            to=to,
            settings=MOST_SETTINGS if wants_nearby else 0,
            columns=columns,
        )
    except InvalidError as wrong:
        raise Stop(FAILED, wrong.detail, code=wrong.code, hint=wrong.hint) from None


def _labels(file: Path) -> tuple[Label, ...]:
    from functions.alerts.backtest.files import read_labels
    from hedgerow.errors import InvalidError

    try:
        return read_labels(file)
    except InvalidError as wrong:
        raise Stop(FAILED, wrong.detail, code=wrong.code, hint=wrong.hint) from None
