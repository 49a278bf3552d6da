"""Two people at the same dead messages: nothing is published and said to be dropped, and the rest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hedgerow.cli.operations.dead import dropping, letters, redelivering
from hedgerow.dead_letters import DeadMessage
from hedgerow.messages import RunEnded
from hedgerow.ports import Delete
from tests.crash import Crash, Fuse, armed
from tests.functions.dead.dying import died
from tests.meanwhile import meanwhile
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        yield built


def ended(number: int) -> RunEnded:
    return RunEnded(connection_id="con_1", run_id=f"run_{number}")


async def state(stage: Stage, number: int) -> str:
    found = await stage.store.get(DeadMessage, f"dead_{number}")
    return "gone" if found is None else letters.state_of(found)


async def test_what_is_being_redelivered_is_not_dropped_and_nothing_stops(stage: Stage) -> None:
    ids = [(await died(stage, ended(number), number)).id for number in range(60)]
    drops: list[dropping.Drop] = []

    async def drop() -> None:
        drops.extend(await dropping.drop(stage.app, ["dead_0", "dead_1", "dead_55"]))

    done = await redelivering.redeliver(meanwhile(stage.app, "queue.publish", drop), ids)

    assert [each.refused for each in drops] == ["It is being redelivered."] * 2 + [""]
    assert [each.id for each in done if each.refused] == ["dead_55"]
    assert sorted(await stage.published(RunEnded.topic)) == sorted(f"run_{n}" for n in range(60) if n != 55)
    assert {await state(stage, number) for number in range(60) if number != 55} == {"redelivered"}
    assert await state(stage, 55) == "gone"


async def test_what_is_redelivered_during_a_drop_stays_and_the_rest_goes(stage: Stage) -> None:
    ids = [(await died(stage, ended(number), number)).id for number in range(3)]

    async def redeliver() -> None:
        await redelivering.redeliver(stage.app, ["dead_1"])

    dropped = await dropping.drop(meanwhile(stage.app, "store.commit", redeliver), ids)

    assert [(each.id, bool(each.refused), bool(each.hint)) for each in dropped] == [
        ("dead_0", False, False),
        ("dead_1", True, True),
        ("dead_2", False, False),
    ]
    assert [await state(stage, number) for number in range(3)] == ["gone", "redelivered", "gone"]


async def test_of_two_redeliveries_one_takes_each_message(stage: Stage) -> None:
    ids = [(await died(stage, ended(number), number)).id for number in range(3)]
    theirs: list[redelivering.Redelivery] = []

    async def redeliver() -> None:
        theirs.extend(await redelivering.redeliver(stage.app, ["dead_1"]))

    ours = await redelivering.redeliver(meanwhile(stage.app, "store.commit", redeliver), ids)

    assert [each.refused for each in theirs] == [""]
    assert [bool(each.refused) for each in ours] == [False, True, False]
    assert sorted(await stage.published(RunEnded.topic)) == ["run_0", "run_1", "run_2"]
    assert [await state(stage, number) for number in range(3)] == ["redelivered"] * 3


async def test_what_goes_away_while_it_is_published_was_published(stage: Stage) -> None:
    dead = await died(stage, ended(1))

    async def expire() -> None:
        await stage.store.commit(Delete(DeadMessage, dead.id))

    (done,) = await redelivering.redeliver(meanwhile(stage.app, "queue.publish", expire), [dead.id])

    assert (done.refused, await stage.published(RunEnded.topic)) == ("", ["run_1"])


async def test_a_redelivery_that_was_killed_can_be_dropped_once_it_is_certain(stage: Stage) -> None:
    dead = await died(stage, ended(1))
    with pytest.raises(Crash):
        await redelivering.redeliver(armed(stage.app, Fuse(3)), [dead.id])
    assert await state(stage, 1) == "redelivering"

    assert [each.refused for each in await dropping.drop(stage.app, [dead.id])] == ["It is being redelivered."]
    stage.clock.forward(dropping.STOPPED)
    assert [each.refused for each in await dropping.drop(stage.app, [dead.id])] == [""]
    assert await state(stage, 1) == "gone"
