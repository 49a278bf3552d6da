"""`Schedules` in the store: for the laptop's server, which calls the targets itself and reads here what it shall do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow import cron
from hedgerow.errors import MissingError
from hedgerow.ports import Job
from hedgerow.schedules import KeptSchedule, change, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from hedgerow.ports import JobState, Planned, Store


class LocalSchedules:
    """The schedules of `planned`; their state in `store`, which is the caller's to close."""

    def __init__(self, store: Store, planned: Iterable[Planned], now: Callable[[], datetime]) -> None:
        self._store = store
        self._planned = {plan.name: plan for plan in planned}
        self._now = now

    async def list(self) -> tuple[Job, ...]:
        """Every schedule, by name."""
        known = await kept(self._store)
        return tuple(
            self._job(plan, known.get(name) or KeptSchedule(id=name)) for name, plan in sorted(self._planned.items())
        )

    async def pause(self, name: str) -> None:
        """Call it no more until `resume`."""
        await self._change(name, {"paused": True})

    async def resume(self, name: str) -> None:
        """Call it again, from its next minute on."""
        await self._change(name, {"paused": False})

    async def run(self, name: str) -> None:
        """Have the server call it at its next look, or at its next start."""
        await self._change(name, {"wanted_at": self._now()})

    async def close(self) -> None:
        """Nothing of its own to let go of."""

    async def _change(self, name: str, update: dict[str, object]) -> None:
        if name not in self._planned:
            raise MissingError(f"There is no schedule {name}.", hint="`hedgerow schedules list` has their names.")
        await change(self._store, name, lambda there: there.model_copy(update=update))

    def _job(self, plan: Planned, known: KeptSchedule) -> Job:
        return Job(
            name=plan.name,
            cron=plan.cron,
            target=plan.target,
            state=_state(known),
            last_at=known.last_at,
            last_status=known.last_status,
            next_at=None if known.paused else cron.next_after(plan.cron, self._now()),
        )


def _state(known: KeptSchedule) -> JobState:
    if known.paused:
        return "paused"
    return "failing" if known.last_status is not None and known.last_status // 100 != 2 else "enabled"
