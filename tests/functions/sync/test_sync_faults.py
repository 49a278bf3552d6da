"""What PostHog does wrong to a sync, or changes under it, and how it ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from pydantic import SecretStr

from hedgerow import tiers
from hedgerow.errors import StateConflictError
from hedgerow.models import Connection, SyncRun
from hedgerow.ports import Add, Swap, Where
from local.posthog.faults import Fault
from tests.functions.sync.due_syncs import EVENTS, due, newest
from tests.sync_stage import NOW, sync_stage

QUERY = "/api/projects/"
HEALTHY = 8


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(kind="status", status=502, body="<html>Bad gateway</html>", path=QUERY), "gateway"),
        (Fault(kind="status", status=503, path=QUERY), "busy"),
        (Fault(kind="half", path=QUERY), "malformed_answer"),
        (Fault(kind="wrong_type", path=QUERY), "malformed_answer"),
        (Fault(kind="cloudflare", path=QUERY), "blocked_before_posthog"),
        (Fault(kind="double_rows", path=QUERY), "malformed_answer"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value,
)
async def test_a_bad_answer_fails_the_run_with_its_remedy_and_stores_nothing(fault: Fault, code: str) -> None:
    async with sync_stage(EVENTS) as stage:
        stage.posthog.faults.set(fault)
        await due(stage)
        run, connection = await newest(stage), await stage.connection()
        assert run.state == "failed"
        assert run.error is not None
        assert run.error.code == code
        assert run.error.hint
        assert await stage.points() == {}
        assert connection.state == "connected"
        assert connection.due_at is not None
        assert connection.due_at > stage.app.now()
        stage.posthog.faults.clear()
        await due(stage)
        assert (await newest(stage)).state == "succeeded"
        assert (await stage.connection()).trouble is None


@pytest.mark.parametrize(
    "fault",
    [Fault(kind="truncate", rows=5, path=QUERY), Fault(kind="clamp", rows=100, path=QUERY)],
    ids=lambda f: f.kind,
)
async def test_an_answer_that_posthog_cuts_is_never_taken_as_whole(fault: Fault) -> None:
    async with sync_stage(EVENTS) as whole, sync_stage(EVENTS) as cut:
        await whole.first_sync()
        cut.posthog.faults.set(fault)
        await cut.first_sync()
        expected = {place: point.value for place, point in (await whole.points()).items()}
        for place, point in (await cut.points()).items():
            assert point.value == expected[place]
        run = await newest(cut)
        if fault.kind == "truncate":
            assert run.error is not None
            assert run.error.code == "answer_cut"
        else:
            assert run.state == "succeeded"
            assert run.requests > 2
            assert (await cut.connection()).progress.by_family
            assert len(await cut.points()) == len(expected)


async def test_a_rate_limit_closes_the_project_until_its_time_and_nothing_is_lost() -> None:
    async with sync_stage(EVENTS) as stage:
        stage.posthog.faults.set(Fault(kind="status", status=429, headers={"Retry-After": "600"}, path=QUERY, count=1))
        await due(stage)
        waiting = await newest(stage)
        assert (waiting.state, waiting.due_at) == ("pending", stage.app.now() + timedelta(seconds=600))
        asked = sum(stage.posthog.requests.values())
        stage.forward(timedelta(minutes=5))
        await stage.tick()
        assert sum(stage.posthog.requests.values()) == asked
        stage.forward(timedelta(minutes=6))
        await stage.tick()
        assert (await newest(stage)).state == "succeeded"
        assert len(await stage.runs()) == 1


async def test_a_refused_key_needs_attention_and_is_not_tried_again() -> None:
    async with sync_stage(EVENTS) as stage:
        stage.posthog.revoke_key(stage.posthog.personal_api_key)
        await due(stage)
        connection = await stage.connection()
        assert (connection.state, connection.due_at) == ("needs_attention", None)
        assert connection.trouble is not None
        assert connection.trouble.code == "key_refused"
        stage.forward(timedelta(days=1))
        assert await stage.tick() == 0
        with pytest.raises(StateConflictError, match="needs_attention"):
            await stage.refresh()


async def test_a_key_that_may_not_list_flags_syncs_all_the_rest() -> None:
    async with sync_stage(EVENTS) as stage:
        key = stage.posthog.add_key(scopes=("query:read",))
        reference = await stage.app.vault.write(stage.connection_id, SecretStr(key))
        await stage.store.commit(Swap((await stage.connection()).model_copy(update={"secret_ref": reference})))
        for _ in range(3):
            await due(stage)
        assert {run.state for run in await stage.runs()} == {"succeeded"}
        names = {name for name, _ in await stage.points()}
        assert "posthog_dau" in names
        assert "posthog_feature_flags" not in names
        listed = sum(times for call, times in stage.posthog.requests.items() if "feature_flags" in call)
        assert listed == 2


async def test_a_deleted_project_needs_attention() -> None:
    async with sync_stage(EVENTS) as stage:
        stage.posthog.change_project(is_deleted=True)
        await due(stage)
        assert (await stage.connection()).state == "needs_attention"


async def test_a_zone_moved_in_posthog_re_syncs_the_history_and_joins_nothing_unseen() -> None:
    night = [{**event, "timestamp": str(event["timestamp"]).replace("T10:", "T23:")} for event in EVENTS]
    async with sync_stage(night) as stage:
        await stage.first_sync()
        stage.posthog.change_project(timezone="Asia/Tokyo")
        await due(stage)
        connection = await stage.connection()
        assert connection.timezone == "Asia/Tokyo"
        assert {run.state for run in await stage.runs()} == {"succeeded"}
        points = await stage.points()
        zones = {day: point.write.zone for (name, day), point in points.items() if name == "posthog_events"}
        # Of the days before PostHog's first event PostHog has nothing to say: they keep their old zone.
        assert {zone for day, zone in zones.items() if day >= date(2026, 11, 2)} == {"Asia/Tokyo"}
        # 23:00 UTC is the next morning in Tokyo.
        assert points["posthog_events", date(2026, 11, 2)].value == 2
        assert any(found.reason == "timezone" for found in await stage.changes())


async def test_a_zone_that_moves_with_every_answer_is_not_followed() -> None:
    async with sync_stage(EVENTS) as stage:
        await stage.first_sync()
        stage.posthog.change_project(timezone="Asia/Tokyo")
        await due(stage)
        stage.posthog.change_project(timezone="Europe/Berlin")
        run = await stage.refresh()
        assert run.error is not None
        assert (run.state, run.error.code) == ("failed", "timezone_unsteady")
        assert (await stage.connection()).timezone == "Asia/Tokyo"
        stage.forward(timedelta(hours=2))
        assert (await stage.refresh()).state == "succeeded"
        assert (await stage.connection()).timezone == "Europe/Berlin"


async def test_one_connection_failing_for_ever_does_not_move_the_others() -> None:
    alone, beside = await a_day_of(failing=False), await a_day_of(failing=True)
    assert len(alone) == HEALTHY
    assert alone == beside
    assert all(len(began) == 2 for began in alone)


async def a_day_of(*, failing: bool) -> list[list[datetime]]:
    """When each healthy connection's runs began over six hours of ticks, beside one that PostHog always fails, or not."""
    async with sync_stage(EVENTS) as stage:
        first = await stage.connection()
        healthy = [copy(first, f"con_{number}", stage.posthog.add_project().id) for number in range(HEALTHY)]
        await stage.store.commit(
            Swap(first.model_copy(update={"state": "paused", "due_at": None})), *(Add(one) for one in healthy)
        )
        if failing:
            project = stage.posthog.add_project().id
            stage.posthog.faults.set(Fault(kind="status", status=503, path=f"/api/projects/{project}/"))
            await stage.store.commit(Add(copy(first, "con_bad", project)))
        for _ in range(6 * 12):
            stage.forward(timedelta(minutes=5))
            await stage.tick()
        return [
            [
                run.began_at
                for run in (await stage.store.find(SyncRun, Where("connection_id", "==", one.id))).items
                if run.began_at
            ]
            for one in healthy
        ]


def copy(connection: Connection, id: str, project_id: int) -> Connection:
    copied = connection.model_copy(update={"id": id, "project_id": str(project_id), "version": 0})
    return copied.model_copy(update={"due_at": tiers.next_due(copied, tiers.load(), NOW)})


async def test_a_project_without_events_has_a_run_of_no_rows() -> None:
    async with sync_stage() as stage:
        await stage.first_sync()
        run = await newest(stage)
        assert (run.state, run.rows) == ("succeeded", 0)
        assert {point.value for point in (await stage.points()).values()} == {0}
