"""The laptop's Cloud Scheduler: calls every schedule at its minutes, or when somebody wants it, unless it is paused.

What it called and what was answered is written to the store, where `hedgerow schedules`
reads it. A store that is away for a moment is asked again; what fell due meanwhile is
then called late, once.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.api.timetable import planned
from hedgerow import cron
from hedgerow.errors import TransientError
from hedgerow.logs import log
from hedgerow.schedules import KeptSchedule, kept, note_call

if TYPE_CHECKING:
    from datetime import datetime

    from hedgerow.app import App
    from hedgerow.ports import Planned
    from local.private import PrivateTargets

LOOK_SECONDS = 1.0
# The cloud's scheduler knows nothing finer than a minute; nobody at a terminal should wait that long.
REDELIVER_SECONDS = 3.0
REDELIVERY = "redeliver_tick"
"""Called by a loop of its own: at its minutes, and within seconds where anything waits."""


class Clockwork:
    """Two loops over the schedules of the manifest: the clock's, and the one of redelivery."""

    def __init__(self, app: App, private: PrivateTargets) -> None:
        self._app = app
        self._private = private
        self._planned = planned(app.settings.schedule_prefix)
        self._is_away = False

    async def run(self) -> None:
        """Fire every schedule at once, then each at its minutes of the app's clock."""
        before: datetime | None = None
        while True:
            now = self._app.now()
            if before is None or now - before >= timedelta(seconds=LOOK_SECONDS) or now < before:
                try:
                    await self.fire(before if before is None or before <= now else now, now)
                    before = now
                    self._back()
                except TransientError as error:
                    self._away(error)
            await asyncio.sleep(LOOK_SECONDS)

    async def run_redelivery(self) -> None:
        """Send what waits in the outbox every few seconds, beside the schedules: a long drain holds up no other.

        At its own minutes it is called in any case, so that what is known of it says that it works.
        """
        before: datetime | None = None
        while True:
            await asyncio.sleep(REDELIVER_SECONDS)
            try:
                before = await self.redeliver_if_due(before)
            except TransientError as error:
                self._away(error)

    async def fire(self, after: datetime | None, until: datetime) -> None:
        """Call what falls due between two instants, everything when `after` is None, and what somebody wants."""
        known = await kept(self._app.store)
        for plan in self._planned:
            mine = known.get(plan.name) or KeptSchedule(id=plan.name)
            is_due = plan.target != REDELIVERY and (after is None or cron.falls_between(plan.cron, after, until))
            # A wish does not stand for the call by the clock, nor the other way round.
            if mine.wanted_at is not None:
                await self._call(plan, mine.wanted_at)
            if is_due and not mine.paused:
                await self._call(plan)
            if is_due or mine.wanted_at is not None:
                # A call may have taken minutes, and somebody may have paused the next one.
                known = await kept(self._app.store)

    async def redeliver_if_due(self, before: datetime | None) -> datetime:
        """Call the redelivery if anything waits, or its minute has come since `before`; the answer is now."""
        from functions.capture.redelivery.backlog import is_anything_waiting

        now = self._app.now()
        is_due = before is None or any(
            cron.falls_between(plan.cron, min(before, now), now) for plan in self._planned if plan.target == REDELIVERY
        )
        if is_due or await is_anything_waiting(self._app):
            await self.redeliver()
        return now

    async def redeliver(self) -> None:
        """Call the redelivery, unless its schedule is paused."""
        known = await kept(self._app.store)
        for plan in self._planned:
            if plan.target == REDELIVERY and not (plan.name in known and known[plan.name].paused):
                await self._call(plan)

    async def _call(self, plan: Planned, served: datetime | None = None) -> None:
        at = self._app.now()
        status = await self._private.call(plan.target, plan.body)
        await note_call(self._app.store, plan.name, at, status, served)

    def _away(self, error: TransientError) -> None:
        if not self._is_away:
            log().warning("schedules.waiting", code=error.code, detail=error.detail, hint=error.hint)
        self._is_away = True

    def _back(self) -> None:
        if self._is_away:
            log().info("schedules.again")
        self._is_away = False
