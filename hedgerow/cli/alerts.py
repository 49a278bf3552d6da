"""`hedgerow alerts`: a connection's alert rules: listed, made from templates or a file, shown, snoozed, removed, back-tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.alerts_backtest import backtest
from hedgerow.cli.calls import in_path, tenant_server, the_connection
from hedgerow.cli.options import ConnectionArgument, ConnectionOption, JsonOption, VerbByDefault
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from hedgerow.cli.calls import Server, Shown


class ListByDefault(VerbByDefault):
    """`alerts` is `alerts list`."""

    verb = "list"


alerts = typer.Typer(
    cls=ListByDefault,
    help="Rules that watch your numbers and tell you in chat. Without a verb, how each stands.",
)
alerts.command("backtest")(backtest)
RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help="The rule's name or id.")]


@alerts.command("list")
def list_rules(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """Every rule, and where it stands."""
    server = tenant_server()
    found = server.get(f"/v1/connections/{the_connection(server, connection)}/rules")
    if as_json:
        return screen.say_json(found)
    made = screen.table("rule", "state", "at its last look", fluid=("at its last look",))
    for rule in found["items"]:
        for state, sentence in _standings(rule):
            screen.row(made, rule["name"], state, sentence)
    return screen.show(made)


@alerts.command("templates")
def list_templates(as_json: JsonOption = False) -> None:
    """What `hedgerow alerts add` can make, and what may be set."""
    found = tenant_server().get("/v1/alerts/templates")
    if as_json:
        return screen.say_json(found)
    for each in found["items"]:
        screen.say(f"{each['name']}: {each['about']}")
        settings = ", ".join(f"{name}={'…' if value is None else value}" for name, value in each["settings"].items())
        screen.say(f"    --set {settings}" if settings else "    nothing to set")
    return None


@alerts.command("add")
def add(
    template: Annotated[
        str | None,
        typer.Argument(metavar="TEMPLATE", help="A template's name; `hedgerow alerts templates` lists them."),
    ] = None,
    connection: ConnectionOption = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A rule as JSON, instead of a template.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the rule.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the template; repeat it.")
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANNEL", help="Where to tell; repeat it. Without it, the default channel."),
    ] = None,
    severity: Annotated[str | None, typer.Option(metavar="SEVERITY", help="info, warning or critical.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a rule, and hear what it would have done in the last 90 days."""
    if (template is None) == (file is None):
        raise Stop(USAGE, "Give a template, or --file.", hint="For example: hedgerow alerts add dau_drop")
    beside = {"name": name, "channels": channel, "severity": severity}
    wanted: Shown = {key: value for key, value in beside.items() if value}
    if file is not None:
        wanted = {**_read(file), **wanted}
    else:
        wanted |= {"template": template, "set": _settings(settings or [])}
    server = tenant_server()
    saved = server.post(f"/v1/connections/{the_connection(server, connection)}/rules", wanted)
    if as_json:
        return screen.say_json(saved)
    screen.say(f"{saved['name']} is {saved['id']}.")
    return _say_saved(saved)


@alerts.command("show")
def show(rule: RuleArgument, connection: ConnectionOption = None, as_json: JsonOption = False) -> None:
    """One rule: what it looks at, how, how late it can be, where it stands."""
    server = tenant_server()
    path = _path(server, connection, rule)
    found = server.get(path)
    if as_json:
        return screen.say_json(found)
    screen.say(f"{found['name']} ({found['id']}), {found['severity']}{'' if found['enabled'] else ', switched off'}")
    for part in ("series", "condition", "policy"):
        screen.say(f"  {part}: {json.dumps(_said(found[part]), ensure_ascii=False)}")
    screen.say(f"  {found['late']}")
    if found["snoozed_until"]:
        screen.say(f"  Snoozed until {screen.instant(found['snoozed_until'])} UTC.")
    for state, sentence in _standings(found):
        screen.say(f"  {state}: {sentence}")
    return None


@alerts.command("snooze")
def snooze(
    rule: RuleArgument,
    minutes: Annotated[int, typer.Option(metavar="MINUTES", min=0, max=43_200, help="For how long; 0 ends it.")] = 60,
    connection: ConnectionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Quiet a rule for a while."""
    server = tenant_server()
    found = server.post(f"{_path(server, connection, rule)}/snooze", {"minutes": minutes})
    if as_json:
        return screen.say_json(found)
    until = found["snoozed_until"]
    screen.say(
        f"{found['name']} is quiet until {screen.instant(until)} UTC." if until else f"{found['name']} tells again."
    )
    return None


@alerts.command("change")
def change(
    rule: RuleArgument,
    connection: ConnectionOption = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="The whole rule as JSON, instead of single changes.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call it from now on.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the condition, such as percent=25; repeat it."),
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="CHANNEL", help="Where to tell; repeat it. Replaces the list.")
    ] = None,
    severity: Annotated[str | None, typer.Option(metavar="SEVERITY", help="info, warning or critical.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Judge it, or not.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is named of a rule; everything else stays."""
    server = tenant_server()
    path = _path(server, connection, rule)
    if file is not None:
        wanted = _read(file)
    else:
        found = server.get(path)
        fields = ("name", "series", "condition", "policy", "severity", "channels", "enabled")
        wanted = {field: found[field] for field in fields}
        wanted["condition"] = {**found["condition"], **_settings(settings or [], numbers=True)}
    beside = {"name": name, "channels": channel, "severity": severity, "enabled": on}
    wanted |= {field: value for field, value in beside.items() if value is not None}
    saved = server.put(path, wanted)
    if as_json:
        return screen.say_json(saved)
    screen.say(f"{saved['name']} is changed.")
    return _say_saved(saved)


@alerts.command("remove")
def remove(rule: RuleArgument, connection: ConnectionOption = None) -> None:
    """Take a rule away; an incident it has open is resolved."""
    server = tenant_server()
    server.delete(_path(server, connection, rule))
    screen.say("Removed.")


def _standings(rule: Shown) -> list[tuple[str, str]]:
    """A line for each value of a breakdown: the state in a word, the newest sentence."""
    if not rule["enabled"]:
        return [("off", "")]
    lines = []
    for each in rule["standing"]:
        last = each["last"]
        state = (
            "incident" if each["phase"] == "open" else (last["state"].replace("_", " ") if last else "not judged yet")
        )
        lines.append((state, last["sentence"] if last else ""))
    if not lines and rule["template"] == "health":
        return [("well", rule["late"])]  # What is well leaves no record.
    return lines or [("not judged yet", rule["late"])]


def _say_saved(saved: Shown) -> None:
    for field in ("forecast", "late", "told"):
        screen.say(saved[field])
    if saved["backfill_run_id"]:
        screen.say("The last 30 days of what it looks at are being fetched: hedgerow runs")


def _said(part: Shown) -> Shown:
    return {name: value for name, value in part.items() if value not in (None, [], False)}


def _settings(given: list[str], *, numbers: bool = False) -> Shown:
    pairs: Shown = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise Stop(USAGE, f"--set: {each!r} is not KEY=VALUE.", hint="For example: --set percent=30")
        pairs[name] = _as_number(value) if numbers else value
    return pairs


def _as_number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _read(file: Path) -> Shown:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Stop(USAGE, f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Stop(USAGE, f"{file} is not JSON: {error}.") from None
    if not isinstance(read, dict):
        raise Stop(USAGE, f"{file} holds no JSON object.")
    return read


def _path(server: Server, connection: str | None, rule: str) -> str:
    """The rule's path, found by its name where no id was given."""
    rules = f"/v1/connections/{the_connection(server, connection)}/rules"
    if rule.startswith("rule_"):
        return f"{rules}/{in_path(rule)}"
    named = [each for each in server.get(rules)["items"] if each["name"] == rule]
    if not named:
        raise Stop(USAGE, f"There is no rule {rule!r}.", hint="`hedgerow alerts` lists them.")
    return f"{rules}/{in_path(named[0]['id'])}"
