"""Many requests at once, of many tenants: each event counted once, each tenant's own, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from hedgerow.deliveries import Delivery
from hedgerow.errors import TransientError
from hedgerow.logs import log
from tests.functions.capture.accept_room import room
from tests.functions.capture.counting_upstream import Batch, healthy, strict
from tests.functions.capture.shaky_store import Shaking
from tests.functions.capture.wire_bytes import OK, event, v1_headers


@pytest.mark.parametrize("is_down", [False, True])
async def test_two_hundred_requests_of_ten_tenants_at_once(is_down: bool) -> None:
    async with room(strict) as there:
        tokens = [await there.project(tenant=await there.stage.tenant(name=f"T{number}")) for number in range(10)]
        if is_down:
            await there.upstream.off()
        sent = [(tokens[number % 10], [event(f"of {number % 10}"), event("more")]) for number in range(200)]
        answers = await asyncio.gather(
            *((there.v1 if number % 3 else there.v0)(token, some) for number, (token, some) in enumerate(sent))
        )
        assert {answer.status_code for answer in answers} == {200}
        if is_down:
            assert await there.books() == {"accepted": 400, "pending": 400}
            assert len(await there.deliveries()) < 200
            await there.upstream.on()
            await there.drained()
        assert await there.books() == {"accepted": 400, "delivered": 400}
        for token in tokens:
            assert await there.books(token) == {"accepted": 40, "delivered": 40}
        owners = {each["uuid"]: token for token, some in sent for each in some}
        assert there.upstream.uuids == set(owners)
        assert set(there.upstream.rows.values()) == {1}
        for batch in there.upstream.seen:
            assert {owners[each["uuid"]] for each in batch.events} == {batch.token}


@pytest.mark.parametrize("is_down", [False, True])
async def test_the_same_uuid_of_two_tenants_is_two_events(is_down: bool) -> None:
    async with room() as there:
        one, other = await there.project(), await there.project(tenant=await there.stage.tenant(name="Other"))
        if is_down:
            await there.upstream.off()
        same = event()
        for token in (one, other):
            assert (await there.v0(token, [same])).content == OK
        if is_down:
            await there.upstream.on()
        await there.drained()
        assert [await there.books(token) for token in (one, other)] == [{"accepted": 1, "delivered": 1}] * 2
        assert {batch.token for batch in there.upstream.seen} == {one, other}
        assert list(there.upstream.rows.values()) == [2]


@pytest.mark.parametrize("is_v1", [False, True])
async def test_a_repeat_is_one_event_whether_posthog_is_there_or_not(is_v1: bool) -> None:
    async with room() as there:
        token = await there.project()
        await there.upstream.off()
        # Without a time of its own an event has that of its first arrival.
        batch = [event(), {**event(), "timestamp": ""}, event("twice")]
        batch.append(batch[2])
        for _ in range(3):
            answer = await (there.v1 if is_v1 else there.v0)(token, batch)
            assert answer.status_code == 200
            there.stage.clock.forward(timedelta(seconds=4))
        assert await there.books() == {"accepted": 3, "pending": 3}
        await there.upstream.on()
        await there.drained()
        there.host.breakers.succeeded(f"{there.upstream.origin} {token}")
        await (there.v1 if is_v1 else there.v0)(token, batch)
        assert len(there.upstream.rows) == 3
        assert await there.books() == {"accepted": 3, "delivered": 3}


async def test_a_repeat_beside_its_first_copy_waits_for_what_becomes_of_it() -> None:
    gate = asyncio.Event()

    async def slow(batch: Batch) -> web.StreamResponse:
        await gate.wait()
        return web.Response(status=503)

    async with room(slow, forward_seconds=5.0) as there:
        token = await there.project()
        batch = [event()]
        sending = [asyncio.create_task(there.v0(token, batch)) for _ in range(5)]
        for _ in range(250):
            if there.upstream.seen:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert len(there.upstream.seen) == 1
        gate.set()
        assert {(await each).content for each in sending} == {OK}
        assert await there.books() == {"accepted": 1, "pending": 1}
        assert (await there.marks())["repeated"] == 4


async def test_the_breaker_opens_and_closes_and_nothing_is_lost_on_the_way() -> None:
    async with room(lambda _: web.Response(status=503)) as there:
        token = await there.project()
        events = [event() for _ in range(60)]
        for each in events[:20]:
            await there.v0(token, [each])
        # Five failures, and then not every request asks.
        assert len(there.upstream.seen) < 10
        there.upstream.answer = healthy
        async with asyncio.timeout(10):
            at = 20
            while len(there.upstream.rows) == 0:
                await there.v0(token, [events[at]])
                at += 1
                await asyncio.sleep(0.3)
        for each in events[at:]:
            await there.v0(token, [each])
        assert there.upstream.uuids >= {each["uuid"] for each in events[at:]}
        await there.drained()
        assert there.upstream.uuids == {each["uuid"] for each in events}
        assert set(there.upstream.rows.values()) == {1}
        assert await there.books() == {"accepted": 60, "delivered": 60}


async def test_requests_of_one_moment_share_their_commits() -> None:
    async with room() as there:
        token = await there.project()
        await there.upstream.off()
        for _ in range(6):
            await there.v0(token, [event()])
        await asyncio.gather(*(there.v0(token, [event()]) for _ in range(200)))
        found = await there.stage.store.find(Delivery, limit=1_000)
        assert sum(each.count for each in found.items) == 206
        assert len(found.items) < 120


async def test_an_hour_that_ends_during_an_outage_keeps_both_hours_apart() -> None:
    async with room() as there:
        token = await there.project()
        await there.upstream.off()
        await there.v0(token, [event()])
        there.stage.clock.forward(timedelta(minutes=31))
        await there.v0(token, [event()])
        hours = {each.hour: each.count for each in await there.deliveries()}
        assert sorted(hours.values()) == [1, 1]
        await there.upstream.on()
        await there.drained()
        assert await there.books() == {"accepted": 2, "delivered": 2}


async def test_no_log_line_has_a_token_or_a_body_and_no_answer_has_anothers() -> None:
    shaking = Shaking()
    log()
    with capture_logs() as lines:
        async with room(strict, before=shaking) as there:
            token, other = await there.project(), await there.project(tenant=await there.stage.tenant(name="Other"))
            secret = "ann.of.green.gables"
            answers = [await there.v0(other, [event("theirs", properties={"x": secret})])]
            bad = b'{"api_key":"%s","batch":[{"event":"%s" "x"},{"event":"a"}]}' % (token.encode(), secret.encode())
            answers += [
                await there.v0(token, [event("poison", distinct_id=secret), event(secret)]),
                await there.send("/batch/", bad),
                await there.send("/batch/", secret.encode()),
                await there.send(f"/batch/?token={token}", b"\x1f\x8b\x08" + secret.encode()),
                await there.v0("phc_" + secret, [event()]),
                await there.v1(token, [event("", distinct_id=secret)]),
                await there.send("/i/v1/analytics/events", secret.encode(), v1_headers(token)),
            ]
            await there.upstream.off()
            answers.append(await there.v0(token, [event(secret)]))
            shaking.it.down = TransientError
            answers.append(await there.v0(token, [event(secret)]))
            assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 200, 401, 200, 200, 200, 503]
            shaking.it.down = None
            for answer in answers:
                said = answer.text + json.dumps(dict(answer.headers))
                assert secret not in said
                assert "theirs" not in said
                assert token not in said
                assert other not in said
    assert {line["event"] for line in lines} >= {"capture.store_down"}
    said = str(lines)
    assert secret not in said
    assert token not in said
    assert other not in said
