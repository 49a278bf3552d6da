"""Dead messages by hand: published again exactly, mended, refused or dropped; a crash neither loses nor doubles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hedgerow.adapters.embedded import Wanted
from hedgerow.cli.operations.dead import dropping, letters, redelivering
from hedgerow.dead_letters import DeadMessage
from hedgerow.errors import InvalidError, MissingError
from hedgerow.messages import RunEnded, SyncRequested
from hedgerow.ports import Add
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.functions.dead.dying import died
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


ENDED = RunEnded(connection_id="con_1", run_id="run_1")
REQUESTED = SyncRequested(connection_id="con_1", due_at=NOW)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


async def bodies(stage: Stage, *topics: str) -> list[str]:
    return [each.body for each in await stage.queue.exchange([], [Wanted(topic, 0, 1_000) for topic in topics])]


async def test_a_redelivered_message_is_the_same(stage: Stage) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    dead = await died(stage, REQUESTED, trace=trace)

    (done,) = await redelivering.redeliver(stage.app, [dead.id])

    assert (done.key, done.refused) == (REQUESTED.key, "")
    (waiting,) = await stage.queue.exchange([], [Wanted(SyncRequested.topic, 0, 10)])
    assert (waiting.body, json.loads(waiting.attributes)) == (dead.body, {"traceparent": trace})
    assert letters.state_of(await letters.one(stage.store, dead.id)) == "redelivered"


async def test_a_death_anywhere_loses_nothing_and_repeats_only_the_same_message(stage: Stage) -> None:
    dead = await died(stage, ENDED)
    fuse = Fuse()
    await redelivering.redeliver(armed(stage.app, fuse), [dead.id])
    for number, broken in enumerate(every_fuse(len(fuse.calls)), start=2):
        message = RunEnded(connection_id="con_1", run_id=f"run_{number}")
        dead = await died(stage, message, number)
        with pytest.raises(Crash):
            await redelivering.redeliver(armed(stage.app, broken), [dead.id])
        if letters.state_of(await letters.one(stage.store, dead.id)) == "redelivered":
            assert message.key in await stage.published(RunEnded.topic)
        await redelivering.redeliver_all(stage.app)
        assert message.model_dump_json() in await bodies(stage, RunEnded.topic)
        assert letters.state_of(await letters.one(stage.store, dead.id)) == "redelivered"


async def test_all_of_a_topic_and_then_all(stage: Stage) -> None:
    for number in range(260):
        await died(stage, RunEnded(connection_id="con_1", run_id=f"run_{number}"), number)
    await died(stage, REQUESTED, 999)

    assert len(await redelivering.redeliver_all(stage.app, "run-ended")) == 260
    assert await stage.published(RunEnded.topic, SyncRequested.topic) == [
        f"run_{number}" for number in range(259, -1, -1)
    ]

    assert [each.key for each in await redelivering.redeliver_all(stage.app)] == [REQUESTED.key]
    assert await redelivering.redeliver_all(stage.app) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"body": "{"}, "It is no RunEnded"),
        ({"body": '{"connection_id": "con_1"}'}, "run_id: Field required"),
        ({"body": '{"connection_id": "con_1", "run_id": "run_1", "region": "eu"}'}, "has no region"),
        ({"topic": "gone-topic"}, "knows no topic gone-topic"),
        ({"topic": "unknown"}, "knows no topic unknown"),
        ({"is_whole": False}, "not kept whole"),
    ],
)
async def test_what_cannot_be_published_as_it_was_is_refused_and_stops_nothing(
    stage: Stage, change: dict[str, object], why: str
) -> None:
    bad = await died(stage, ENDED, 1, **change)
    good = await died(stage, REQUESTED, 2)

    done = {each.id: each for each in await redelivering.redeliver_all(stage.app)}

    assert why in done[bad.id].refused
    assert done[bad.id].hint
    assert done[good.id].refused == ""
    assert letters.state_of(await letters.one(stage.store, bad.id)) == "dead"
    assert await stage.published(RunEnded.topic) == []


async def test_a_mended_body_goes_in_its_place(stage: Stage) -> None:
    dead = await died(stage, ENDED, body="{", is_whole=False, code="unreadable")
    with pytest.raises(InvalidError, match="no RunEnded"):
        await redelivering.redeliver_mended(stage.app, dead.id, json.dumps({"run_id": "run_1"}))

    done = await redelivering.redeliver_mended(stage.app, dead.id, ENDED.model_dump_json())

    assert done.key == "run_1"
    assert await bodies(stage, RunEnded.topic) == [ENDED.model_dump_json()]


async def test_an_id_that_is_not_there_stops_before_anything_is_done(stage: Stage) -> None:
    dead = await died(stage, ENDED)
    for verb in (redelivering.redeliver, dropping.drop):
        with pytest.raises(MissingError):
            await verb(stage.app, [dead.id, "dead_404"])
    assert letters.state_of(await letters.one(stage.store, dead.id)) == "dead"
    assert await stage.published(RunEnded.topic) == []

    assert await dropping.drop(stage.app, [dead.id, dead.id]) == [dropping.Drop(dead.id)]
    assert (await stage.store.find(DeadMessage)).items == ()


async def test_the_list_is_newest_first_and_by_topic(stage: Stage) -> None:
    for number in range(3):
        await died(stage, ENDED, number)
    await died(stage, REQUESTED, 7)
    old = '{"id": "dead_0ld", "topic": "run-ended", "body": "{", "reason": "no JSON", "at": "2026-11-01T15:30:00Z"}'
    await stage.store.commit(Add(DeadMessage.model_validate_json(old)))

    found, more = await letters.newest(stage.store, None, 4)
    assert ([each.id for each in found], more) == (["dead_7", "dead_2", "dead_1", "dead_0"], True)
    found, more = await letters.newest(stage.store, "run-ended", 4)
    assert ([each.id for each in found], more) == (["dead_2", "dead_1", "dead_0", "dead_0ld"], False)
