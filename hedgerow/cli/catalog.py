"""`hedgerow catalog`: the event catalogue as a file in your repository, checked in CI, and as typed functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server, the_connection
from hedgerow.cli.catalog_files import CATALOG_FILE, Line, read_catalog, read_events, write, write_catalog
from hedgerow.cli.options import ConnectionArgument, JsonOption
from hedgerow.cli.stops import FAILED, USAGE, Stop

if TYPE_CHECKING:
    from functions.capture.catalogue.catalog_checking import CatalogVerdict, Checker
    from hedgerow.capture_rules import CatalogRules
    from hedgerow.cli.calls import Shown

catalog = typer.Typer(no_args_is_help=True, help="Which events there are, and what they carry.")
FileOption = Annotated[Path, typer.Option("--file", metavar="FILE", help="The catalogue's file.")]


@catalog.command("show")
def show(
    connection: ConnectionArgument = None,
    version: Annotated[int | None, typer.Option(metavar="NUMBER", help="A former version.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The catalogue that stands."""
    server = tenant_server()
    found = server.get(f"/v1/connections/{the_connection(server, connection)}/catalog", version=version)
    if as_json:
        return screen.say_json(found)
    whose = "the shipped one" if found["default"] else f"changed {screen.instant(found['updated_at'])} UTC"
    screen.say(f"Version {found['version']}, {whose}; naming: {found['naming']}; unknown events: {found['unknown']}")
    made = screen.table("event", "policy", "properties (* required)", "owner", fluid=("properties (* required)",))
    for event in found["events"]:
        listed = ", ".join(
            f"{name}{'*' if rule.get('required') else ''}: {_values(rule)}"
            for name, rule in event["properties"].items()
        )
        screen.row(made, event["name"], event["policy"], listed, event.get("owner"))
    return screen.show(made)


@catalog.command("report")
def report(connection: ConnectionArgument = None, as_json: JsonOption = False) -> None:
    """What broke it in the last 30 days.

    Unknown events and what they resemble, violations, what is missing, how names are made.
    """
    server = tenant_server()
    found = server.get(f"/v1/connections/{the_connection(server, connection)}/catalog/report")
    if as_json:
        return screen.say_json(found)
    screen.say(f"{found['from']} to {found['to']} ({found['zone']}), catalogue version {found['version']}")
    made = screen.table("what", "events", "last day", "detail", right=("events",), fluid=("detail",))
    for each in found["unknown"]:
        meant = f"looks like {each['looks_like']}" if each["looks_like"] else ""
        screen.row(made, f"unknown: {each['name']}", each["events"], max(each["days"]), meant)
    for word, listed in (("violated", found["violations"]), ("unlisted", found["unlisted"])):
        for each in listed:
            detail = ", ".join(f"{name} {number}×" for name, number in each["words"].items())
            screen.row(made, f"{word}: {each['event']}", each["events"], max(each["days"]), detail)
    for each in found["missing"]:
        screen.row(
            made, f"missing: {each['property']}", each["events"], max(each["days"]), f"recommended {each['where']}"
        )
    if made.rows:
        screen.show(made)
    else:
        screen.say("Nothing broke it.")
    naming = found["naming"]
    if naming["follows"]:
        screen.say(f"{naming['share']:.0%} of {naming['names']} names follow {naming['follows']}.")
    return None


@catalog.command("pull")
def pull(
    connection: ConnectionArgument = None,
    file: FileOption = CATALOG_FILE,
    stored: Annotated[
        bool, typer.Option("--stored", help="Take what Hedgerow has stored only; PostHog is not asked.")
    ] = False,
) -> None:
    """Learn it from PostHog into the file.

    From its definitions and recent events. What the file says already stays as it is.
    """
    from functions.capture.catalogue import catalog_learning, catalog_shape

    server = tenant_server()
    path = f"/v1/connections/{the_connection(server, connection)}/catalog"
    if stored:
        document = server.get(path)
    else:
        found = server.post(f"{path}/learn")
        document = found["catalog"]
        for note in found["notes"]:
            screen.warn(note)
    form = catalog_shape.read(document)
    theirs = catalog_shape.rules_of(form, form.version or 1)
    mine = read_catalog(file) if file.exists() else theirs
    merged = catalog_learning.merge(mine, theirs.events).model_copy(update={"version": theirs.version})
    write_catalog(file, merged)
    before = {rule.name for rule in mine.events} if mine is not theirs else set()
    added = [rule.name for rule in merged.events if rule.name not in before]
    screen.say(f"{file}: {len(merged.events)} events, made from version {merged.version}.")
    for name in added:
        screen.say(f"  + {name}")


@catalog.command("push")
def push(connection: ConnectionArgument = None, file: FileOption = CATALOG_FILE) -> None:
    """Put the file in the place of the version it was made from."""
    from functions.capture.catalogue import catalog_shape

    rules = read_catalog(file)
    server = tenant_server()
    document = catalog_shape.document_of(rules)
    if rules.version == 0:
        raise Stop(USAGE, f"{file} names no `version`.", hint="hedgerow catalog pull --stored writes it into the file.")
    answer = server.put(f"/v1/connections/{the_connection(server, connection)}/catalog", document)
    write_catalog(file, rules.model_copy(update={"version": answer["version"]}))
    said = "Nothing differs; version" if answer["version"] == rules.version else "Version"
    screen.say(f"{said} {answer['version']} stands: {len(answer['events'])} events.")


@catalog.command("check")
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Events as JSON lines, a list, or a batch.")
    ] = None,
    file: FileOption = CATALOG_FILE,
    connection: Annotated[
        str | None, typer.Option(metavar="CON", help="Check against this connection's catalogue instead of the file.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="An unknown event is a violation too.")] = False,
) -> None:
    """Check the catalogue, and files of events against it.

    For CI: without a server unless --connection is given; exit 1 on violations.
    """
    from functions.capture.catalogue.catalog_checking import Checker

    rules = _rules(file, connection)
    _resemblances(rules)
    lines = [line for each in files or () for line in read_events(each)]
    checker = Checker(rules)
    broken = sum(_is_broken(line, checker, strict=strict) for line in lines)
    if files:
        screen.say(f"{len(lines)} events checked against version {rules.version}: {broken or 'none'} broke it.")
    else:
        screen.say(f"{len(rules.events)} events: the catalogue is sound.")
    if broken:
        raise Stop(FAILED)


@catalog.command("types")
def types(
    python: Annotated[Path | None, typer.Option(metavar="OUT", help="The Python module to write; - prints it.")] = None,
    typescript: Annotated[
        Path | None, typer.Option(metavar="OUT", help="The TypeScript module to write; - prints it.")
    ] = None,
    file: FileOption = CATALOG_FILE,
    connection: Annotated[
        str | None, typer.Option(metavar="CON", help="Take this connection's catalogue instead of the file.")
    ] = None,
) -> None:
    """Write a typed function for every event."""
    from functions.capture.catalogue.catalog_python import python_of
    from functions.capture.catalogue.catalog_typescript import typescript_of

    if python is None and typescript is None:
        raise Stop(USAGE, "Say which language.", hint="hedgerow catalog types --python events.py")
    rules = _rules(file, connection)
    for out, text in ((python, python_of), (typescript, typescript_of)):
        if out == Path("-"):
            typer.echo(text(rules), nl=False)
        elif out is not None:
            write(out, text(rules))
            screen.say(f"{out}: {len(rules.events)} events of version {rules.version}.")


def _rules(file: Path, connection: str | None) -> CatalogRules:
    """The file's catalogue, or the one that stands for the connection."""
    if connection is None:
        return read_catalog(file)
    from functions.capture.catalogue import catalog_shape

    server = tenant_server()
    found = server.get(f"/v1/connections/{the_connection(server, connection)}/catalog")
    form = catalog_shape.read(found)
    return catalog_shape.rules_of(form, form.version or 1)


def _resemblances(rules: CatalogRules) -> None:
    from functions.capture.catalogue.naming import lookalike

    names = [rule.name for rule in rules.events]
    for place, name in enumerate(names):
        if meant := lookalike(name, names[:place]):
            screen.warn(f"{name} and {meant} are both in the catalogue; are they one event?")


def _is_broken(line: Line, checker: Checker, *, strict: bool) -> bool:
    """Say what is wrong with one event; True when it breaks the catalogue."""
    from hedgerow.errors import InvalidError

    if line.broken:
        screen.say(f"{line.place}: {line.broken}")
        return True
    try:
        verdict = checker.verdict(line.event)
    except InvalidError:
        screen.say(f"{line.place}: has no `event`")
        return True
    if told := _told(verdict):
        screen.say(f"{line.place}: {verdict.event}: {told}")
    if not verdict.known:
        return bool(verdict.violations) and (strict or verdict.policy != "observe")
    return bool(verdict.violations)


def _told(verdict: CatalogVerdict) -> str:
    told = [verdict.detail] if verdict.detail else []
    if verdict.looks_like:
        told.append(f"it looks like {verdict.looks_like}")
    if verdict.naming:
        told.append(f"the name is not {verdict.naming}")
    return "; ".join(told)


def _values(rule: Shown) -> str:
    return "|".join(map(str, rule["enum"])) if "enum" in rule else str(rule["type"])
