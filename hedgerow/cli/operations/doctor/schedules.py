"""Is every schedule of the manifest there, called at its minutes, and does it succeed?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.api import timetable
from hedgerow import cron
from hedgerow.cli.operations.doctor.case import NO_RIGHTS
from hedgerow.cli.operations.doctor.findings import counted, fine, found, some
from hedgerow.errors import HedgerowError

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.ports import Job

GRACE = timedelta(minutes=15)
"""A run waits for the one before it; the longest target may take half as long."""
OURS = (NO_RIGHTS, "no_credentials")
"""What the operator's account lacks, not the functions'."""
OFTEN = timedelta(hours=1)
"""What is called oftener has been called soon after it was made."""


async def check(case: Case) -> list[Finding]:
    """One finding for each schedule that is missing, paused, failing or late; one for those never called."""
    try:
        jobs = await _jobs(case)
    except HedgerowError as error:
        if error.code in OURS:
            raise  # Nothing is known of the schedules.
        return [found("schedule.unreachable", "schedules", error.detail, command=error.hint)]
    there = {job.name for job in jobs}
    findings = [
        found("schedule.missing", plan.name, f"Nothing calls {plan.target} for it.", command="terraform apply")
        for plan in timetable.planned(case.settings.schedule_prefix)
        if plan.name not in there
    ]
    findings += [finding for job in jobs if (finding := _fault(case, job)) is not None]
    if never := [job for job in jobs if job.state == "enabled" and job.last_at is None]:
        findings += _never(case, never)
    new = f", {len(never)} not called yet" if never else ""
    return findings or [fine("schedules", f"{counted(len(jobs), 'schedule')}; each call answered{new}")]


async def _jobs(case: Case) -> tuple[Job, ...]:
    opened = case.schedules()
    try:
        return tuple(await opened.list())
    finally:
        await opened.close()


def _fault(case: Case, job: Job) -> Finding | None:
    if job.state == "paused":
        last = f"; its last call was at {_at(job.last_at)}" if job.last_at else ""
        what = f"{job.target} is not called: its schedule is paused{last}."
        # Nobody keeps when it was paused.
        return found("schedule.paused", job.name, what, command=f"hedgerow schedules resume {job.name}")
    if job.state == "failing" or (job.last_status is not None and job.last_status // 100 != 2):
        status = f"HTTP {job.last_status}" if job.last_status is not None else "no answer"
        what = f"The last call of {job.target} failed ({status}); the function's log has the reason."
        return found(
            "schedule.failing", job.name, what, since=job.last_at, command=f"hedgerow schedules run {job.name}"
        )
    if job.last_at is None:
        return None
    should = cron.next_after(job.cron, job.last_at)
    if should is not None and should < case.now - GRACE:
        what = f"{job.target} was last called at {_at(job.last_at)}, against {cron.in_words(job.cron)}."
        return found("schedule.late", job.name, what, since=should, command=f"hedgerow schedules run {job.name}")
    return None


def _never(case: Case, jobs: list[Job]) -> list[Finding]:
    often = [job.name for job in jobs if (span := _span(job.cron, case.now)) is not None and span < OFTEN]
    if not often:
        return []
    what = f"Nobody ever called {some(often)}: the wrong installation, or one that has only just been made."
    return [found("schedule.never_called", "schedules", what, command="hedgerow schedules list")]


def _span(expression: str, now: datetime) -> timedelta | None:
    first = cron.next_after(expression, now)
    second = None if first is None else cron.next_after(expression, first)
    return None if first is None or second is None else second - first


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
