"""Deliveries of one connection share requests, and each still has its own story."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import orjson
import pytest
from aiohttp import web

from hedgerow.deliveries import Delivery, Lane, compressed, packed_batch
from hedgerow.ports import Swap
from tests.functions.capture.redelivery_room import Batch, Event, events, room, unzipped, upstream, uuids

PROBE = 1


def refuses(*, status: int = 400) -> web.Response:
    return web.Response(status=status, text="no")


async def test_what_waits_for_one_project_goes_out_in_few_requests_in_its_order() -> None:
    async with upstream() as posthog, room(posthog) as here:
        first, second = await here.connection(posthog.origin), await here.connection(posthog.origin)
        waiting: dict[str | None, list[list[Event]]] = {first.project_token: [], second.project_token: []}
        for number in range(200):
            here.stage.clock.forward(timedelta(milliseconds=1))
            to, some = second if number % 10 == 9 else first, events(3)
            await here.kept(to, some)
            waiting[to.project_token].append(some)
        await here.tick()
        assert posthog.rows == uuids([event for each in waiting.values() for some in each for event in some])
        assert len(posthog.seen) < 20
        for token, ours in waiting.items():
            order = [event["uuid"] for each in ours for event in each]
            for batch in posthog.seen:
                if batch.token == token:
                    sent = [event["uuid"] for event in batch.events]
                    begin = order.index(sent[0])
                    assert order[begin : begin + len(sent)] == sent
        stories = Counter((each.state, each.tries, len(each.attempts)) for each in await here.deliveries())
        assert stories == {("delivered", 1, 1): 200}
        assert await here.books() == {"accepted": 600, "delivered": 600}


async def test_no_request_takes_more_than_two_thousand_events() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        for _ in range(12):
            await here.kept(connection, events(700))
        await here.tick()
        numbers = [len(batch.events) for batch in posthog.seen]
        assert sum(numbers) == 8_400
        assert max(numbers) == 1_400


async def test_live_and_historical_events_never_share_a_request() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        for number in range(40):
            name = "old" if number // 5 % 2 else "new"
            await here.kept(connection, events(1, name), historical=name == "old")
        await here.tick()
        assert len(posthog.seen) < 40
        assert {(batch.historical, event["event"]) for batch in posthog.seen for event in batch.events} == {
            (True, "old"),
            (False, "new"),
        }


@pytest.mark.parametrize("lane", ["ai", "recordings", "merges"])
async def test_other_lanes_go_one_by_one(lane: Lane) -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        for _ in range(8):
            await here.kept(connection, events(2), lane=lane)
        await here.tick()
        assert [len(batch.events) for batch in posthog.seen] == [2] * 8


@pytest.mark.parametrize("status", [400, 413])
async def test_a_refused_request_costs_the_good_ones_in_it_nothing(status: int) -> None:
    def answer(batch: Batch) -> web.Response:
        return refuses(status=status) if any(event["event"] == "poison" for event in batch.events) else web.Response()

    async with upstream(answer) as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        good = [events(2) for _ in range(15)]
        for batch in good[:8]:
            await here.kept(connection, batch)
        poisoned = await here.kept(connection, [*events(1), *events(1, "poison")])
        for batch in good[8:]:
            await here.kept(connection, batch)
        await here.tick()
        assert await here.books() == {"accepted": 32, "delivered": 31, "dead": 1}
        whole = [each for each in await here.deliveries() if each.split_from is None]
        assert {(each.state, each.tries) for each in whole} == {("delivered", 1)}
        assert len(whole) == 15
        assert [each.state for each in await here.deliveries() if each.split_from == poisoned.id] in (
            ["delivered", "dead"],
            ["dead", "delivered"],
        )


async def test_a_failed_request_leaves_all_of_it_waiting_with_the_reason() -> None:
    taken = 0

    def answer(batch: Batch) -> web.Response:
        nonlocal taken
        taken += 1
        return web.Response() if taken == PROBE else web.Response(status=503)

    async with upstream(answer) as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        for _ in range(21):
            await here.kept(connection, events(1))
        await here.tick()
        waiting = [each for each in await here.deliveries() if each.state == "pending"]
        assert len(waiting) == 20
        tried = [each for each in waiting if each.tries]
        assert all(len(each.payload) > 20 and len(each.attempts) == each.tries for each in tried)
        assert {each.trouble.code for each in tried if each.trouble} == {"posthog_failed"}
        assert len({each.due_at for each in tried}) > 1, "each waits a little differently"
        assert all(each.due_at and each.due_at > here.stage.clock() for each in tried)
        assert await here.books() == {"accepted": 21, "delivered": 1, "pending": 20}


async def test_what_cannot_be_joined_goes_alone_as_it_was_kept() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        kept = [await here.kept(connection, events(1)) for _ in range(12)]
        # As an older revision packed them, and as another project's.
        for delivery, token in zip(kept[4:6], (connection.project_token or "", "phc_before"), strict=True):
            stands = await here.stage.store.get(Delivery, delivery.id)
            assert stands is not None
            inner = unzipped(stands.payload)["batch"]
            plain = packed_batch(token, unjoined(inner), historical=False)
            await here.stage.store.commit(Swap(stands.model_copy(update={"payload": compressed(plain)})))
        await here.tick()
        assert sum(len(batch.events) for batch in posthog.seen) == 12
        assert Counter(batch.token for batch in posthog.seen)["phc_before"] == 1
        assert await here.books() == {"accepted": 12, "delivered": 12}


def unjoined(some: list[Event]) -> bytes:
    return orjson.dumps(some)[1:-1]
