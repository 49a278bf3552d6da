"""Nobody is told of what is still in its time; and of what has just left it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hedgerow.deliveries import Delivery
from hedgerow.drafts import SecretDraft
from hedgerow.models import SyncProgress, SyncRun
from hedgerow.ports import Swap
from hedgerow.records import new_id
from hedgerow.schedules import note_call

if TYPE_CHECKING:
    from tests.cli_process import Answers
    from tests.functions.doctor.room import Room

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TICK = "hedgerow-alerts-tick"
"""Called every minute."""


async def aged(room: Room, *, due: timedelta, begun: timedelta, synced: timedelta) -> set[str]:
    """The codes when everything that may wait is so old: due, begun and not ended, without a success."""
    now, stage = room.stage.clock(), room.stage
    tenant = await stage.tenant()
    waiting, quiet, going = [await stage.connection(tenant) for _ in range(3)]
    closing = await stage.tenant()
    progress = SyncProgress(last_success_at=now - synced)
    await stage.store.commit(
        Swap(waiting.model_copy(update={"due_at": now - due})),
        Swap(quiet.model_copy(update={"progress": progress})),
        Swap(going.model_copy(update={"state": "disconnecting", "state_since": now - begun, "due_at": None})),
        Swap(closing.model_copy(update={"closing_since": now - begun})),
    )
    await stage.add(SecretDraft(id=new_id("draft"), connection_id="con_never", due_at=now - begun))
    for state in ("running", "pending"):
        await stage.add(
            SyncRun(
                id=f"run_{state}",
                connection_id=waiting.id,
                tenant_id=tenant.id,
                kind="scheduled",
                state=state,
                from_day=now.date(),
                to_day=now.date(),
                created_at=now - due,
                due_at=now - due,
            )
        )
    at = now - due
    await stage.add(
        Delivery(
            id=new_id("dlv"),
            tenant_id=tenant.id,
            connection_id=waiting.id,
            state="pending",
            accepted_at=at,
            hour=at.replace(minute=0, second=0, microsecond=0),
            due_at=at,
            shard=0,
            count=1,
            size=10,
        )
    )
    return {each.code for each in (await room.look()).findings if each.severity != "ok"}


async def test_what_is_still_in_its_time_is_no_finding(healthy: Room) -> None:
    # A connection of `pro` syncs every three hours.
    assert await aged(healthy, due=14 * MINUTE, begun=59 * MINUTE, synced=9 * HOUR - MINUTE) == set()


async def test_what_has_just_left_its_time_is(healthy: Room) -> None:
    assert await aged(healthy, due=16 * MINUTE, begun=61 * MINUTE, synced=9 * HOUR + MINUTE) == {
        "connection.stuck",
        "connection.stale",
        "connection.disconnecting",
        "tenant.closing",
        "draft.left",
        "run.stuck",
        "outbox.waiting",
    }


@pytest.mark.parametrize(("minutes", "codes"), [(15, []), (18, ["schedule.late"])])
async def test_a_schedule_may_be_a_quarter_of_an_hour_late(healthy: Room, minutes: int, codes: list[str]) -> None:
    last = healthy.stage.clock() - minutes * MINUTE
    await note_call(healthy.stage.store, TICK, last, 200, None)

    assert [each.code for each in (await healthy.look()).findings if each.severity != "ok"] == codes


@pytest.mark.parametrize("status", [302, 404])
async def test_a_call_that_met_anything_but_success_has_failed(healthy: Room, status: int) -> None:
    await note_call(healthy.stage.store, TICK, healthy.stage.clock(), status, None)

    assert (await healthy.only()).code == "schedule.failing"


@pytest.mark.parametrize("name", ["store.db", "queue.db", "sealing.key", "admin.key"])
async def test_a_group_that_may_read_a_file_is_others(healthy: Room, name: str) -> None:
    (healthy.folder / name).touch()
    (healthy.folder / name).chmod(0o640)

    told = {(each.code, each.subject) for each in (await healthy.look()).findings if each.severity != "ok"}

    # Its journal takes over how a database file may be read.
    assert ("store.open_to_others", name) in told
    assert all(code == "store.open_to_others" and subject.startswith(name) for code, subject in told)


async def test_an_api_that_fails_is_not_ready_and_one_that_asks_for_patience_is(
    healthy: Room, answers: Answers
) -> None:
    answers.say("GET", "/v1/tenants", {"code": "internal"}, status=500)
    assert [each.code for each in (await healthy.look()).of("problem")] == ["server.not_ready"]
    answers.say("GET", "/v1/tenants", {"code": "too_many_requests"}, status=429)
    assert [each.code for each in (await healthy.look()).of("problem")] == []


@pytest.mark.parametrize(("seconds", "codes"), [(25, []), (-25, []), (40, ["clock.skewed"]), (-40, ["clock.skewed"])])
async def test_a_clock_may_be_half_a_minute_off(healthy: Room, seconds: int, codes: list[str]) -> None:
    off = replace(
        healthy.case, app=replace(healthy.case.app, now=lambda: healthy.stage.clock() + timedelta(seconds=seconds))
    )
    healthy.case = off

    assert [each.code for each in (await healthy.look()).findings if each.code.startswith("clock.")] == codes
