"""What a sync tells: the activity committed with its end, and the message that has its connection's rules looked at."""

from __future__ import annotations

from datetime import date, timedelta

from hedgerow.ports import Swap
from local.posthog.faults import Fault
from tests.sync_stage import NOW, SyncStage, sync_stage

PAID = {"event": "paid", "distinct_id": "u", "timestamp": "2026-11-18T10:00:00Z", "properties": {}}


def ended(stage: SyncStage) -> int:
    """How many ends were announced since this was asked last."""
    number = len(stage.announced)
    stage.announced.clear()
    return number


async def test_a_first_sync_is_told_and_announced() -> None:
    async with sync_stage([PAID]) as stage:
        await stage.first_sync()
        run = (await stage.runs())[0]
        told = await stage.activity()
        assert [(one.kind, one.fields["run_id"], one.fields["points"]) for one in told] == [
            ("run.succeeded", run.id, run.points)
        ]
        assert told[0].due_at == told[0].at == run.finished_at
        assert ended(stage) == 1


async def test_a_quiet_scheduled_sync_says_nothing_unless_it_is_watched() -> None:
    async with sync_stage([PAID], now=NOW.replace(hour=1)) as stage:
        await stage.first_sync()
        stage.forward(timedelta(hours=3))
        await stage.tick()
        ended(stage)
        before = len(await stage.activity())
        for watched, announced in ((False, 0), (True, 1)):
            connection = await stage.connection()
            await stage.store.commit(Swap(connection.model_copy(update={"is_watched": watched})))
            stage.forward(timedelta(hours=3))
            await stage.tick()
            run = (await stage.runs())[0]
            assert (run.state, run.points) == ("succeeded", 0)
            assert ended(stage) == announced
        assert len(await stage.activity()) == before


async def test_a_sync_by_hand_is_told_though_it_found_nothing_new_and_one_of_many_parts_once() -> None:
    async with sync_stage([PAID]) as stage:
        await stage.first_sync()
        again = await stage.refresh(date(2026, 11, 1), date(2026, 11, 2))
        whole = await stage.refresh(date(2026, 2, 1), date(2026, 11, 20))
        assert (again.points, whole.parts) == (0, 4)
        told = [str(one.fields["run_id"]) for one in await stage.activity() if one.kind == "run.succeeded"]
        first = next(run.id for run in await stage.runs() if run.kind == "first")
        assert sorted(told) == sorted([first, again.id, whole.id])


async def test_failures_are_told_and_so_is_their_end() -> None:
    async with sync_stage([PAID]) as stage:
        await stage.first_sync()
        ended(stage)
        stage.posthog.faults.set(Fault(kind="status", status=500, path="/api/projects/"))
        stage.forward(timedelta(hours=3))
        await stage.tick()
        stage.posthog.faults.clear()
        assert ended(stage) == 1
        stage.forward(timedelta(minutes=5))
        await stage.tick()
        assert ended(stage) == 1
        stage.forward(timedelta(hours=3))
        await stage.tick()
        failed, succeeded = (await stage.activity())[1:3]
        assert (failed.kind, failed.fields["code"]) == ("run.failed", "server_error")
        assert succeeded.kind == "run.succeeded"


async def test_a_key_that_is_refused_needs_attention_and_says_so() -> None:
    async with sync_stage([PAID]) as stage:
        await stage.first_sync()
        refusal = {"type": "authentication_error", "code": "authentication_failed", "detail": "Invalid"}
        stage.posthog.faults.set(Fault(kind="status", status=401, body=refusal, path="/api/projects/"))
        stage.forward(timedelta(hours=3))
        await stage.tick()
        told = (await stage.activity())[1:]
        assert {one.kind for one in told} == {"run.failed", "connection.needs_attention"}
        assert {one.fields["code"] for one in told} == {"key_refused"}


async def test_complete_days_that_moved_are_told_once_with_what_moved() -> None:
    async with sync_stage([PAID]) as stage:
        await stage.first_sync()
        stage.posthog.load([{**PAID, "distinct_id": "late"}])
        stage.forward(timedelta(hours=4))
        await stage.tick()
        changed = [one for one in await stage.activity() if one.kind == "metrics.changed"]
        assert len(changed) == 1
        fields, metrics = changed[0].fields, changed[0].fields["metrics"]
        assert isinstance(metrics, list)
        assert {"event:paid", "posthog_dau"} <= set(metrics)
        assert isinstance(fields["days"], list)
        assert "2026-11-18" in fields["days"]
        assert fields["run_id"] == (await stage.runs())[0].id
