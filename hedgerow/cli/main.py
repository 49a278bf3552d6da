"""The `hedgerow` command: its verbs, and how an early end becomes an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hedgerow import __version__
from hedgerow.cli import screen
from hedgerow.cli.alerts import alerts
from hedgerow.cli.apply import apply, export, plan, schema
from hedgerow.cli.books import event, reconcile
from hedgerow.cli.catalog import catalog
from hedgerow.cli.channels import channels
from hedgerow.cli.connect import connect
from hedgerow.cli.connections import connections
from hedgerow.cli.cost import cost
from hedgerow.cli.dead import dead
from hedgerow.cli.disconnect import disconnect
from hedgerow.cli.doctor import doctor
from hedgerow.cli.guards import guards
from hedgerow.cli.incidents import incidents
from hedgerow.cli.keys import refuse_on_command_line
from hedgerow.cli.laptop import dev, posthog
from hedgerow.cli.metrics import metrics
from hedgerow.cli.moving import export_data, import_data, upgrade_data
from hedgerow.cli.operator import tenants, tick
from hedgerow.cli.outbox import outbox
from hedgerow.cli.runs import runs, sync
from hedgerow.cli.schedules import schedules
from hedgerow.cli.screen import accept_any_encoding, complain
from hedgerow.cli.stops import Stop
from hedgerow.cli.trust import changes, explain, prove
from hedgerow.cli.webhooks import activity, webhooks

HELP = """PostHog wired into everything else a company runs.

Commands speak to HEDGEROW_URL (http://127.0.0.1:8080 when unset) with HEDGEROW_API_KEY;
tick and tenants with HEDGEROW_ADMIN_KEY. Keys are never arguments. The operator's doctor,
dead, schedules, export-data, import-data and upgrade-data need no server: they work on the
folder (--data) or the project that HEDGEROW_* variables name.

Exit codes: 0 done, 1 the thing failed, 2 wrong usage, 3 cannot reach the server, 4 refused."""

COMMANDS = (
    dev,
    posthog,
    tick,
    connect,
    sync,
    metrics,
    runs,
    changes,
    prove,
    explain,
    event,
    reconcile,
    activity,
    plan,
    apply,
    export,
    schema,
    disconnect,
    doctor,
    cost,
    export_data,
    import_data,
    upgrade_data,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        screen.say(f"hedgerow {__version__}")
        raise typer.Exit


def begin(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """What comes before every verb."""


def command() -> typer.Typer:
    """The command with all its verbs."""
    made = typer.Typer(
        name="hedgerow",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    made.callback()(begin)
    for verb in COMMANDS:
        made.command()(verb)
    made.add_typer(tenants, name="tenants")
    made.add_typer(connections, name="connections")
    made.add_typer(alerts, name="alerts")
    made.add_typer(incidents, name="incidents")
    made.add_typer(channels, name="channels")
    made.add_typer(webhooks, name="webhooks")
    made.add_typer(catalog, name="catalog")
    made.add_typer(guards, name="guards")
    made.add_typer(outbox, name="outbox")
    made.add_typer(dead, name="dead")
    made.add_typer(schedules, name="schedules")
    return made


def main() -> int:
    """Run the command of `sys.argv`; the answer is the exit code."""
    accept_any_encoding()
    try:
        refuse_on_command_line(sys.argv[1:])
        command()(prog_name="hedgerow")
    except Stop as stop:
        complain(stop)
        return stop.exit_code
    return 0
