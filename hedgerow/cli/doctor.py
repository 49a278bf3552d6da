"""`hedgerow doctor`: what is wrong with an installation, since when, and the command that mends it.

In process, with the operator's own rights, and over HEDGEROW_URL where a server answers.
Exit codes: 0 nothing is wrong, 1 there are problems, 3 the store cannot be reached.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.environment import environment, names_beginning
from hedgerow.cli.in_process import DataOption, stop_of
from hedgerow.cli.options import JsonOption
from hedgerow.cli.stops import Stop

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.cli.calls import Shown
    from hedgerow.cli.operations.doctor.findings import Finding, Report

STYLES = {"problem": "red", "warning": "yellow", "unknown": "magenta", "ok": None}


def doctor(
    verbose: Annotated[bool, typer.Option("--verbose", help="List what is fine, too.")] = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """What is wrong, since when, and the command that mends it.

    Looks at settings, store, vault, queue, schedules, connections, outbox and server.
    """
    report = _report(data)
    if as_json:
        screen.say_json(_shown(report))
    else:
        _say(report, verbose=verbose)
    if report.exit_code:
        raise Stop(report.exit_code)


def _report(data: DataOption) -> Report:
    from hedgerow.cli.operations.doctor.visiting import visit
    from hedgerow.cli.operations.installation import read_settings
    from hedgerow.errors import HedgerowError

    here = environment()
    try:
        settings = read_settings(data)
    except HedgerowError as error:
        raise stop_of(error) from error
    admin_key = here.admin_key or (settings.admin_key.get_secret_value() if settings.admin_key else "")
    variables = names_beginning("HEDGEROW_")
    return asyncio.run(visit(settings, url=here.url, admin_key=admin_key, variables=variables))


def _say(report: Report, *, verbose: bool) -> None:
    fine = report.of("ok")
    for each in report.findings:
        if each.severity != "ok":
            _say_finding(each, report.at)
    if verbose:
        for each in fine:
            screen.say(f"ok       {each.subject}: {each.what}", STYLES["ok"])
    counts = [
        screen.counted(number, noun)
        for number, noun in ((len(report.of("problem")), "problem"), (len(report.of("warning")), "warning"))
        if number
    ]
    if unseen := len(report.of("unknown")):
        counts.append(f"{screen.counted(unseen, 'area')} not seen")
    areas = ", ".join(each.subject for each in fine)
    screen.say(f"{', '.join(counts) or 'Nothing is wrong'}. Fine: {areas or 'nothing'}.")


def _say_finding(finding: Finding, now: datetime) -> None:
    since = "" if finding.since is None else f" Since {_since(finding.since, now)}."
    what = finding.what if finding.what.endswith((".", "?", "!")) else f"{finding.what}."
    screen.say(f"{finding.severity:<8} {finding.subject}: {what}{since} [{finding.code}]", STYLES[finding.severity])
    if finding.command:
        screen.say(f"         → {finding.command}")


def _since(since: datetime, now: datetime) -> str:
    minutes = int((now - since).total_seconds() // 60)
    if minutes < 120:
        ago = screen.counted(max(0, minutes), "minute")
    elif minutes < 2 * 24 * 60:
        ago = screen.counted(minutes // 60, "hour")
    else:
        ago = screen.counted(minutes // (24 * 60), "day")
    return f"{screen.instant(since.isoformat())} UTC, {ago} ago"


def _shown(report: Report) -> Shown:
    return {
        "at": report.at.isoformat(),
        "problems": len(report.of("problem")),
        "warnings": len(report.of("warning")),
        "findings": [
            {
                "code": each.code,
                "severity": each.severity,
                "subject": each.subject,
                "what": each.what,
                "since": None if each.since is None else each.since.isoformat(),
                "command": each.command,
            }
            for each in report.findings
        ],
    }
