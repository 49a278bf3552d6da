"""`hedgerow plan`, `apply`, `export`, `schema`: rules, channels, catalogue and names as a file in your repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.calls import tenant_server
from hedgerow.cli.options import YesOption
from hedgerow.cli.questions import confirm
from hedgerow.cli.stops import FAILED

if TYPE_CHECKING:
    from hedgerow.cli.applying import Plan

FileOption = Annotated[Path, typer.Option("-f", "--file", metavar="FILE", help="What is stated.")]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Remove what the server has and the file has not: rules and channels.")
]
STATED_FILE = Path("hedgerow.yaml")


def plan(
    file: FileOption = STATED_FILE,
    prune: PruneOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where something would be done, for CI.")] = False,
) -> None:
    """Show how the server differs from a file.

    What would be added, changed and, with --prune, removed. Nothing is changed.
    """
    from hedgerow.cli import applying

    made = applying.plan(tenant_server(), file, prune=prune)
    _say(made)
    if check and made.doing:
        raise typer.Exit(FAILED)


def apply(file: FileOption = STATED_FILE, prune: PruneOption = False, yes: YesOption = False) -> None:
    """Make the server as a file states.

    Rules, channels, the catalogue, names and pinned events. Shows the plan and asks first.
    Applied again, it changes nothing.
    """
    from hedgerow.cli import applying

    server = tenant_server()
    made = applying.plan(server, file, prune=prune)
    _say(made)
    if not made.doing:
        return
    if not yes:
        confirm("Apply this?")
    for line in applying.carry_out(server, made):
        screen.say(line)


def export(
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="FILE", help="Write there instead of on the screen.")
    ] = None,
) -> None:
    """Write what the server has as a file for `hedgerow apply`.

    Secrets are left out: a variable's name stands where each belongs.
    """
    from hedgerow.cli import exporting
    from hedgerow.cli.catalog_files import write

    text = exporting.text_of(exporting.export(tenant_server()))
    if file is None:
        sys.stdout.write(text)
        return
    write(file, text)
    screen.say(f"Written to {file}.")


def schema() -> None:
    """Print the JSON Schema of hedgerow.yaml, for editors."""
    from hedgerow.cli import stated

    screen.say_json(stated.schema())


def _say(made: Plan) -> None:
    for line in made.remarks:
        screen.warn(line)
    for each in made.doing:
        screen.say(each.title(made.names.get(each.owner, "")))
        for line in each.changes:
            screen.say(f"    {line}")
    for each in made.strays:
        screen.say(f"  {each.title(made.names.get(each.owner, ''))[2:]}; it stays (--prune removes it)")
    if not made.doing:
        screen.say("The server is as the file states.")
        return
    counts = {sign: sum(each.sign == sign for each in made.doing) for sign in "+~-"}
    screen.say(f"{counts['+']} to add, {counts['~']} to change, {counts['-']} to remove.")
