"""One row for UTC day, event, distinct id and uuid: the last to arrive stays."""

import asyncio
from typing import Any

from tests.unit.local_posthog.conftest import Caller

UUID = "0196a000-0000-7000-8000-000000000001"


def event(**changes: Any) -> dict[str, Any]:
    return {
        "event": "a",
        "distinct_id": "u",
        "uuid": UUID,
        "timestamp": "2025-06-10T10:00:00Z",
        "properties": {"n": 1},
        **changes,
    }


async def test_the_last_copy_stays_even_within_a_batch(caller: Caller) -> None:
    await caller.capture(event(), event(properties={"n": 2}))
    await caller.capture(event(properties={"n": 3}, timestamp="2025-06-10T11:00:00Z"))
    rows = await caller.rows("select properties.n, timestamp from events")
    assert rows == [[3.0, "2025-06-10T11:00:00Z"]]


async def test_a_filter_sees_the_surviving_copy_only(caller: Caller) -> None:
    await caller.capture(event(properties={"n": 1}))
    await caller.capture(event(properties={"n": 2}, timestamp="2025-06-10T20:00:00Z"))
    assert await caller.rows("select count() from events where properties.n = 1") == [[0]]
    assert await caller.rows("select count() from events where timestamp < '2025-06-10 12:00:00'") == [[0]]


async def test_another_day_event_id_or_uuid_is_another_row(caller: Caller) -> None:
    await caller.capture(
        event(),
        event(timestamp="2025-06-11T10:00:00Z"),
        event(event="b"),
        event(distinct_id="v"),
        event(uuid="0196a000-0000-7000-8000-000000000002"),
    )
    assert await caller.rows("select count() from events") == [[5]]


async def test_the_day_is_the_utc_day_whatever_the_projects_zone(caller: Caller) -> None:
    caller.posthog.change_project(timezone="Asia/Tokyo")
    # One local day in Tokyo, two UTC days: two rows.
    await caller.capture(event(timestamp="2025-06-10T23:00:00Z"), event(timestamp="2025-06-11T01:00:00Z"))
    assert await caller.rows("select toDate(timestamp) as d, count() from events group by d") == [["2025-06-11", 2]]


async def test_a_repeated_batch_after_a_lost_answer_counts_once(caller: Caller) -> None:
    for _ in range(3):
        await caller.capture(event(), event(event="b"))
    assert await caller.rows("select count() from events") == [[2]]


async def test_batches_arriving_together_are_all_stored_before_their_answers(caller: Caller) -> None:
    async def send(number: int) -> list[list[Any]]:
        answer = await caller.capture({"event": "together", "distinct_id": f"u{number}"})
        assert answer.status_code == 200
        return await caller.rows("select count() from events where distinct_id = {id}", id=f"u{number}")

    caller.posthog.limits.lift()
    found = await asyncio.gather(*(send(number) for number in range(40)))
    assert found == [[[1]]] * 40
