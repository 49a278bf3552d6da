"""The process dies before or after every port call of a sync; afterwards nothing is lost, doubled or stuck."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from functions.sync import outcomes, refreshing, syncing, ticking
from hedgerow import slots
from hedgerow.activity import Activity
from hedgerow.adapters.embedded import Wanted
from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.measures import Measure
from hedgerow.messages import SyncRequested
from hedgerow.models import ProjectSlot, SyncRun
from hedgerow.months import Value
from hedgerow.ports import Swap, Where
from tests.crash import Crash, CrashingVault, Fuse, armed, every_fuse
from tests.sync_stage import NOW, SyncStage, sync_stage

if TYPE_CHECKING:
    from pydantic import SecretStr

    from hedgerow.ports import Store, Vault

EVENTS = [
    {
        "event": name,
        "distinct_id": f"u{person}",
        "timestamp": f"2026-11-{day:02d}T10:00:00Z",
        "properties": {"$session_id": f"s{person}"},
    }
    for day in range(1, 21)
    for person, name in enumerate(("$pageview", "cart", "paid"))
]
LATE = {"event": "paid", "distinct_id": "u9", "timestamp": "2026-11-18T23:00:00Z", "properties": {}}


@dataclass(frozen=True)
class Remains:
    """What a user can see of an installation in the end."""

    points: dict[tuple[str, date], Value]
    changes: list[tuple[str, date, float | None, float | None]]
    states: list[tuple[str, str]]
    told: set[str]
    moved: list[str]
    hours: dict[tuple[str, int], float]


async def remains(stage: SyncStage) -> Remains:
    changed = [
        (change.metric, change.day, change.old, change.new)
        for found in await stage.changes()
        for change in found.changes
    ]
    told = await stage.activity()
    return Remains(
        {place: point.value for place, point in (await stage.points()).items()},
        sorted(changed),
        sorted((run.kind, run.state) for run in await stage.runs()),
        {one.kind for one in told},
        sorted(name for one in told for name in listed(one)),
        {place: point.value for place, point in (await stage.hours()).items()},
    )


def listed(told: Activity) -> list[str]:
    """The metrics an entry says have moved, none for entries of another kind."""
    metrics = told.fields.get("metrics", [])
    return metrics if isinstance(metrics, list) else []


async def scheduled(stage: SyncStage) -> None:
    """A late event, then the tick that is due and the sync it asks for."""
    await stage.tick()


async def by_hand(stage: SyncStage) -> None:
    """A refresh long enough to have parts."""
    if not any(run.kind == "refresh" for run in await stage.runs()):
        await stage.refresh(date(2026, 8, 1), date(2026, 11, 20))
    await stage.carry_out()


@asynccontextmanager
async def prepared() -> AsyncIterator[SyncStage]:
    """An installation with a first sync behind it and a late event before it, to be copied for every death."""
    async with sync_stage(EVENTS) as stage:
        await stage.measure(Measure(event="paid", hourly=True))
        await stage.first_sync()
        stage.posthog.load([LATE])
        yield stage


@asynccontextmanager
async def anew(stage: SyncStage, kind: str, request: pytest.FixtureRequest, project: str) -> AsyncIterator[SyncStage]:
    """A copy on a store of this kind, four hours later."""
    store: Store = SqliteStore(":memory:")
    if kind == "firestore":
        store = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
    async with stage.copied_to(store) as copy:
        copy.posthog.clock.move_to(NOW + timedelta(hours=4))
        yield copy
    await store.close()


async def recover(stage: SyncStage) -> None:
    """What happens by itself: redelivery at once, then ticks, past the end of every lease."""
    await stage.carry_out()
    for _ in range(4):
        stage.forward(slots.LEASE + timedelta(seconds=1))
        await stage.tick()


@pytest.mark.parametrize("kind", ["sqlite", "firestore"])
@pytest.mark.parametrize("flow", [scheduled, by_hand])
async def test_a_crash_at_any_port_call_is_healed(
    flow: Callable[[SyncStage], Awaitable[None]], kind: str, request: pytest.FixtureRequest, project: str
) -> None:
    counting = Fuse()
    async with prepared() as origin:
        async with anew(origin, kind, request, f"{project}-0") as stage:
            await flow(stage.with_ports(**vars(ports(stage, counting))))
            await recover(stage)
            expected = await remains(stage)
        assert any(day == date(2026, 11, 18) and name == "event:paid" for name, day, *_ in expected.changes)
        assert {state for _, state in expected.states} == {"succeeded"}
        assert len(counting.calls) > 8
        for fuse in fuses(len(counting.calls)):
            async with anew(origin, kind, request, f"{project}-{fuse.at}-{fuse.after}".lower()) as stage:
                await dies_and_heals(stage, flow, fuse, expected)


async def dies_and_heals(
    stage: SyncStage, flow: Callable[[SyncStage], Awaitable[None]], fuse: Fuse, expected: Remains
) -> None:
    with pytest.raises(Crash):
        await flow(stage.with_ports(**vars(ports(stage, fuse))))
    await flow(stage)
    await recover(stage)
    left = await remains(stage)
    where = f"call {fuse.at} {'after' if fuse.after else 'before'}: {fuse.calls[-1]}"
    assert left.points == expected.points, where
    assert left.changes == expected.changes, where
    assert left.hours == expected.hours, where
    assert left.told == expected.told, where
    assert left.moved == expected.moved, where
    assert set(left.states) == set(expected.states), where
    await assert_nothing_stuck(stage, where)


def fuses(calls: int) -> list[Fuse]:
    """Between two port calls nothing is written, so after one is before the next; only the last has an after."""
    return [fuse for fuse in every_fuse(calls) if not fuse.after or fuse.at == calls]


def ports(stage: SyncStage, fuse: Fuse) -> Ports:
    """The three ports behind a fuse."""
    app = armed(stage.app, fuse)
    return Ports(app.store, app.vault, app.queue)


@dataclass
class Ports:
    """What `with_ports` takes."""

    store: object
    vault: object
    queue: object


async def assert_nothing_stuck(stage: SyncStage, where: str) -> None:
    for state in ("pending", "running"):
        page = await stage.store.find(SyncRun, Where("state", "==", state), Where("due_at", "<=", stage.app.now()))
        assert page.items == (), where
    connection = await stage.connection()
    assert connection.due_at is not None, where
    assert connection.due_at > stage.app.now(), where
    slot = await stage.store.get(ProjectSlot, slots.slot_id(connection))
    assert slot is not None, where
    assert slot.closed_until is None, where


class DyingVault(CrashingVault):
    """A vault whose every read is the end of the process."""

    def __init__(self, vault: Vault) -> None:
        super().__init__(vault, Fuse())
        self.deaths = 0

    async def read(self, reference: str) -> SecretStr:
        self.deaths += 1
        raise Crash(reference)


async def tick_on(stage: SyncStage, dying: SyncStage, times: int) -> None:
    """Ticks past the end of every lease, whose syncs die; a message is delivered once."""
    for _ in range(times):
        stage.forward(timedelta(minutes=5))
        await ticking.tick(stage.app, "pro")
        waiting = await stage.queue.exchange([], [Wanted(SyncRequested.topic, 0, 100)])
        for message in waiting:
            with suppress(Crash):
                await syncing.sync(dying.app, SyncRequested.model_validate_json(message.body))
        await stage.queue.exchange([message.id for message in waiting], [])


@pytest.mark.parametrize("kind", ["sqlite", "firestore"])
async def test_a_scheduled_run_that_dies_every_time_is_given_up_and_the_next_slot_tries_again(
    kind: str, request: pytest.FixtureRequest, project: str
) -> None:
    async with prepared() as origin, anew(origin, kind, request, project) as stage:
        due = (await stage.connection()).due_at
        assert due is not None
        # The slot is drawn from the connection's id: from its beginning all ticks below fall within it.
        stage.posthog.clock.move_to(due)
        vault = DyingVault(stage.app.vault)
        await tick_on(stage, stage.with_ports(vault=vault), outcomes.MOST_BEGUN + 4)
        run, connection = (await stage.runs())[0], await stage.connection()
        assert run.error is not None
        assert (run.kind, run.state, run.error.code) == ("scheduled", "failed", "given_up")
        assert run.attempts == vault.deaths == outcomes.MOST_BEGUN
        assert connection.trouble == run.error
        assert connection.trouble.hint
        await assert_nothing_stuck(stage, "given up")
        assert {told.kind for told in await stage.activity()} >= {"run.failed"}
        stage.forward(timedelta(hours=3))
        await stage.tick()
        assert [found.state for found in await stage.runs()][:2] == ["succeeded", "failed"]
        assert (await stage.connection()).trouble is None


async def test_a_refresh_that_dies_every_time_is_given_up_hours_later_and_leaves_the_schedule_alone() -> None:
    async with prepared() as stage:
        stage.posthog.clock.move_to(NOW)
        connection = await stage.connection()
        far = NOW + timedelta(days=1)
        await stage.store.commit(Swap(connection.model_copy(update={"due_at": far})))
        asked = await refreshing.refresh(stage.app, connection, None, None)
        vault = DyingVault(stage.app.vault)
        await tick_on(stage, stage.with_ports(vault=vault), outcomes.MOST_ASKED_FOR_BEGUN + 4)
        run, connection = await stage.store.get(SyncRun, asked.id), await stage.connection()
        assert run is not None
        assert run.error is not None
        assert (run.state, run.error.code) == ("failed", "given_up")
        assert run.attempts == vault.deaths == outcomes.MOST_ASKED_FOR_BEGUN
        assert (connection.trouble, connection.due_at, connection.state) == (run.error, far, "connected")
        assert (await stage.refresh()).state == "succeeded"
