"""`hedgerow schedules`: when the ticks are called; paused, resumed, called at once.

In process, with the operator's own rights: on Cloud Scheduler in the cloud, and on what
`hedgerow dev` keeps on the laptop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli import screen
from hedgerow.cli.in_process import DataOption, run
from hedgerow.cli.options import JsonOption, VerbByDefault
from hedgerow.cli.stops import UNREACHABLE, Stop

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from hedgerow.app import App
    from hedgerow.cli.calls import Shown
    from hedgerow.ports import Job


class ListByDefault(VerbByDefault):
    """`schedules` is `schedules list`."""

    verb = "list"


schedules = typer.Typer(cls=ListByDefault, help="When the ticks are called. Without a verb, the list.")
NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The schedule's name, such as sync-tick-scale, with its prefix or without."),
]
COLOURS = {"paused": "yellow", "failing": "red", "unknown": "red", "enabled": None}


@schedules.command("list")
def list_schedules(as_json: JsonOption = False, data: DataOption = None) -> None:
    """Every schedule: its state, its last call and its next."""
    from hedgerow import cron
    from hedgerow.cli.operations.schedules import keeping

    there = run(data, keeping.timetable)
    if as_json:
        missing = [{"name": plan.name, "cron": plan.cron, "target": plan.target} for plan in there.missing]
        return screen.say_json({"items": [_shown(job) for job in there.jobs], "missing": missing})
    made = screen.table("schedule", "when (UTC)", "state", "last call", "answer", "next call", spare=("when (UTC)",))
    for job in there.jobs:
        answer = "" if job.last_status is None else str(job.last_status)
        cells = (job.name, cron.in_words(job.cron), job.state, _at(job.last_at) or "never", answer, _at(job.next_at))
        screen.row(made, *cells, style=COLOURS[job.state])
    for plan in there.missing:
        screen.row(made, plan.name, cron.in_words(plan.cron), "missing", "", "", "", style="red")
    screen.show(made)
    for job in there.jobs:
        if job.state == "paused":
            screen.say(f"{job.name} is paused: {keeping.stops(job)}.")
            screen.say(f"→ hedgerow schedules resume {job.name}")
    if there.missing:
        screen.say("→ terraform apply makes what is missing")
    return None


@schedules.command("pause")
def pause(name: NameArgument, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Call it no more until it is resumed."""
    from hedgerow.cli.operations.schedules import keeping

    job = run(data, lambda app: keeping.pause(app, name))
    if as_json:
        return screen.say_json(_shown(job))
    screen.say(f"{job.name} is {job.state}. Until it is resumed, {keeping.stops(job)}.")
    return screen.say(f"→ hedgerow schedules resume {job.name}")


@schedules.command("resume")
def resume(name: NameArgument, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Call it again; what fell due meanwhile is found by its next call."""
    from hedgerow.cli.operations.schedules import keeping

    job = run(data, lambda app: keeping.resume(app, name))
    if as_json:
        return screen.say_json(_shown(job))
    return screen.say(f"{job.name} is {job.state}; its next call is at {_at(job.next_at) or 'an unknown time'} UTC.")


@schedules.command("run")
def run_now(name: NameArgument, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Have it called once, now.

    Its next call by the clock stays where it is.
    Does not wait for the call: `hedgerow schedules list` shows when it came and what it answered.
    """
    import shlex

    from hedgerow.cli.operations.place import is_served
    from hedgerow.cli.operations.schedules import keeping

    async def work(app: App) -> tuple[Job, bool, Path | None]:
        is_cloud = app.settings.queue == "pubsub" and not app.settings.pubsub_emulator
        # With the emulators, a server's folder holds none of what is shared with it.
        folder = app.settings.data if app.settings.queue == "embedded" else None
        return await keeping.run(app, name), is_cloud, folder

    job, is_cloud, folder = run(data, work)
    if as_json:
        screen.say_json({**_shown(job), "wanted": True})
    else:
        before = f"the last was at {_at(job.last_at)}" if job.last_at else "there was none before"
        who = "Cloud Scheduler calls it now" if is_cloud else "`hedgerow dev` calls it within a second or two"
        screen.say(f"{job.name}: {who}; {before}.")
        screen.say("→ hedgerow schedules list shows the answer; the log of the target, what it did")
    if folder is not None and not is_served(folder):
        raise Stop(
            UNREACHABLE,
            f"No server runs on {folder}: {job.name} is called once one is started.",
            hint=f"hedgerow dev --data {shlex.quote(str(folder))}",
        )


def _shown(job: Job) -> Shown:
    from hedgerow.cli.operations.schedules import keeping

    return {
        "name": job.name,
        "target": job.target,
        "cron": job.cron,
        "state": job.state,
        "last_at": job.last_at.isoformat() if job.last_at else None,
        "last_status": job.last_status,
        "next_at": job.next_at.isoformat() if job.next_at else None,
        "stops": keeping.stops(job) if job.state == "paused" else None,
    }


def _at(at: datetime | None) -> str:
    return "" if at is None else screen.instant(at.isoformat())
