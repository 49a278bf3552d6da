"""Redelivery: what waits goes out once PostHog takes it, fairly, whole, and is counted."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from functions.capture.redelivery.drain_lease import ID, LEASE, DrainLease
from hedgerow.capture_rules import CaptureRules, MergeRules
from hedgerow.deliveries import Delivery, DeliveryChunk
from hedgerow.models import Connection
from hedgerow.ports import Add, Delete, Patch, Swap
from tests.functions.capture.redelivery_room import Batch, events, room, upstream, uuids


def says(status: int, text: str = "", **headers: str) -> web.Response:
    return web.Response(status=status, text=text, headers=headers)


async def test_what_waits_goes_out_once_and_the_books_balance() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        batches = [events(3), events(2, "cart"), events(1)]
        for batch in batches:
            await here.kept(connection, batch)
        assert await here.books() == {"accepted": 6, "pending": 6}
        done = await here.tick()
        assert (done["delivered"], posthog.rows) == (6, uuids([event for batch in batches for event in batch]))
        assert await here.books() == {"accepted": 6, "delivered": 6}
        assert {(each.state, each.payload, each.due_at, each.tries) for each in await here.deliveries()} == {
            ("delivered", b"", None, 1)
        }
        assert {(batch.path, batch.token) for batch in posthog.seen} == {("/batch/", connection.project_token)}
        assert await here.tick() == {"waiting": False}


async def test_only_the_probe_suffers_while_posthog_is_down_and_all_drains_when_it_is_back() -> None:
    is_down = True
    async with upstream(lambda batch: says(503 if is_down else 200)) as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        for _ in range(30):
            await here.kept(connection, events(2))
        due = Counter(each.due_at for each in await here.deliveries())
        for tick in range(1, 4):
            done = await here.tick()
            assert (done["closed"], len(posthog.seen)) == (1, tick)
        waiting = await here.deliveries()
        assert sum(each.tries for each in waiting) == 3
        assert Counter(each.due_at for each in waiting if not each.tries) == due - Counter(dict.fromkeys(due, 3))
        assert all(each.due_at and each.due_at <= here.stage.clock() + timedelta(minutes=1) for each in waiting)
        is_down = False
        assert (await here.tick())["delivered"] == 60
        assert await here.books() == {"accepted": 60, "delivered": 60}


async def test_retry_after_is_respected_and_never_beyond_a_minute() -> None:
    async with upstream(lambda batch: says(429, "", **{"Retry-After": "3600"})) as posthog, room(posthog) as here:
        await here.kept(await here.connection(posthog.origin), events(1))
        await here.tick()
        (waits,) = await here.deliveries()
        assert waits.due_at == here.stage.clock() + timedelta(seconds=60)


async def test_one_poison_of_hundreds_stands_alone_dead_and_the_rest_arrives() -> None:
    def refuses(batch: Batch) -> web.Response:
        return says(400, "event submitted without a distinct_id") if poisoned(batch) else says(200)

    def poisoned(batch: Batch) -> bool:
        return any(event["properties"].get("poison") for event in batch.events)

    async with upstream(refuses) as posthog, room(posthog) as here:
        some = events(300)
        some[137]["properties"] = {"poison": True}
        await here.kept(await here.connection(posthog.origin), some)
        await here.tick()
        dead = [each for each in await here.deliveries() if each.state == "dead"]
        assert [(each.count, each.trouble and each.trouble.detail) for each in dead] == [
            (1, "event submitted without a distinct_id")
        ]
        assert posthog.rows == uuids(some) - uuids([some[137]])
        assert await here.books() == {"accepted": 300, "delivered": 299, "dead": 1}


async def test_too_large_is_halved_until_it_fits() -> None:
    async with upstream(lambda batch: says(413 if len(batch.events) > 4 else 200)) as posthog, room(posthog) as here:
        some = events(30)
        await here.kept(await here.connection(posthog.origin), some, historical=True)
        await here.tick()
        assert posthog.rows == uuids(some)
        assert all(batch.historical for batch in posthog.seen)
        assert await here.books() == {"accepted": 30, "delivered": 30}


async def test_a_payload_of_several_documents_goes_out_whole_and_leaves_none() -> None:
    async with upstream() as posthog, room(posthog) as here:
        some = events(3)
        for event in some:
            event["properties"] = {"filling": secrets.token_hex(600_000)}
        kept = await here.kept(await here.connection(posthog.origin), some)
        assert kept.chunks > 1
        await here.tick()
        assert posthog.seen[0].events == some
        assert await here.stage.store.count(DeliveryChunk) == 0


async def test_a_lost_chunk_is_a_reason_to_die() -> None:
    async with upstream() as posthog, room(posthog) as here:
        some = events(2)
        some[0]["properties"] = {"filling": secrets.token_hex(1_000_000)}
        kept = await here.kept(await here.connection(posthog.origin), some)
        await here.stage.store.commit(Delete(DeliveryChunk, f"{kept.id}:1"))
        await here.tick()
        (dead,) = await here.deliveries()
        assert (dead.state, dead.trouble and dead.trouble.code) == ("dead", "payload_incomplete")
        assert await here.books() == {"accepted": 2, "dead": 2}


async def test_a_tenants_thousands_do_not_keep_another_waiting() -> None:
    async with upstream() as posthog, room(posthog) as here:
        large, small = await here.connection(posthog.origin), await here.connection(posthog.origin)
        for _ in range(1_000):
            await here.kept(large, events(1))
        here.stage.clock.forward(timedelta(seconds=10))
        await here.kept(small, events(1))
        await here.tick()
        order = [batch.token for batch in posthog.seen for _ in batch.events]
        assert len(order) == 1_001
        assert order.index(small.project_token) < 300


async def test_however_many_wait_each_is_found() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connections = [await here.connection(posthog.origin) for _ in range(40)]
        for connection in connections:
            await here.kept(connection, events(1))
        await here.tick()
        assert {batch.token for batch in posthog.seen} == {connection.project_token for connection in connections}
        assert await here.books() == {"accepted": 40, "delivered": 40}


async def test_a_dead_upstream_costs_the_others_nothing() -> None:
    async with upstream(lambda batch: says(502)) as broken, upstream() as posthog, room(broken, posthog) as here:
        fails, works = await here.connection(broken.origin), await here.connection(posthog.origin)
        for _ in range(5):
            await here.kept(fails, events(1))
            await here.kept(works, events(1))
        await here.tick()
        assert (len(broken.seen), sum(posthog.rows.values())) == (1, 5)


async def test_an_upstream_that_falls_over_is_left_alone_for_the_rest_of_the_tick() -> None:
    taken = 0

    def falls(batch: Batch) -> web.Response:
        nonlocal taken
        taken += 1
        return says(200 if taken <= 20 else 500)

    async with upstream(falls) as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        for _ in range(200):
            await here.kept(connection, events(1), lane="ai")
        await here.tick()
        assert 20 < taken < 60
        untouched = [each for each in await here.deliveries() if not each.tries]
        assert len(untouched) == 200 - taken


async def test_a_disconnected_connections_events_still_go_out_and_a_purged_ones_do_not() -> None:
    async with upstream() as posthog, room(posthog) as here:
        left, purged = await here.connection(posthog.origin), await here.connection(posthog.origin)
        await here.kept(left, events(2))
        await here.kept(purged, events(3))
        ended = {"state": "disconnected", "refuse_traffic": True}
        going = {"state": "disconnecting", "disconnect_purge": True}
        await here.stage.store.commit(Swap(left.model_copy(update=ended)), Swap(purged.model_copy(update=going)))
        await here.tick()
        assert {batch.token for batch in posthog.seen} == {left.project_token}


async def test_what_was_kept_after_a_purge_goes_with_it() -> None:
    async with upstream() as posthog, room(posthog) as here:
        gone = await here.connection(posthog.origin)
        await here.kept(gone, events(2))
        await here.stage.store.commit(Delete(Connection, gone.id))
        await here.tick()
        assert await here.deliveries() == []
        assert posthog.seen == []


async def test_a_connection_that_alone_fails_starves_nobody() -> None:
    lame: list[str] = []
    async with upstream(lambda batch: says(500 if batch.token in lame else 200)) as posthog, room(posthog) as here:
        failing, sound = await here.connection(posthog.origin), await here.connection(posthog.origin)
        lame.append(failing.project_token or "")
        for _ in range(40):
            await here.kept(failing, events(1))
        await here.kept(sound, events(1))
        await here.tick()
        left = Counter(each.connection_id for each in await here.deliveries() if each.state == "pending")
        assert left == {failing.id: 40}


async def test_a_recording_goes_as_an_array_with_its_token() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        plain, named = events(1, "$snapshot")[0], {**events(1, "$snapshot")[0], "token": connection.project_token}
        await here.kept(connection, [plain, named], lane="recordings")
        await here.tick()
        (batch,) = posthog.seen
        assert (batch.path, batch.events) == ("/s/", [{"api_key": connection.project_token, **plain}, named])


async def test_two_ticks_never_drain_at_once_and_a_dead_ones_lease_is_taken_over() -> None:
    async with upstream() as posthog, room(posthog) as here:
        await here.kept(await here.connection(posthog.origin), events(1))
        until = here.stage.clock() + timedelta(minutes=1, seconds=1)
        await here.stage.store.commit(Add(DrainLease(id=ID, holder="another", until=until)))
        assert await here.tick() == {"waiting": True, "busy": True}
        assert posthog.seen == []
        assert timedelta(seconds=60) > LEASE
        assert (await here.tick())["delivered"] == 1


async def test_the_merge_guard_is_asked_and_without_a_word_of_posthogs_merges_wait() -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        rules = CaptureRules(
            id=connection.id, tenant_id=here.tenant.id, connection_id=connection.id, merges=MergeRules(on=True)
        )
        await here.stage.store.commit(Add(rules))
        merge = events(1, "$create_alias", alias="other")
        await here.kept(connection, merge, lane="merges")
        await here.kept(connection, events(1))
        # The connection's own host cannot be reached from here: nobody can say whom the merge joins.
        unreachable = connection.model_copy(update={"host": "https://127.0.0.1:9"})
        await here.stage.store.commit(Swap(unreachable))
        await here.tick()
        assert [batch.events[0]["event"] for batch in posthog.seen] == ["paid"]
        (waits,) = [each for each in await here.deliveries() if each.state == "pending"]
        assert (waits.lane, waits.tries) == ("merges", 1)
        without = unreachable.model_copy(update={"secret_ref": None})
        now = await here.stage.store.get(Connection, connection.id)
        assert now is not None
        await here.stage.store.commit(Swap(without.model_copy(update={"version": now.version})))
        await here.tick()
        assert posthog.rows[str(merge[0]["uuid"])] == 1


@pytest.mark.parametrize("changed", ["gone", "again"])
async def test_what_somebody_else_changed_meanwhile_does_not_stop_the_others(changed: str) -> None:
    async with upstream() as posthog, room(posthog) as here:
        connection = await here.connection(posthog.origin)
        kept = [await here.kept(connection, events(1)) for _ in range(10)]
        meddler = here.stage.store

        class Meddling:
            """Changes one delivery in the moment before the outcomes are written."""

            done = False

            def __getattr__(self, name: str) -> object:
                return getattr(meddler, name)

            async def commit(self, *changes: object) -> object:
                if not self.done and any(isinstance(each, Patch) and each.id == kept[4].id for each in changes):
                    self.done = True
                    stands = await meddler.get(Delivery, kept[4].id)
                    assert stands is not None
                    other = Delete(Delivery, stands.id) if changed == "gone" else Swap(stands)
                    await meddler.commit(other)
                return await meddler.commit(*changes)  # type: ignore[arg-type]

        await here.tick(replace(here.stage.app, store=Meddling()))  # type: ignore[arg-type]
        states = Counter(each.state for each in await here.deliveries())
        assert states == Counter({"delivered": 9 if changed == "gone" else 10})
        books = await here.books()
        assert books["delivered"] == states["delivered"]
        assert books["accepted"] == books["delivered"] + books.get("pending", 0)
