"""One local PostHog: its engine, clock, projects, limits and faults, and the ways to feed it.

`LocalPostHog` in the package's front is this with the ASGI app beside it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from local.posthog.arrivals import Arrival
from local.posthog.clock import Clock
from local.posthog.engine import open_engine
from local.posthog.faults import Faults
from local.posthog.intake import Intake
from local.posthog.limits import Limits
from local.posthog.project import Directory, Project
from local.posthog.query_status import QueryStatuses
from local.posthog.recordings import Recordings
from local.posthog.storage import Storage

_TEMPORARY: Counter[str] = Counter()


class Installation:
    """Everything behind the app.

    `data` is its directory; without one, nothing outlives it. `assets` holds the browser SDK's scripts.
    """

    def __init__(self, data: Path | None = None, *, clock: Clock | None = None, assets: Path | None = None) -> None:
        self.clock = clock or Clock()
        self.engine = open_engine(data)
        self.directory = Directory(data)
        self.limits = Limits(self.clock)
        self.faults = Faults()
        self.queries = QueryStatuses(self.clock)
        self.requests: Counter[str] = Counter()
        self.recordings = Recordings()
        self.assets = assets
        self._storages: dict[int, Storage] = {}
        self._intakes: dict[int, Intake] = {}
        self._is_temporary = data is None
        _TEMPORARY["opened"] += 1
        # Installations without a directory share the process's ClickHouse, each in its own name.
        self._prefix = "project" if data else f"local{_TEMPORARY['opened']}_project"
        for project in self.directory.contents.projects:
            self._open_storage(project.id)

    def add_project(self, name: str, *, timezone: str = "UTC", organization_id: str | None = None) -> Project:
        """A further project; in the first organisation unless another is named."""
        known = self.directory.contents.organizations
        if organization_id is None:
            organization_id = (known[0] if known else self.directory.add_organization("Local organisation")).id
        project = self.directory.add_project(name, organization_id, timezone, self.clock.now())
        self._open_storage(project.id)
        return project

    async def add_project_soon(
        self, name: str, *, timezone: str = "UTC", organization_id: str | None = None
    ) -> Project:
        """As `add_project`, without holding up the event loop."""
        return await asyncio.to_thread(self.add_project, name, timezone=timezone, organization_id=organization_id)

    def storage(self, project_id: int) -> Storage:
        return self._storages[project_id]

    async def take_in(self, token: str, arrivals: list[Arrival]) -> None:
        """Store a batch for the project of a token; for an unknown token, nothing."""
        project = self.directory.by_token(token)
        if project is not None and arrivals:
            intake = self._intakes[project.id]
            stored = intake.add(arrivals)
            await self.engine.run(intake.drain)
            # An earlier request's drain may have taken this batch along; either way it is done.
            stored.result(timeout=0)

    def load(self, project_id: int, arrivals: Iterable[Arrival]) -> int:
        """Store a stream of events at their own timestamps, in large parts."""
        storage, now = self.storage(project_id), self.clock.now()
        return self.engine.run_here(lambda: storage.store_many(arrivals, now))

    def fill(self, project_id: int, select: str, now: datetime | None = None) -> None:
        """Store what a ClickHouse SELECT gives; see Storage.fill."""
        storage, at = self.storage(project_id), now or self.clock.now()
        self.engine.run_here(lambda: storage.fill(select, at))

    def close(self) -> None:
        """Let ClickHouse go; without a directory, the projects' databases go first."""
        if self._is_temporary:
            for storage in self._storages.values():
                self.engine.run_here(storage.drop)
        self.engine.close()

    def _open_storage(self, project_id: int) -> None:
        database = f"{self._prefix}_{project_id}"
        storage = self.engine.run_here(lambda: Storage(self.engine, database, project_id))
        self._storages[project_id] = storage
        self._intakes[project_id] = Intake(storage, self.clock)
