"""`hedgerow doctor`: what is wrong with an installation, since when, and the command that mends it.

In process, with the operator's own rights, and over HEDGEROW_URL where a server answers.
Exit codes: 0 nothing is wrong, 1 there are problems, 3 store or settings let nothing be looked at.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.environment import environment, names_beginning, variable
from hedgerow.cli.in_process import DataOption
from hedgerow.cli.options import JsonOption
from hedgerow.cli.stops import Stop

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.cli.calls import Shown
    from hedgerow.cli.operations.doctor.findings import Finding, Report

STYLES = {"problem": "red", "warning": "yellow", "unknown": "magenta", "ok": None}
MOST_ALIKE = 20
"""The most findings of one code on a screen: the longest standing."""


def doctor(
    verbose: Annotated[bool, typer.Option("--verbose", help="List what is fine, too, and leave nothing off.")] = False,
    look_at_all: Annotated[
        bool, typer.Option("--all", help="Look at every connection, not at the first 500 alone; may take minutes.")
    ] = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """What is wrong, since when, and the command that mends it.

    Looks at settings, store, vault, queue, schedules, connections, outbox and server.
    """
    report = _report(data, look_at_all=look_at_all)
    if as_json:
        screen.say_json(_shown(report))
    else:
        _say(report, verbose=verbose)
    if report.exit_code:
        raise Stop(report.exit_code)


def _report(data: DataOption, *, look_at_all: bool) -> Report:
    from hedgerow.cli.operations.doctor.visiting import Terminal, unusable, visit
    from hedgerow.cli.operations.installation import read_settings
    from hedgerow.errors import HedgerowError

    try:
        settings = read_settings(data)
    except HedgerowError as error:
        return unusable(error)
    terminal = Terminal(
        url=variable("HEDGEROW_URL"),
        capture_url=variable("HEDGEROW_CAPTURE_URL"),
        tells=variable("HEDGEROW_TELLS"),
        admin_key=environment().admin_key,
        variables=names_beginning("HEDGEROW_"),
        looks_at_all=look_at_all,
    )
    return asyncio.run(visit(settings, terminal))


def _say(report: Report, *, verbose: bool) -> None:
    fine = report.of("ok")
    if report.looked_at:
        screen.say(f"Looked at: {report.looked_at}")
    told: Counter[str] = Counter()
    for each in report.findings:
        if each.severity == "ok":
            continue
        told[each.code] += 1
        if verbose or told[each.code] <= MOST_ALIKE:
            _say_finding(each, report.at)
    if verbose:
        for each in fine:
            screen.say(f"ok       {each.subject}: {each.what}", STYLES["ok"])
    else:
        _say_others(told)
    _say_keys(report)
    counts = [
        screen.counted(number, noun)
        for number, noun in ((len(report.of("problem")), "problem"), (len(report.of("warning")), "warning"))
        if number
    ]
    if unseen := len(report.of("unknown")):
        counts.append(f"{screen.counted(unseen, 'area')} not seen")
    for title, names in (("Not looked at", report.skipped), ("Fine", [each.subject for each in fine])):
        if names:
            counts[-1:] = [f"{counts[-1] if counts else 'Nothing is wrong'}. {title}: {', '.join(names)}"]
    screen.say(f"{', '.join(counts)}.")


def _say_others(told: Counter[str]) -> None:
    """What was left off: an outage has one cause and a thousand connections."""
    for code, number in told.items():
        if number > MOST_ALIKE:
            screen.say(
                f"and {number - MOST_ALIKE:,} more of [{code}]: hedgerow doctor --verbose, or --json, names them"
            )


def _say_keys(report: Report) -> None:
    """Once for all commands that a tenant's key is needed for: an on-call has none of them."""
    tenants = list(dict.fromkeys(each.tenant for each in report.findings if each.tenant))
    if not tenants:
        return
    others = f" (so too for {', '.join(tenants[1:6])}{', …' if len(tenants) > 6 else ''})" if tenants[1:] else ""
    screen.say(f"What is said about {tenants[0]} takes a key of that tenant, in HEDGEROW_API_KEY{others}:")
    screen.say(f"         → hedgerow tenants add-key {tenants[0]} --label on-call --role write")


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
        "looked_at": report.looked_at,
        "problems": len(report.of("problem")),
        "warnings": len(report.of("warning")),
        "not_looked_at": list(report.skipped),
        "findings": [
            {
                "code": each.code,
                "severity": each.severity,
                "subject": each.subject,
                "what": each.what,
                "since": None if each.since is None else each.since.isoformat(),
                "command": each.command,
                "tenant": each.tenant or None,
            }
            for each in report.findings
        ],
    }
