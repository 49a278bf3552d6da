"""What a tick says of itself is what the alarm judges: how long the longest waiting connection has been due."""

from __future__ import annotations

from datetime import timedelta

from structlog.testing import capture_logs

from functions.sync import ticking
from hedgerow.ports import Add, Swap
from tests.sync_stage import NOW, sync_stage


async def test_a_tick_says_how_long_the_longest_waiting_was_due() -> None:
    async with sync_stage(tier="scale") as stage:
        one = await stage.connection()
        due = {"con_late": 45, "con_later": 90, "con_now": 0, "con_to_come": -5}
        await stage.store.commit(
            Swap(one.model_copy(update={"due_at": None})),
            *(
                Add(one.model_copy(update={"id": id, "version": 0, "due_at": NOW - timedelta(minutes=minutes)}))
                for id, minutes in due.items()
            ),
        )
        with capture_logs() as lines:
            assert await ticking.tick(stage.app, "scale") == 3
            assert await ticking.tick(stage.app, "pro") == 0

    said = [(line["tier"], line["due"], line["oldest_due_seconds"]) for line in lines if line["event"] == "tick.done"]
    assert said == [("scale", 3, 90 * 60), ("pro", 0, 0)]
