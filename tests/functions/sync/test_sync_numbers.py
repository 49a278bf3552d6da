"""Every metric of every day equals an independent calculation from the raw events by DuckDB."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hedgerow.catalogue import TOP_EVENTS
from hedgerow.ports import Swap
from local.posthog.faults import Fault
from tests.oracle import Oracle, days_between
from tests.sync_stage import SyncStage, sync_stage

NAMES = ("$pageview", "$exception", "payment.completed", 'odd "name"', "emoji 🌿", "line\nbreak", "cart")


def life(seed: int, days: int, until: datetime) -> list[dict[str, Any]]:
    """People's events in order of arrival: anonymous then identified, sessions over midnight, duplicates, late ones."""
    chance = random.Random(seed)
    events: list[dict[str, Any]] = []
    for person in range(60):
        anonymous, known = f"anon-{person}", f"user-{person % 50}"
        at = until - timedelta(days=chance.uniform(0, days))
        while at < until:
            session = f"s-{person}-{at.timestamp():.0f}"
            for _ in range(chance.randrange(1, 6)):
                who = anonymous if chance.random() < 0.5 else known
                properties: dict[str, Any] = {"$session_id": session} if chance.random() < 0.9 else {}
                name = chance.choice(NAMES)
                if chance.random() < 0.1:
                    name = "$feature_flag_called"
                    properties |= {
                        "$feature_flag": chance.choice(("a-b", "new")),
                        "$feature_flag_response": chance.choice((True, "test")),
                    }
                events.append(event(chance, name, who, at, properties))
                at += timedelta(seconds=chance.uniform(0, 1500))
            if chance.random() < 0.3:
                events.append(event(chance, "$identify", known, at, {"$anon_distinct_id": anonymous}))
            at += timedelta(days=chance.expovariate(1 / 4))
    chance.shuffle(events)
    doubled = [dict(chance.choice(events)) for _ in range(60)]
    return [one for one in events + doubled if one["timestamp"] < until.isoformat()]


def event(chance: random.Random, name: str, who: str, at: datetime, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": str(UUID(int=chance.getrandbits(128), version=4)),
        "event": name,
        "distinct_id": who,
        "timestamp": at.isoformat(),
        "properties": {key: ("true" if value is True else value) for key, value in properties.items()},
    }


def many_names(chance: random.Random, until: datetime, days: int) -> list[dict[str, Any]]:
    """A hundred and thirty names, each sent once less than the one before, over these days."""
    return [
        event(chance, f"name {rank:03d}", "u", until - timedelta(days=rank % days + 1), {})
        for rank in range(130)
        for _ in range(131 - rank)
    ]


async def assert_equal(stage: SyncStage, events: list[dict[str, Any]], zone: str, first: date, last: date) -> None:
    expected = Oracle(events, zone).metrics(first, last)
    stored = {place: point.value for place, point in (await stage.points()).items() if first <= place[1] <= last}
    zeros = {place: 0.0 for place in stored if place[0].startswith(("event:", "flag:"))}
    listing = {place: value for place, value in stored.items() if place[0] == "posthog_feature_flags"}
    assert stored == pytest.approx({**zeros, **expected, **listing}, rel=0, abs=6e-7)


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("UTC", datetime(2026, 11, 20, 15, 30, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 27, 9, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 10, 3, 0, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 4, 26, 3, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 7, 1, 1, 0, tzinfo=UTC)),
    ],
)
async def test_first_sync_equals_the_raw_events(zone: str, until: datetime) -> None:
    """The windows of Berlin and New York hold the nights on which their clocks change."""
    events = life(1, 75, until)
    async with sync_stage(events, zone=zone, now=until) as stage:
        await stage.first_sync()
        run = (await stage.runs())[0]
        assert (run.state, run.error, run.requests) == ("succeeded", None, 2)
        await assert_equal(stage, events, zone, run.from_day, run.to_day)
        complete = {day: point.write.completes(day) for (_, day), point in (await stage.points()).items()}
        assert complete == {day: day != run.to_day for day in days_between(run.from_day, run.to_day)}


async def test_late_events_and_merges_are_healed_and_told() -> None:
    until = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    events = life(2, 75, until)
    chance = random.Random(3)
    async with sync_stage(events, now=until) as stage:
        await stage.first_sync()
        before = await stage.points()
        late = [event(chance, "cart", "user-1", until - timedelta(days=back, hours=2), {}) for back in (1, 2, 9)]
        merge = [event(chance, "$merge_dangerously", "user-2", until - timedelta(hours=1), {"alias": "user-3"})]
        stage.posthog.load(late + merge)
        for _ in range(9):
            stage.forward(timedelta(hours=3))
            await stage.tick()
        assert all(run.state == "succeeded" for run in await stage.runs())
        await assert_equal(stage, [*events, *late, *merge], "UTC", date(2026, 10, 23), date(2026, 11, 21))
        after = await stage.points()
        moved = {
            place
            for place, point in before.items()
            if point.write.completes(place[1]) and after[place].value != point.value
        }
        told = {(change.metric, change.day) for found in await stage.changes() for change in found.changes}
        assert moved <= told
        assert {("event:cart", date(2026, 11, 18)), ("event:cart", date(2026, 11, 11))} <= told


async def test_a_two_year_refresh_is_split_and_equals_the_raw_events() -> None:
    until = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    events = life(4, 800, until)
    async with sync_stage(events, now=until, zone="Europe/Berlin") as stage:
        whole = await stage.refresh(date(2024, 11, 21), date(2026, 11, 20))
        assert (whole.state, whole.parts) == ("succeeded", 9)
        assert len(await stage.runs()) == 10
        await assert_equal(stage, events, "Europe/Berlin", date(2024, 11, 21), date(2026, 11, 20))
        names = {name for name, _ in await stage.points() if name.startswith("event:")}
        for name in names:
            assert sum(1 for place in await stage.points() if place[0] == name) == 730


async def test_a_narrow_refresh_heals_the_trailing_days_behind_it() -> None:
    until = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    events = life(6, 40, until)
    chance = random.Random(7)
    async with sync_stage(events, now=until, tier="basic") as stage:
        await stage.first_sync()
        late = [event(chance, "cart", "nobody-before", until - timedelta(days=15), {})]
        stage.posthog.load(late)
        await stage.refresh(date(2026, 11, 5), date(2026, 11, 5))
        await assert_equal(stage, [*events, *late], "UTC", date(2026, 10, 22), date(2026, 11, 20))


async def test_a_ranking_that_posthog_cuts_is_asked_in_smaller_spans() -> None:
    until = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    chance = random.Random(8)
    events = many_names(chance, until, 28)
    async with sync_stage(events, now=until) as stage:
        stage.posthog.faults.set(Fault(kind="clamp", rows=60, path="/api/projects/"))
        await stage.first_sync()
        names = {name.removeprefix("event:") for name, _ in await stage.points() if name.startswith("event:")}
        assert names == {f"name {rank:03d}" for rank in range(TOP_EVENTS)}


async def test_the_hundred_most_frequent_events_are_kept_and_pinned_ones_besides() -> None:
    until = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    chance = random.Random(5)
    events = many_names(chance, until, 25)
    async with sync_stage(events, now=until) as stage:
        connection = await stage.connection()
        await stage.store.commit(Swap(connection.model_copy(update={"events": ("name 129", "never sent")})))
        await stage.first_sync()
        names = {name.removeprefix("event:") for name, _ in await stage.points() if name.startswith("event:")}
        assert names == {f"name {rank:03d}" for rank in range(TOP_EVENTS)} | {"name 129", "never sent"}
        assert sum(1 for name, _ in await stage.points() if name == "event:never sent") == 30
