"""Is every schedule of the manifest called, at its minutes, and does it succeed?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.api.routes import targets
from hedgerow import cron
from hedgerow.cli.operations.doctor.findings import counted, fine, found

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.ports import Job

GRACE = timedelta(minutes=15)
"""A run waits for the one before it; the longest target may take half as long."""


async def check(case: Case) -> list[Finding]:
    """One finding for each schedule that is missing, paused, failing or late."""
    opened = case.schedules()
    try:
        jobs = await opened.list()
    finally:
        await opened.close()
    there = {job.target for job in jobs}
    findings = [
        found("schedule.missing", name, "Nothing calls it.", command="terraform apply")
        for name, target in targets().items()
        if target.schedules and name not in there
    ]
    findings += [finding for job in jobs if (finding := _fault(case, job)) is not None]
    return findings or [fine("schedules", f"{counted(len(jobs), 'schedule')}, all called and answered")]


def _fault(case: Case, job: Job) -> Finding | None:
    if job.state == "paused":
        what = f"{job.target} is not called: its schedule is paused."
        return found(
            "schedule.paused", job.name, what, since=job.last_at, command=f"hedgerow schedules resume {job.name}"
        )
    if job.state == "failing" or (job.last_status is not None and job.last_status // 100 != 2):
        status = f"HTTP {job.last_status}" if job.last_status is not None else "no answer"
        what = f"The last call of {job.target} failed ({status}); the function's log has the reason."
        return found(
            "schedule.failing", job.name, what, since=job.last_at, command=f"hedgerow schedules run {job.name}"
        )
    if job.last_at is None:
        return None  # New, or nothing keeps when it was called.
    should = cron.next_after(job.cron, job.last_at)
    if should is not None and should < case.now - GRACE:
        what = f"{job.target} was last called at {job.last_at:%Y-%m-%d %H:%M} UTC, against {cron.in_words(job.cron)}."
        return found("schedule.late", job.name, what, since=should, command=f"hedgerow schedules run {job.name}")
    return None
