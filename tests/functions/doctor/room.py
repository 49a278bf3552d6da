"""An embedded installation in a folder, a server that answers for it, and the doctor called on both."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from functions.api import timetable
from hedgerow import wiring
from hedgerow.adapters.embedded import EmbeddedQueue
from hedgerow.adapters.local_schedules import LocalSchedules
from hedgerow.cli.operations.doctor.diagnosing import diagnose
from hedgerow.cli.operations.doctor.visiting import Terminal, case_of
from hedgerow.cli.operations.place import LOCK
from hedgerow.models import Tenant
from hedgerow.schedules import note_call
from hedgerow.settings import Settings
from tests.stage import ADMIN_KEY, Clock, Stage

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding, Report
    from tests.cli_process import Answers


@dataclass
class Room:
    """`stage` is the installation; `look` calls the doctor."""

    stage: Stage
    folder: Path
    case: Case
    answers: Answers

    async def look(self, **changed: object) -> Report:
        """What the doctor says; `changed` are other fields of the case. The server shows the store's own tenants."""
        if self.answers.by_call["GET", "/v1/tenants"][0] == 200:
            newest = await self.stage.store.find(Tenant, limit=1)
            self.answers.say("GET", "/v1/tenants", {"items": [{"id": each.id} for each in newest.items]})
        return await diagnose(replace(self.case, **changed))  # type: ignore[arg-type]

    async def only(self, **changed: object) -> Finding:
        """The one finding there is beside what is fine."""
        (finding,) = [each for each in (await self.look(**changed)).findings if each.code != "ok"]
        return finding

    @property
    def schedules(self) -> LocalSchedules:
        """The schedules, as `hedgerow schedules` has them."""
        settings = self.stage.app.settings
        return LocalSchedules(self.stage.store, timetable.planned(settings.schedule_prefix), self.stage.clock)


@contextmanager
def served(folder: Path, address: str = "") -> Iterator[None]:
    """Hold the folder's lock, as a server does that listens at `address`."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.write(f"{address}\n")
        lock.flush()
        yield


@asynccontextmanager
async def room(folder: Path, answers: Answers) -> AsyncIterator[Room]:
    """A healthy installation, at the wall clock's time, with a server that is up and ready."""
    answers.say("GET", "/health", {"status": "alive"})
    answers.say("GET", "/ready", {"status": "ready"})
    answers.say("GET", "/v1/tenants", {"items": [], "next_cursor": None})
    clock = Clock(wiring.utc_now())
    app = wiring.build(Settings(data=folder, admin_key=SecretStr(ADMIN_KEY)), clock)
    assert isinstance(app.queue, EmbeddedQueue)
    stage = Stage(app, clock, app.store, app.queue)
    for plan in timetable.planned(app.settings.schedule_prefix):
        await note_call(app.store, plan.name, clock(), 200, None)
    try:
        with served(folder):
            case = case_of(app, Terminal(url=answers.url, admin_key=ADMIN_KEY))
            yield Room(stage, folder, case, answers)
    finally:
        await wiring.close(app)
