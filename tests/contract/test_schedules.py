"""What every keeper of schedules promises: Cloud Scheduler by its real client, and the store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from functions.api.timetable import planned
from hedgerow.adapters.cloud_scheduler import CloudSchedules
from hedgerow.adapters.local_schedules import LocalSchedules
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import MissingError
from hedgerow.schedules import kept, note_call
from tests.contract.scheduler_server import CloudScheduler, scheduler_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hedgerow.ports import Job, Schedules

NOON = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
PLANNED = planned("hedgerow-")
PARENT = "projects/hedge/locations/europe-west1"
TICK = "hedgerow-sync-tick-scale"
HOURLY = "hedgerow-retention-tick"


class Keeper(Protocol):
    """Schedules of one kind, and what the world does to them."""

    schedules: Schedules

    async def answered(self, name: str, status: int) -> None:
        """The target of a schedule was called just now, and answered this."""
        ...

    async def wanted(self) -> list[str]:
        """What was asked to be called at once, and was not so far or was by the keeper itself."""
        ...


@dataclass
class Cloud:
    schedules: Schedules
    scheduler: CloudScheduler

    async def answered(self, name: str, status: int) -> None:
        self.scheduler.answered(f"{PARENT}/jobs/{name}", status)

    async def wanted(self) -> list[str]:
        return [call.removeprefix("run ") for call in self.scheduler.calls if call.startswith("run ")]


@dataclass
class Local:
    schedules: Schedules
    store: SqliteStore

    async def answered(self, name: str, status: int) -> None:
        known = (await kept(self.store)).get(name)
        await note_call(self.store, name, NOON, status, served=known.wanted_at if known else None)

    async def wanted(self) -> list[str]:
        return [name for name, known in (await kept(self.store)).items() if known.wanted_at]


@asynccontextmanager
async def cloud() -> AsyncIterator[Cloud]:
    scheduler = CloudScheduler(NOON)
    scheduler.add(PARENT, PLANNED)
    async with scheduler_server(scheduler) as host:
        schedules = CloudSchedules("hedge", "europe-west1", emulator_host=host)
        yield Cloud(schedules, scheduler)
        await schedules.close()


@asynccontextmanager
async def local() -> AsyncIterator[Local]:
    store = SqliteStore(":memory:")
    yield Local(LocalSchedules(store, PLANNED, lambda: NOON), store)
    await store.close()


@pytest.fixture(params=[cloud, local], ids=["cloud", "local"])
async def keeper(request: pytest.FixtureRequest) -> AsyncIterator[Keeper]:
    async with request.param() as opened:
        yield opened


async def one(keeper: Keeper, name: str) -> Job:
    return next(job for job in await keeper.schedules.list() if job.name == name)


async def test_every_schedule_of_the_manifest_is_listed_by_name(keeper: Keeper) -> None:
    jobs = await keeper.schedules.list()

    assert [job.name for job in jobs] == sorted(plan.name for plan in PLANNED)
    assert {job.name: (job.cron, job.target) for job in jobs} == {
        plan.name: (plan.cron, plan.target) for plan in PLANNED
    }
    assert {job.state for job in jobs} == {"enabled"}
    assert {job.last_at for job in jobs} == {None}
    assert {job.last_status for job in jobs} == {None}


async def test_the_next_call_is_the_next_minute_of_the_cron(keeper: Keeper) -> None:
    assert (await one(keeper, TICK)).next_at == datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
    assert (await one(keeper, HOURLY)).next_at == datetime(2026, 11, 21, 12, 17, tzinfo=UTC)


async def test_a_paused_schedule_has_no_next_call_until_it_is_resumed(keeper: Keeper) -> None:
    await keeper.schedules.pause(TICK)
    paused = await one(keeper, TICK)
    await keeper.schedules.resume(TICK)
    resumed = await one(keeper, TICK)

    assert (paused.state, paused.next_at) == ("paused", None)
    assert (resumed.state, resumed.next_at) == ("enabled", datetime(2026, 11, 21, 12, 5, tzinfo=UTC))
    assert (await one(keeper, HOURLY)).state == "enabled"


async def test_pausing_and_resuming_may_be_said_twice(keeper: Keeper) -> None:
    for _ in range(2):
        await keeper.schedules.pause(TICK)
    assert (await one(keeper, TICK)).state == "paused"
    for _ in range(2):
        await keeper.schedules.resume(TICK)
    assert (await one(keeper, TICK)).state == "enabled"


@pytest.mark.parametrize("status", [503, 500, 404, 403])
async def test_a_refused_call_makes_it_failing_until_the_next_good_one(keeper: Keeper, status: int) -> None:
    await keeper.answered(TICK, status)
    failing = await one(keeper, TICK)
    await keeper.answered(TICK, 200)
    mended = await one(keeper, TICK)

    assert (failing.state, failing.last_status, failing.last_at) == ("failing", status, NOON)
    assert failing.next_at is not None
    assert (mended.state, mended.last_status) == ("enabled", 200)


async def test_a_paused_schedule_that_failed_is_paused(keeper: Keeper) -> None:
    await keeper.answered(TICK, 503)
    await keeper.schedules.pause(TICK)

    assert (await one(keeper, TICK)).state == "paused"
    assert (await one(keeper, TICK)).last_status == 503


async def test_what_is_wanted_is_called_also_while_paused(keeper: Keeper) -> None:
    await keeper.schedules.pause(TICK)
    await keeper.schedules.run(TICK)

    assert await keeper.wanted() == [TICK]
    assert (await one(keeper, TICK)).state == "paused"


async def test_a_forced_call_leaves_the_next_by_the_clock_where_it_is(keeper: Keeper) -> None:
    before = (await one(keeper, TICK)).next_at
    await keeper.schedules.run(TICK)
    await keeper.answered(TICK, 200)

    assert (await one(keeper, TICK)).next_at == before
    assert (await one(keeper, TICK)).last_at == NOON


@pytest.mark.parametrize("verb", ["pause", "resume", "run"])
async def test_a_name_that_is_none_is_missing(keeper: Keeper, verb: str) -> None:
    with pytest.raises(MissingError, match="hedgerow-nothing"):
        await getattr(keeper.schedules, verb)("hedgerow-nothing")


async def test_nothing_is_kept_before_somebody_paused_or_called() -> None:
    async with local() as keeper:
        await keeper.schedules.list()
        await keeper.schedules.resume(TICK)
        assert await kept(keeper.store) == {}


async def test_a_wish_made_during_a_call_is_not_lost_with_it() -> None:
    async with local() as keeper:
        await keeper.schedules.run(TICK)
        served = (await kept(keeper.store))[TICK].wanted_at
        keeper.schedules._now = lambda: NOON + timedelta(seconds=1)  # type: ignore[attr-defined]
        await keeper.schedules.run(TICK)
        await note_call(keeper.store, TICK, NOON, 200, served)
        assert await keeper.wanted() == [TICK]


async def test_the_cloud_lists_only_jobs_of_our_prefix_and_region_over_all_pages() -> None:
    async with cloud() as keeper:
        job = keeper.scheduler.jobs[f"{PARENT}/jobs/{TICK}"]
        for name in (f"{PARENT}/jobs/backup", "projects/hedge/locations/us-east1/jobs/hedgerow-elsewhere"):
            keeper.scheduler.jobs[name] = type(job)(job, name=name)
        jobs = await keeper.schedules.list()

    assert [job.name for job in jobs] == sorted(plan.name for plan in PLANNED)
    assert keeper.scheduler.calls.count("list") > 1


async def test_what_google_disabled_is_failing_and_a_half_made_job_unknown() -> None:
    async with cloud() as keeper:
        states: Any = keeper.scheduler.jobs[f"{PARENT}/jobs/{TICK}"].State
        keeper.scheduler.jobs[f"{PARENT}/jobs/{TICK}"].state = states.DISABLED
        keeper.scheduler.jobs[f"{PARENT}/jobs/{HOURLY}"].state = states.UPDATE_FAILED
        jobs = {job.name: job for job in await keeper.schedules.list()}
        with pytest.raises(Exception, match="DISABLED") as refused:
            await keeper.schedules.resume(TICK)

    assert jobs[TICK].state == "failing"
    assert jobs[HOURLY].state == "unknown"
    assert "terraform apply" in str(getattr(refused.value, "hint", ""))


async def test_a_forced_run_does_not_swallow_the_next_one_by_the_clock() -> None:
    async with cloud() as keeper:
        keeper.scheduler.wait(4)
        await keeper.schedules.run(TICK)
        assert TICK in keeper.scheduler.wait(1)


async def test_a_job_in_another_zone_says_so() -> None:
    async with cloud() as keeper:
        keeper.scheduler.jobs[f"{PARENT}/jobs/{TICK}"].time_zone = "Europe/Vienna"
        assert (await one(keeper, TICK)).cron == "*/5 * * * * in Europe/Vienna"
