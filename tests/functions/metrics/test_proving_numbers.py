"""The proof through HTTP against a local PostHog: equal after a sync, and every way a PostHog may be wrong."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.requests import Request

from functions.metrics.main import metrics
from hedgerow import keys, slots, wiring
from hedgerow.models import ProjectSlot
from hedgerow.ports import Add, Swap
from local.posthog.faults import Fault, FaultKind
from tests.sync_stage import NOW, SyncStage, sync_stage

NAMES = ("$pageview", "$exception", "$feature_flag_called", "cart", 'odd "name"; 🌿')


def a_life(until: datetime, days: int = 45, seed: int = 1) -> list[dict[str, Any]]:
    """Events of thirty persons, in sessions that cross midnights, some of them sent twice."""
    chance = random.Random(seed)
    events: list[dict[str, Any]] = []
    for person in range(30):
        at = until - timedelta(days=chance.uniform(0, days))
        while at < until:
            session = f"s-{person}-{at.timestamp():.0f}"
            for _ in range(chance.randrange(1, 6)):
                events.append(an_event(chance, f"user-{person}", at, session))
                at += timedelta(seconds=chance.uniform(0, 4_000))
            at += timedelta(days=chance.expovariate(1 / 3))
    events += [dict(chance.choice(events)) for _ in range(40)]
    return [event for event in events if event["timestamp"] < until.isoformat()]


def an_event(chance: random.Random, who: str, at: datetime, session: str = "") -> dict[str, Any]:
    properties = {"$session_id": session} if session else {}
    uuid = str(UUID(int=chance.getrandbits(128), version=4))
    name = chance.choice(NAMES)
    return {"uuid": uuid, "event": name, "distinct_id": who, "timestamp": at.isoformat(), "properties": properties}


@asynccontextmanager
async def calling(stage: SyncStage) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the metrics family with a reader's key."""
    record, text = keys.make(stage.tenant.id, "test", "read", stage.app.now())
    await stage.store.commit(Add(record))

    async def family(scope: Any, receive: Any, send: Any) -> None:
        answer: Any = await metrics(Request(scope, receive))
        await answer(scope, receive, send)

    headers = {"Authorization": f"Bearer {text.get_secret_value()}"}
    transport = httpx.ASGITransport(app=family)
    with wiring.override(stage.app):
        async with httpx.AsyncClient(transport=transport, base_url="http://hedgerow.test", headers=headers) as client:
            yield client


async def prove(stage: SyncStage, **asked: str) -> httpx.Response:
    async with calling(stage) as client:
        return await client.get(f"/v1/connections/{stage.connection_id}/proof", params=asked)


async def slot_of(stage: SyncStage) -> ProjectSlot:
    slot = await stage.store.get(ProjectSlot, slots.slot_id(await stage.connection()))
    assert slot is not None
    return slot


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("UTC", NOW),
        ("Europe/Berlin", datetime(2026, 11, 5, 9, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 20, 3, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 5, 2, 3, tzinfo=UTC)),
        ("Asia/Kathmandu", NOW),
    ],
)
async def test_what_a_sync_stored_is_proved(zone: str, until: datetime) -> None:
    """The windows of Berlin, New York and Cairo hold the night on which their clocks change."""
    async with sync_stage(a_life(until), zone=zone, now=until) as stage:
        await stage.first_sync()
        answer = await prove(stage)
        run = (await stage.runs())[0]
        slot = await slot_of(stage)
    proof = answer.json()
    assert answer.status_code == 200
    assert (proof["equal"], proof["days"], proof["code"]) == (True, [], None)
    assert (proof["to"], proof["zone"]) == (str(run.to_day - timedelta(days=1)), zone)
    assert proof["left_out"] == []
    assert set(proof["checked"]) >= {"posthog_dau", "posthog_events", "posthog_session_duration", "event:$pageview"}
    assert proof["compared"] == 29 * len(proof["checked"])
    assert slot.holder_run_id is None


@pytest.mark.parametrize("kind", ["truncate", "clamp", "double_rows", "double_events"])
async def test_a_posthog_that_lies_in_the_proof_proves_nothing(kind: FaultKind) -> None:
    async with sync_stage(a_life(NOW), zone="Europe/Berlin") as stage:
        await stage.first_sync()
        stage.posthog.faults.set(Fault(kind=kind, rows=20))
        proof = (await prove(stage)).json()
        slot = await slot_of(stage)
    # Events that are there twice are still the same events: the proof counts each once.
    assert proof["equal"] is (kind == "double_events")
    assert proof["code"] == (None if kind == "double_events" else "answer_untrusted")
    assert slot.holder_run_id is None


async def test_a_posthog_that_doubled_what_the_sync_asked_is_caught() -> None:
    async with sync_stage(a_life(NOW)) as stage:
        stage.posthog.faults.set(Fault(kind="double_events"))
        await stage.first_sync()
        stage.posthog.faults.clear()
        proof = (await prove(stage)).json()
        honest = (await prove(stage, **{"from": "2026-11-18", "to": "2026-11-18"})).json()
    assert not proof["equal"]
    assert proof["code"] == "different"
    assert all(day["stored"] == 2 * day["counted"] for day in proof["days"] if day["metric"] == "posthog_events")
    assert {"posthog_events", "posthog_pageviews", "event:cart"} <= {day["metric"] for day in proof["days"]}
    assert "posthog_dau" not in {day["metric"] for day in proof["days"]}
    assert {day["date"] for day in honest["days"]} == {"2026-11-18"}


async def test_a_late_event_is_a_difference_until_the_day_is_refreshed() -> None:
    late_day = date(2026, 11, 8)
    async with sync_stage(a_life(NOW)) as stage:
        await stage.first_sync()
        late = an_event(random.Random(9), "somebody new", datetime(2026, 11, 8, 12, tzinfo=UTC))
        stage.posthog.load([late])
        before = (await prove(stage)).json()
        await stage.refresh(late_day, late_day)
        after = (await prove(stage)).json()
    assert {day["date"] for day in before["days"]} == {str(late_day)}
    found = {day["metric"]: day for day in before["days"]}
    assert found["posthog_events"]["difference"] == -1
    assert found["posthog_dau"]["counted"] == found["posthog_dau"]["stored"] + 1
    assert "refresh" in before["hint"]
    assert after["equal"]


async def test_days_cut_in_another_zone_are_left_out() -> None:
    async with sync_stage(a_life(NOW)) as stage:
        await stage.first_sync()
        connection = await stage.connection()
        await stage.store.commit(Swap(connection.model_copy(update={"timezone": "Asia/Tokyo"})))
        proof = (await prove(stage)).json()
    assert (proof["equal"], proof["code"]) == (False, "nothing_stored")
    assert {left["why"] for left in proof["left_out"]} == {"other_zone"}


async def test_nothing_stored_proves_nothing_and_asks_nothing() -> None:
    async with sync_stage(a_life(NOW)) as stage:
        proof = (await prove(stage)).json()
        assert (proof["equal"], proof["code"], proof["compared"]) == (False, "nothing_stored", 0)
        assert stage.posthog.requests == {}


async def test_a_busy_and_a_quiet_project_are_told() -> None:
    async with sync_stage(a_life(NOW)) as stage:
        await stage.first_sync()
        slot = await slot_of(stage)
        held = slot.model_copy(update={"holder_run_id": "proof_other", "until": stage.app.now() + timedelta(minutes=1)})
        slot = (await stage.store.commit(Swap(held))).of(held)
        busy = await prove(stage)
        await stage.store.commit(Swap(slots.closed(slot, stage.app.now() + timedelta(minutes=1))))
        quiet = await prove(stage)
        stage.forward(timedelta(minutes=2))
        later = await prove(stage)
    assert (busy.status_code, busy.json()["code"]) == (409, "sync_running")
    assert (quiet.status_code, quiet.json()["code"]) == (409, "project_quiet")
    assert quiet.json()["retry_at"].startswith("2026-11-20T15:31")
    assert later.json()["equal"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(kind="status", status=503), 503, "busy"),
        (Fault(kind="half"), 503, "malformed_answer"),
        (Fault(kind="reset"), 503, "malformed_answer"),
        (Fault(kind="cloudflare"), 502, "blocked_before_posthog"),
    ],
)
async def test_a_posthog_that_fails_leaves_the_slot_free(fault: Fault, status: int, code: str) -> None:
    async with sync_stage(a_life(NOW)) as stage:
        await stage.first_sync()
        stage.posthog.faults.set(fault)
        answer = await prove(stage)
        stage.posthog.faults.clear()
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await slot_of(stage)).holder_run_id is None
        assert (await prove(stage)).json()["equal"]


async def test_a_rate_limit_closes_the_project_for_everybody() -> None:
    async with sync_stage(a_life(NOW)) as stage:
        await stage.first_sync()
        stage.posthog.faults.set(Fault(kind="status", status=429, headers={"Retry-After": "40"}))
        assert (await prove(stage)).json()["code"] == "rate_limited"
        slot = await slot_of(stage)
        assert (slot.holder_run_id, slot.closed_until) == (None, stage.app.now() + timedelta(seconds=40))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": "paused"}, "connection_paused"),
        ({"state": "disconnected"}, "connection_disconnected"),
        ({"activity_tracking": False}, "activity_off"),
        ({"secret_ref": None}, "capture_only"),
    ],
)
async def test_who_may_not_ask_posthog_proves_nothing(changed: dict[str, object], code: str) -> None:
    async with sync_stage() as stage:
        await stage.store.commit(Swap((await stage.connection()).model_copy(update=changed)))
        answer = await prove(stage)
        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert stage.posthog.requests == {}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"from": "2026-11-20"}, "no_complete_days"),
        ({"from": "2026-11-10", "to": "2026-11-09"}, "no_complete_days"),
        ({"from": "2026-01-01"}, "window_too_long"),
        ({"from": "soon"}, "invalid"),
    ],
)
async def test_days_that_cannot_be_proved(asked: dict[str, str], code: str) -> None:
    async with sync_stage() as stage:
        answer = await prove(stage, **asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
