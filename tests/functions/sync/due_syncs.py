"""Twenty days of a shop's events, and its next scheduled sync as the tick begins it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hedgerow.models import SyncRun
    from tests.sync_stage import SyncStage

EVENTS = [
    {
        "event": name,
        "distinct_id": f"u{person}",
        "timestamp": f"2026-11-{day:02d}T10:00:00Z",
        "properties": {"$session_id": f"s{person}"},
    }
    for day in range(1, 21)
    for person, name in enumerate(("$pageview", "cart"))
]


async def newest(stage: SyncStage) -> SyncRun:
    """The run that was made last."""
    return (await stage.runs())[0]


async def due(stage: SyncStage) -> None:
    """To the connection's next due time, then the tick."""
    connection = await stage.connection()
    assert connection.due_at is not None
    stage.forward(connection.due_at - stage.app.now() + timedelta(seconds=1))
    assert await stage.tick() == 1
