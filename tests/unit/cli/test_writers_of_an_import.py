"""Before an import overwrites in the cloud it is said which schedules go on."""

from __future__ import annotations

from dataclasses import replace

from hedgerow.cli.operations.moving.writers import going, writers
from hedgerow.cli.operations.schedules.keeping import Timetable
from hedgerow.ports import Job, JobState
from tests.stage import staged


def job(name: str, state: JobState) -> Job:
    return Job(name=name, cron="* * * * *", target=name, state=state, last_at=None, last_status=None, next_at=None)


def test_schedules_that_are_not_paused_are_named() -> None:
    jobs = (job("one", "enabled"), job("two", "paused"), job("three", "failing"))
    (sentence,) = going(Timetable(jobs, ()))
    assert sentence.startswith("Schedules that are not paused: one, three. Pause them (hedgerow schedules pause NAME)")
    assert going(Timetable((job("two", "paused"),), ())) == ()


async def test_schedules_that_cannot_be_asked_are_no_reason_to_be_silent() -> None:
    async with staged() as stage:
        cloud = {"store": "firestore", "queue": "pubsub", "project": "somebodys", "region": ""}
        app = replace(stage.app, settings=stage.app.settings.model_copy(update=cloud))
        (sentence,) = await writers(app)
        assert sentence.startswith("Whether schedules are paused could not be told: No region is set")
        assert await writers(stage.app) == ()
