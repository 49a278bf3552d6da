"""The schedules of an installation: those there are, those that are missing, and what a pause of each stops."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from functions.api.timetable import planned
from hedgerow import wiring
from hedgerow.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.app import App
    from hedgerow.ports import Job, Planned, Schedules

STOPS = {
    "sync_tick": "connections of this tier do not sync by themselves, so that numbers grow old and alerts judge no new days",
    "retention_tick": "nothing is deleted for its age, and what a crash left of a connection's end stays",
    "redeliver_tick": "events that PostHog did not take at once wait in the outbox",
    "alerts_tick": "no digests, no reminders, and messages to chat that failed once are not tried again",
}


@dataclass(frozen=True, slots=True)
class Timetable:
    """What there is, by name, and what the manifest has besides."""

    jobs: tuple[Job, ...]
    missing: tuple[Planned, ...]


@asynccontextmanager
async def keeper(app: App) -> AsyncIterator[Schedules]:
    """Who keeps the schedules of this installation, closed at the end."""
    kept = wiring.schedules(app.settings, app.store, planned(app.settings.schedule_prefix), app.now)
    try:
        yield kept
    finally:
        await kept.close()


async def timetable(app: App) -> Timetable:
    """Every schedule there is, and every one there should be."""
    async with keeper(app) as schedules:
        jobs = await schedules.list()
    there = {job.name for job in jobs}
    return Timetable(jobs, tuple(plan for plan in planned(app.settings.schedule_prefix) if plan.name not in there))


async def pause(app: App, asked: str) -> Job:
    """Pause a schedule; the answer is how it stands then."""
    async with keeper(app) as schedules:
        name = await _named(app, schedules, asked)
        await schedules.pause(name)
        return await _one(schedules, name)


async def resume(app: App, asked: str) -> Job:
    """Let a schedule go on; the answer is how it stands then."""
    async with keeper(app) as schedules:
        name = await _named(app, schedules, asked)
        await schedules.resume(name)
        return await _one(schedules, name)


async def run(app: App, asked: str) -> Job:
    """Have a schedule called at once; the answer is how it stood before."""
    async with keeper(app) as schedules:
        job = await _one(schedules, await _named(app, schedules, asked))
        await schedules.run(job.name)
        return job


def stops(job: Job) -> str:
    """What does not happen while a schedule is paused."""
    return STOPS.get(job.target, f"{job.target} is not called")


async def _named(app: App, schedules: Schedules, asked: str) -> str:
    """The name of a schedule as people write it: whole, or without the prefix, or with the target's underscores."""
    names = [job.name for job in await schedules.list()]
    prefix = app.settings.schedule_prefix
    plain = asked.replace("_", "-")
    for name in (asked, plain, prefix + plain):
        if name in names:
            return name
    of_plan = {plan.name: plan for plan in planned(prefix)}
    if (missing := of_plan.get(asked) or of_plan.get(prefix + plain)) is not None:
        raise MissingError(
            f"Cloud Scheduler lacks {missing.name}, which the manifest has.",
            code="schedule_missing",
            hint="Run terraform apply: it makes the job.",
        )
    near = get_close_matches(prefix + plain.removeprefix(prefix), names, n=1, cutoff=0.5)
    raise MissingError(
        f"There is no schedule {asked}.",
        hint=f"Did you mean {near[0]}?" if near else "`hedgerow schedules list` has their names.",
    )


async def _one(schedules: Schedules, name: str) -> Job:
    return next(job for job in await schedules.list() if job.name == name)
