"""Answers kept: the cache of computed queries, and the states of queries run in the background."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.posthog.clock import Clock

FRESH = timedelta(hours=6)
FRESH_FOR_LAZY = timedelta(hours=12)
STATUS_LIFE = timedelta(minutes=20)


@dataclass(slots=True)
class QueryStatus:
    """A query in the background, as `GET /query/:id/` tells of it."""

    id: str
    project_id: int
    started_at: datetime
    ended_at: datetime | None = None
    results: dict[str, Any] | None = None
    error: bool = False
    error_message: str | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "team_id": self.project_id,
            "query_async": True,
            "complete": self.ended_at is not None,
            "error": self.error,
            "error_message": self.error_message,
            "results": self.results,
            "start_time": iso(self.started_at),
            "end_time": iso(self.ended_at) if self.ended_at else None,
            "expiration_time": iso(self.started_at + STATUS_LIFE),
            "task_id": self.id,
            "query_progress": None,
        }


@dataclass(slots=True)
class QueryStatuses:
    """The states and answers of one installation."""

    clock: Clock
    _by_id: dict[str, QueryStatus] = field(default_factory=dict)
    _tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _cached: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)

    def begin(self, status: QueryStatus, task: "asyncio.Task[None]") -> None:
        self._by_id[status.id] = status
        self._tasks[status.id] = task

    def find(self, project_id: int, query_id: str) -> QueryStatus | None:
        status = self._by_id.get(query_id)
        if status is None or status.project_id != project_id:
            return None
        return None if self.clock.now() > status.started_at + STATUS_LIFE else status

    def cancel(self, query_id: str) -> None:
        task = self._tasks.pop(query_id, None)
        if task is not None:
            task.cancel()
        self._by_id.pop(query_id, None)

    def cached(self, key: str, life: timedelta) -> dict[str, Any] | None:
        """A computed answer not older than `life`."""
        found = self._cached.get(key)
        return found[1] if found and self.clock.now() - found[0] < life else None

    def keep(self, key: str, answer: dict[str, Any]) -> None:
        self._cached[key] = self.clock.now(), answer


def iso(instant: datetime) -> str:
    """An instant as PostHog's JSON writes it: `Z` for UTC, microseconds only if there are any."""
    return instant.isoformat().replace("+00:00", "Z")
