"""The laptop's Cloud Scheduler: what it calls, what it leaves, what it writes down."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from structlog.testing import capture_logs

from functions.api.timetable import planned
from hedgerow import wiring
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.errors import TransientError
from hedgerow.logs import log
from hedgerow.schedules import KeptSchedule, kept
from local.clockwork import Clockwork
from local.private import PrivateTargets
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hedgerow.ports import Schedules

PRO, SCALE = "hedgerow-sync-tick-pro", "hedgerow-sync-tick-scale"
HOURLY, ALERTS, OUTBOX = "hedgerow-retention-tick", "hedgerow-alerts-tick", "hedgerow-redeliver-tick"


class Away(SqliteStore):
    """A store that does not answer for some calls."""

    away = 0

    async def find(self, *arguments: Any, **options: Any) -> Any:
        if self.away:
            self.away -= 1
            raise TransientError("The store's emulator does not answer.", code="emulator_away")
        return await super().find(*arguments, **options)


class Counted(PrivateTargets):
    """The real targets, and the calls they got."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.app)
        self.calls: list[str] = []
        self.everything = asyncio.Event()

    async def call(self, name: str, body: Mapping[str, str]) -> int:
        self.calls.append("-".join((name, *body.values())))
        answer = await super().call(name, body)
        if name == "alerts_tick":
            self.everything.set()
        return answer


@dataclass
class Room:
    stage: Stage
    schedules: Schedules
    targets: Counted
    clockwork: Clockwork

    async def fire(self, minutes: float) -> list[str]:
        """Let time pass, have the clockwork look, and tell what it called."""
        before = self.stage.clock()
        self.stage.clock.forward(timedelta(minutes=minutes))
        self.targets.calls.clear()
        await self.clockwork.fire(before, self.stage.clock())
        return list(self.targets.calls)


@asynccontextmanager
async def room(store: SqliteStore | None = None) -> AsyncIterator[Room]:
    async with staged(store=store) as stage:
        settings = stage.app.settings.model_copy(update={"invoker": SecretStr("the-clockwork")})
        stage.app = replace(stage.app, settings=settings)
        targets = Counted(stage)
        schedules = wiring.schedules(settings, stage.store, planned(settings.schedule_prefix), stage.clock)
        yield Room(stage, schedules, targets, Clockwork(stage.app, targets))
        await targets.close()


async def test_what_falls_due_is_called_and_its_answer_written_down() -> None:
    async with room() as here:
        called = await here.fire(5)
        known = await kept(here.stage.store)

        assert called == ["sync_tick-pro", "sync_tick-scale", "alerts_tick"]
        assert set(known) == {PRO, SCALE, ALERTS}
        assert {each.last_status for each in known.values()} == {200}
        assert known[PRO].last_at == here.stage.clock()


async def test_a_paused_schedule_is_left_until_it_is_resumed() -> None:
    async with room() as here:
        await here.schedules.pause(SCALE)
        assert await here.fire(5) == ["sync_tick-pro", "alerts_tick"]
        await here.schedules.resume(SCALE)
        assert await here.fire(0.5) == []
        assert await here.fire(5) == ["sync_tick-pro", "sync_tick-scale", "alerts_tick"]


async def test_at_the_start_everything_is_called_but_what_is_paused() -> None:
    async with room() as here:
        await here.schedules.pause(PRO)
        await here.clockwork.fire(None, here.stage.clock())

        assert here.targets.calls == ["sync_tick-scale", "retention_tick", "alerts_tick"]


async def test_a_wish_is_fulfilled_once_also_while_paused() -> None:
    async with room() as here:
        await here.schedules.pause(HOURLY)
        await here.schedules.run(HOURLY)

        assert await here.fire(0.1) == ["retention_tick"]
        assert await here.fire(0.1) == []
        known = (await kept(here.stage.store))[HOURLY]
        assert (known.paused, known.wanted_at, known.last_status) == (True, None, 200)


async def test_a_wish_does_not_swallow_the_call_by_the_clock() -> None:
    async with room() as here:
        await here.schedules.run(SCALE)

        assert (await here.fire(5)).count("sync_tick-scale") == 2


async def test_the_redelivery_is_wanted_and_paused_as_the_others_are() -> None:
    async with room() as here:
        await here.clockwork.redeliver()
        assert here.targets.calls == ["redeliver_tick"]
        assert (await kept(here.stage.store))[OUTBOX].last_status == 200

        await here.schedules.pause(OUTBOX)
        here.targets.calls.clear()
        await here.clockwork.redeliver()
        assert here.targets.calls == []
        await here.schedules.run(OUTBOX)
        assert await here.fire(0.1) == ["redeliver_tick"]


async def test_the_redelivery_is_called_at_its_minutes_though_nothing_waits() -> None:
    async with room() as here:
        before = await here.clockwork.redeliver_if_due(None)
        for seconds in (3, 3, 60, 3):
            here.stage.clock.forward(timedelta(seconds=seconds))
            before = await here.clockwork.redeliver_if_due(before)

        assert here.targets.calls == ["redeliver_tick", "redeliver_tick"]
        assert (await kept(here.stage.store))[OUTBOX].last_at is not None


async def test_a_target_that_refuses_is_written_down_as_failing() -> None:
    async with room() as here:
        stranger = here.stage.app.settings.model_copy(update={"invoker": SecretStr("somebody-else")})
        here.targets._app = replace(here.stage.app, settings=stranger)
        await here.fire(5)

        jobs = {job.name: job for job in await here.schedules.list()}
        assert (jobs[SCALE].state, jobs[SCALE].last_status) == ("failing", 401)
        assert (jobs[HOURLY].state, jobs[HOURLY].last_status) == ("enabled", None)


async def test_a_store_that_is_away_is_asked_again_and_nothing_is_lost() -> None:
    store = Away(":memory:")
    async with room(store) as here:
        await here.schedules.run(HOURLY)
        store.away = 2
        log()  # Configured here, lest the first line do it in the middle of capturing.
        with capture_logs() as lines:
            running = asyncio.create_task(here.clockwork.run())
            async with asyncio.timeout(10):
                await here.targets.everything.wait()
            running.cancel()
            await asyncio.wait([running])

        assert store.away == 0
        assert {"retention_tick", "sync_tick-pro"} <= set(here.targets.calls)
        assert [line["code"] for line in lines if line["event"] == "schedules.waiting"] == ["emulator_away"]
    await store.close()


async def test_many_writers_of_one_schedule_lose_nothing() -> None:
    async with room() as here:
        await asyncio.gather(here.schedules.pause(PRO), here.schedules.run(PRO), here.clockwork._call(_plan(PRO)))
        known: KeptSchedule = (await kept(here.stage.store))[PRO]

        assert known.paused
        assert known.wanted_at is not None
        assert known.last_status == 200


def _plan(name: str) -> Any:
    return next(plan for plan in planned("hedgerow-") if plan.name == name)
