"""Our own store at fault: nothing is promised that is not kept, and what was promised before still holds."""

from __future__ import annotations

import asyncio
import base64
import os
import sqlite3
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.capture_rules import CaptureRules, PrivacyRules
from hedgerow.errors import SecretGoneError, TransientError
from hedgerow.logs import log
from hedgerow.tallies import CaptureCount
from tests.functions.capture.accept_room import Room, room
from tests.functions.capture.shaky_store import Shaking
from tests.functions.capture.wire_bytes import OK, event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from hedgerow.app import App
    from hedgerow.ports import Vault


def _forget_freshness(there: Room) -> None:
    """Ten seconds pass for what is known of projects."""
    kept = there.host.projects._kept
    for token, (project, _) in kept.items():
        kept[token] = (project, 0.0)


async def test_both_down_is_503_and_the_sdks_repeat_counts_once_at_the_first_instant() -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        token = await there.project()
        assert (await there.v0(token, [event("first")])).content == OK
        await there.upstream.off()
        shaking.it.down = TransientError
        late = {**event("no time"), "timestamp": None}
        batch = [event(), late]
        for _ in range(2):
            answer = await there.v0(token, batch)
            assert (answer.status_code, answer.text) == (503, "transient error, please retry")
            assert answer.headers["retry-after"] == "5"
            there.stage.clock.forward(timedelta(seconds=2))
        answer = await there.v1(token, batch)
        assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
        assert answer.headers["retry-after"] == "5"
        shaking.it.down = None
        assert await there.books() == {"accepted": 1, "delivered": 1}
        assert (await there.v0(token, batch)).content == OK
        assert (await there.v0(token, batch)).content == OK
        assert await there.books() == {"accepted": 3, "delivered": 1, "pending": 2}
        await there.upstream.on()
        await there.drained()
        assert set(there.upstream.rows.values()) == {1}
        assert there.upstream.bodies[late["uuid"]][0]["timestamp"] == "2026-11-20T15:30:00.000000Z"
        assert await there.books() == {"accepted": 3, "delivered": 3}
        assert (await there.marks())["repeated"] == 2


async def test_with_posthog_well_a_store_that_is_down_is_not_noticed_by_known_projects() -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        known, unknown = await there.project(), await there.project()
        await there.v0(known, [event()])
        shaking.it.down = TransientError
        _forget_freshness(there)
        for _ in range(3):
            assert (await there.v0(known, [event()])).content == OK
        answer = await there.v0(unknown, [event()])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await there.client.get(f"/array/{unknown}/config")).status_code == 503
        shaking.it.down = None
        assert (await there.v0(unknown, [event()])).content == OK
        assert await there.books(known) == {"accepted": 4, "delivered": 4}
        assert await there.books(unknown) == {"accepted": 1, "delivered": 1}


async def test_a_store_that_hangs_costs_known_projects_a_second_now_and_then() -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        token = await there.project()
        await there.v0(token, [event()])
        shaking.it.seconds = 12.0
        _forget_freshness(there)
        began = time.monotonic()
        assert (await there.v0(token, [event()])).content == OK
        assert (await there.v0(token, [event()])).content == OK
        # One second for the rules, two for the counts.
        assert time.monotonic() - began < 5
        shaking.it.seconds = 0.0


async def test_what_posthog_took_beside_what_nobody_could_keep_is_counted_once() -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        token = await there.project()
        await there.v0(token, [event("first")])
        shaking.it.down = TransientError
        good, bad = event("good"), event("bad", distinct_id=" ")
        for _ in range(2):
            assert (await there.v0(token, [good, bad])).status_code == 503
        shaking.it.down = None
        assert (await there.v0(token, [good, bad])).content == OK
        assert await there.books() == {"accepted": 3, "delivered": 2, "dead": 1}
        assert len(there.upstream.rows) == 2


async def test_a_locked_file_keeps_what_it_can_and_says_so_of_the_rest(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    async with room(store=store) as there:
        token = await there.project()
        await there.v0(token, [event("first")])
        await there.host.counts.flush()
        await there.upstream.off()
        locking = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        locking.execute("BEGIN IMMEDIATE")
        one, two = event("one"), event("two")
        waiting = asyncio.create_task(there.v0(token, [one]))
        await asyncio.sleep(1.5)
        assert not waiting.done()
        locking.execute("ROLLBACK")
        assert (await waiting).content == OK
        locking.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answer = await there.v0(token, [two])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert time.monotonic() - began < 10
        locking.execute("ROLLBACK")
        locking.close()
        await asyncio.sleep(0.5)
        assert (await there.v0(token, [two])).content == OK
        await there.upstream.on()
        await there.drained()
        assert {row[1] for row in there.upstream.rows} == {"first", "one", "two"}
        assert len(there.upstream.rows) == 3
        books = await there.books()
        assert books["accepted"] == books["delivered"]
    await store.close()


async def test_one_record_that_the_store_refuses_fails_alone() -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        token, other = await there.project(), await there.project()
        await there.v0(token, [event("first")])
        await there.upstream.off()
        bad = event("refused")
        shaking.it.refuses = bytes.fromhex(bad["uuid"].replace("-", ""))
        shaking.it.seconds = 0.05
        good = [event() for _ in range(30)]
        answers = await asyncio.gather(
            *(there.v0(token if number % 2 else other, [each]) for number, each in enumerate(good)),
            there.v0(token, [bad]),
        )
        assert [answer.status_code for answer in answers] == [200] * 30 + [503]
        shaking.it.seconds = 0.0
        assert await there.books() == {"accepted": 31, "delivered": 1, "pending": 30}


@pytest.mark.parametrize("error", [ValueError, MemoryError])
async def test_an_error_nobody_foresaw_is_a_503_and_nobody_hangs(error: type[Exception]) -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        token = await there.project()
        await there.v0(token, [event("first")])
        await there.upstream.off()
        shaking.it.down = error
        answers = await asyncio.gather(*(there.v0(token, [event()]) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {503}
        shaking.it.down = None
        assert (await there.v0(token, [event()])).content == OK
        assert (await there.books())["pending"] == 1


async def test_counts_whose_answer_was_lost_are_counted_once() -> None:
    shaking = Shaking()
    async with room(before=shaking) as there:
        token = await there.project()
        for deaf in (1, 0, 2, 1, 0):
            await there.v0(token, [event()])
            shaking.it.deaf = deaf
            await there.host.counts.flush()
            await there.v0(token, [event(), event("other")])
            await there.host.counts.flush()
            shaking.it.deaf = 0
        for _ in range(3):
            await there.host.counts.flush()
        assert await there.books() == {"accepted": 15, "delivered": 15}


async def test_counts_under_many_flushes_at_once_and_over_an_hours_end() -> None:
    async with room() as there:
        token = await there.project()

        async def send() -> None:
            await there.v0(token, [event()])
            await there.host.counts.flush()

        for _ in range(5):
            await asyncio.gather(*(send() for _ in range(20)))
            there.stage.clock.forward(timedelta(minutes=15))
        assert await there.books() == {"accepted": 100, "delivered": 100}
        hours = {record.hour for record in (await there.stage.store.find(CaptureCount, limit=100)).items}
        assert len(hours) >= 2


class KeylessVault:
    """A vault that has lost every secret, once told so."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.is_lost = False

    async def write(self, name: str, secret: SecretStr) -> str:
        return await self._vault.write(name, secret)

    async def read(self, reference: str) -> SecretStr:
        if self.is_lost:
            raise SecretGoneError("The secret was destroyed.")
        return await self._vault.read(reference)

    async def versions(self, name: str) -> tuple[str, ...]:
        return await self._vault.versions(name)

    async def destroy(self, name: str, *, keep: str | None = None, only: Sequence[str] | None = None) -> None:
        await self._vault.destroy(name, keep=keep, only=only)

    async def remove(self, name: str) -> None:
        await self._vault.remove(name)

    async def close(self) -> None:
        await self._vault.close()


async def test_a_guard_without_its_key_lets_nothing_pass() -> None:
    vaults: list[KeylessVault] = []

    def lossy(app: App) -> App:
        vaults.append(KeylessVault(app.vault))
        return replace(app, vault=vaults[0])

    async with room(before=lossy) as there:
        token = await there.project(privacy=PrivacyRules(identity="hash"))
        assert (await there.v0(token, [event(distinct_id="ann@shop.test")])).content == OK
        vaults[0].is_lost = True
        there.host.projects.forget(there.tokens[token].id)
        log()
        with capture_logs() as lines:
            answer = await there.v0(token, [event(distinct_id="bob@shop.test")])
        assert [line["event"] for line in lines] == ["capture.store_down"]
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        answer = await there.v1(token, [event(distinct_id="bob@shop.test")])
        assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
        answer = await there.send(f"/batch/?token={token}", b"\x1f\x8b\x08nonsense")
        assert answer.status_code == 503
        assert len(there.upstream.rows) == 1
        assert "shop.test" not in str(there.upstream.seen)
        assert (await there.stage.store.get(CaptureRules, there.tokens[token].id)) is not None
        vaults[0].is_lost = False
        assert (await there.v0(token, [event(distinct_id="bob@shop.test")])).content == OK


async def test_what_is_too_large_for_one_commit_is_kept_in_several() -> None:
    shaking = Shaking()
    async with room(before=shaking, forward_seconds=8.0) as there:
        token = await there.project()
        await there.v0(token, [event("first")])
        await there.upstream.off()
        noise = base64.b64encode(os.urandom(12_000_000)).decode()
        large = event("$ai_generation", properties={"$ai_input": noise})
        before = shaking.it.commits
        answer = await there.send("/i/v0/ai/batch/", {"api_key": token, "batch": [large]})
        assert (answer.status_code, answer.content) == (200, OK)
        assert shaking.it.commits - before >= 2
        await there.upstream.on()
        await there.drained()
        assert there.upstream.bodies[large["uuid"]][0]["properties"]["$ai_input"] == noise
        assert await there.books() == {"accepted": 2, "delivered": 2}


async def test_of_an_enormous_event_that_nobody_takes_only_the_beginning_is_kept() -> None:
    async with room(forward_seconds=8.0) as there:
        token = await there.project()
        good = event("good")
        noise = base64.b64encode(os.urandom(9_000_000)).decode()
        assert (await there.v0(token, [event("bad", properties={"x": noise}), good])).content == OK
        (dead,) = await there.deliveries()
        assert (dead.state, dead.trouble and dead.trouble.code, dead.chunks) == ("dead", "event_too_large", 0)
        assert there.upstream.uuids == {good["uuid"]}
        assert await there.books() == {"accepted": 2, "delivered": 1, "dead": 1}
