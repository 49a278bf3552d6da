"""Series read from real stores: days and hours, tiers, completeness, breakdowns, ratios, flags, sync and backlog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from functions.alerts.conditions.series import Series
from functions.alerts.series import reading
from functions.alerts.series.sources import measure_of
from functions.alerts.spec import (
    BacklogSeries,
    DifferenceSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    RatioSeries,
    SeriesSpec,
    SyncSeries,
)
from hedgerow import days, hours
from hedgerow.deliveries import Delivery, hour_of
from hedgerow.hours import HourMonth, HourPoint, Hours
from hedgerow.models import Connection, SyncProgress, Tier
from hedgerow.months import Month, Point
from hedgerow.ports import Add
from hedgerow.records import new_id
from tests.stage import NOW, Stage, month_record, staged

BERLIN = "Europe/Berlin"
TODAY = date(2026, 11, 20)
FAILED = EventSeries(event="payment.failed", by="method")
COMPLETED = EventSeries(event="payment.completed", by="method")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as made:
        yield made


async def connected(
    stage: Stage, zone: str = "UTC", tier: Tier = "pro", progress: SyncProgress | None = None
) -> Connection:
    connection = await stage.connection(await stage.tenant(tier), zone)
    return connection.model_copy(update={"progress": progress or connection.progress})


async def read(stage: Stage, connection: Connection, spec: SeriesSpec, length: int = 30) -> list[Series]:
    return await reading.read(stage.app, connection, spec, days=length, now=stage.clock())


async def put_hours(stage: Stage, connection: Connection, series: Mapping[str, Mapping[datetime, float]]) -> None:
    months: dict[str, Hours] = {}
    for name, points in series.items():
        for at, value in points.items():
            month = months.setdefault(f"{at:%Y-%m}", Hours(f"{at:%Y-%m}"))
            month.series.setdefault(name, {})[int(at.timestamp())] = HourPoint(value, stage.clock())
    for name, month in months.items():
        await stage.add(
            HourMonth(
                id=hours.record_id(connection.id, name),
                connection_id=connection.id,
                month=name,
                packed=hours.pack(month),
                updated_at=stage.clock(),
            )
        )


def stored(spec: EventSeries, value: str | None = None) -> str:
    measure = measure_of(spec)
    assert measure is not None
    return measure.series(value)


def epoch(day: date, zone: str = "UTC") -> int:
    return int(days.begins(day, zone).timestamp())


def ago(number: int) -> date:
    return TODAY - timedelta(days=number)


async def test_days_begin_at_local_midnights_across_the_change_of_clocks(stage: Stage) -> None:
    connection = await connected(stage, BERLIN)
    autumn = [date(2026, 10, day) for day in (24, 25, 26)]
    await stage.points(connection, {("posthog_dau", day): 100 + day.day for day in autumn})
    (series,) = await read(stage, connection, MetricSeries(name="posthog_dau"), 40)
    assert list(series.begins) == [epoch(day, BERLIN) for day in autumn]
    assert [after - before for before, after in zip(series.begins, series.begins[1:], strict=False)] == [86_400, 90_000]
    assert list(series.values) == [124, 125, 126]
    assert (series.name, series.unit, series.zone, series.until) == (
        "Daily active users",
        "count",
        BERLIN,
        int(NOW.timestamp()),
    )


async def test_today_is_there_as_what_it_is(stage: Stage) -> None:
    connection = await connected(stage)
    await stage.points(connection, {("posthog_events", ago(age)): 10.0 for age in range(3)})
    (series,) = await read(stage, connection, MetricSeries(name="posthog_events"))
    assert series.arrived is not None
    assert series.begins[-1] == epoch(TODAY)
    assert series.arrived[-1] == 0
    assert series.arrived[0] == 1


@pytest.mark.parametrize(("tier", "kept"), [("starter", 4), ("basic", 31), ("pro", 100)])
async def test_no_day_is_older_than_the_tier_keeps(stage: Stage, tier: Tier, kept: int) -> None:
    connection = await connected(stage, tier=tier)
    await stage.points(connection, {("posthog_events", ago(age)): 1.0 for age in range(100)})
    (series,) = await read(stage, connection, MetricSeries(name="posthog_events"), 100)
    assert len(series.begins) == kept
    assert len((await read(stage, connection, MetricSeries(name="posthog_events"), 2))[0].begins) == 2


async def test_what_is_missing_or_purged_is_an_empty_series(stage: Stage) -> None:
    connection = await connected(stage)
    for spec in (
        MetricSeries(name="event:gone"),
        MetricSeries(name="event:gone", grain="hour"),
        EventSeries(event="x"),
    ):
        (series,) = await read(stage, connection, spec)
        assert (list(series.begins), list(series.values), list(series.silent)) == ([], [], [])
    assert await read(stage, connection, FAILED) == []
    assert await read(stage, connection, FlagSeries()) == []
    assert await read(stage, connection, MetricSeries(name="posthog_wau", grain="hour")) == []


async def test_a_breakdown_has_a_series_for_each_value(stage: Stage) -> None:
    connection = await connected(stage)
    await stage.points(
        connection,
        {
            (stored(FAILED, "card"), ago(3)): 4,
            (stored(FAILED, "card"), ago(2)): 5,
            (stored(FAILED, "card"), ago(1)): 6,
            (stored(FAILED, "sepa"), ago(2)): 2,
            (stored(FAILED, "gone"), ago(3)): 0,
        },
    )
    card, sepa = await read(stage, connection, FAILED)
    assert (card.name, card.value, list(card.values)) == ("payment.failed by method = card", "card", [4, 5, 6])
    # Fewer values than are measured came on the day after: this one did not occur. Before its first day it was not there.
    assert (sepa.value, list(sepa.begins), list(sepa.values)) == ("sepa", [epoch(ago(2)), epoch(ago(1))], [2, 0])


async def test_beyond_the_measured_values_nobody_knows(stage: Stage) -> None:
    connection = await connected(stage)
    full = {(stored(FAILED, f"v{number:02}"), ago(1)): 1.0 for number in range(20)}
    await stage.points(connection, {**full, (stored(FAILED, "rare"), ago(2)): 3})
    found = {series.value: series for series in await read(stage, connection, FAILED)}
    assert list(found["rare"].begins) == [epoch(ago(2))]


async def test_a_ratio_is_silent_below_its_minimum_and_says_so(stage: Stage) -> None:
    connection = await connected(stage)
    points: dict[tuple[str, date], float] = {}
    for value, age, failed, completed in (("card", 3, 5, 95), ("card", 2, 3, 7), ("sepa", 3, 10, 30)):
        points[stored(FAILED, value), ago(age)] = failed
        points[stored(COMPLETED, value), ago(age)] = completed
    points[stored(FAILED, "card"), ago(1)] = 60  # The other side was not measured on this day.
    await stage.points(connection, points)
    card, sepa = await read(stage, connection, RatioSeries(of=FAILED, to=(FAILED, COMPLETED), minimum=20))
    assert (card.value, card.unit, list(card.begins), list(card.values)) == ("card", "percent", [epoch(ago(3))], [5.0])
    assert list(card.silent) == [epoch(ago(2))]
    assert list(sepa.values) == [25.0]
    (loud, _) = await read(stage, connection, RatioSeries(of=FAILED, to=(FAILED, COMPLETED), minimum=10))
    assert list(loud.values) == [5.0, 30.0]
    assert loud.name == "payment.failed per payment.failed + payment.completed by method = card"


async def test_a_difference_is_as_complete_as_its_least_complete_side(stage: Stage) -> None:
    connection = await connected(stage)
    early, late = EventSeries(event="a"), EventSeries(event="b")
    month = Month("2026-11")
    for spec, after in ((early, timedelta(minutes=5)), (late, timedelta(hours=13))):
        write = stage.write(connection, days.ends(ago(1), "UTC") + after)
        month.put(stored(spec), ago(1), Point(50, write))
    await stage.add(month_record(connection, month, NOW))
    shares: list[float] = []
    for series in (early, late, DifferenceSeries(of=late, less=early), DifferenceSeries(of=early, less=late)):
        (one,) = await read(stage, connection, series)
        assert one.arrived is not None
        shares.append(one.arrived[0])
    assert shares[0] < 0.9
    assert shares[1:] == [1, shares[0], shares[0]]


async def test_a_closed_day_that_stayed_as_it_was_was_asked_for_again(stage: Stage) -> None:
    """A sync that finds nothing new writes nothing: the write alone would leave the day incomplete for ever."""
    end = days.ends(ago(1), "UTC")
    connection = await connected(stage)
    await stage.points(
        connection, {("posthog_events", ago(1)): 5.0}, stage.write(connection, end + timedelta(minutes=1))
    )
    (before,) = await read(stage, connection, MetricSeries(name="posthog_events"))
    progress = SyncProgress(last_success_at=NOW, last_success_day=TODAY, asked_at=NOW, newest_event_at=NOW)
    (after,) = await read(
        stage, connection.model_copy(update={"progress": progress}), MetricSeries(name="posthog_events")
    )
    stalled = progress.model_copy(
        update={"newest_event_at": end - timedelta(hours=1), "asked_at": end + timedelta(hours=9)}
    )
    (waiting,) = await read(
        stage, connection.model_copy(update={"progress": stalled}), MetricSeries(name="posthog_events")
    )
    assert before.arrived is not None
    assert after.arrived is not None
    assert waiting.arrived is not None
    assert before.arrived[0] == pytest.approx(0.5)
    assert after.arrived[0] == 1
    assert waiting.arrived[0] == 0  # The newest event is older than the day's end: ingestion stands still.


async def test_hours_run_from_local_midnight_to_now(stage: Stage) -> None:
    connection = await connected(stage, BERLIN)
    name = stored(EventSeries(event="$pageview", grain="hour"))
    begin = datetime(2026, 11, 17, tzinfo=UTC)
    await put_hours(stage, connection, {name: {begin + timedelta(hours=hour): hour for hour in range(88)}})
    (series,) = await read(stage, connection, MetricSeries(name="posthog_pageviews", grain="hour"), 2)
    assert series.begins[0] == epoch(ago(1), BERLIN) == int(datetime(2026, 11, 18, 23, tzinfo=UTC).timestamp())
    assert series.begins[-1] == int(datetime(2026, 11, 20, 15, tzinfo=UTC).timestamp())
    assert (series.seconds, len(series.begins), series.values[0]) == (3_600, 41, 47)
    assert series.arrived is not None
    assert series.arrived[-1] == 0  # The hour under way.
    assert series.arrived[0] == 1


async def test_a_month_before_is_read_too(stage: Stage) -> None:
    connection = await connected(stage)
    name = stored(EventSeries(event="x", grain="hour"))
    instants = [datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)]
    await put_hours(stage, connection, {name: dict.fromkeys(instants, 1.0)})
    (series,) = await read(stage, connection, EventSeries(event="x", grain="hour"))
    assert list(series.begins) == [int(at.timestamp()) for at in instants]


async def test_flags_are_grouped_and_a_flag_nobody_called_has_zeros(stage: Stage) -> None:
    connection = await connected(stage)
    points: dict[tuple[str, date], float] = {("posthog_events", ago(age)): 10.0 for age in range(4)}
    points |= {("flag:old:true", ago(3)): 7, ("flag:new:a:b", ago(1)): 1, ("flag:new:test", ago(1)): 2}
    await stage.points(connection, points)
    grouped = await reading.read_flags(stage.app, connection, FlagSeries(), days=30, now=NOW)
    assert {key: sorted(variants) for key, variants in grouped.items()} == {"old": ["true"], "new": ["a:b", "test"]}
    assert list(grouped["old"]["true"].values) == [7, 0, 0, 0]
    assert grouped["new"]["test"].name == "Flag new = test"
    one = await read(stage, connection, FlagSeries(key="new"))
    assert [series.value for series in one] == ["a:b", "test"]
    assert [list(series.values) for series in one] == [[1, 0], [2, 0]]


async def test_among_too_many_flags_a_missing_one_is_not_known(stage: Stage) -> None:
    connection = await connected(stage)
    points: dict[tuple[str, date], float] = {("posthog_events", ago(age)): 10.0 for age in range(3)}
    points |= {(f"flag:f{number}:true", ago(1)): 1.0 for number in range(50)}
    points["flag:old:true", ago(2)] = 7
    await stage.points(connection, points)
    (old,) = await read(stage, connection, FlagSeries(key="old"))
    assert list(old.begins) == [epoch(ago(2)), epoch(TODAY)]


async def test_sync_counts_intervals_since_the_last_success(stage: Stage) -> None:
    connection = (await connected(stage)).model_copy(update={"state_since": NOW - timedelta(days=9)})
    late = SyncProgress(last_success_at=NOW - timedelta(hours=10, minutes=30))

    async def value(**changed: object) -> float:
        (series,) = await read(stage, connection.model_copy(update={"progress": late, **changed}), SyncSeries())
        assert series.begins[0] + series.seconds <= series.until
        return series.values[0]

    assert await value() == 3.5
    assert await value(every=timedelta(hours=7)) == 1.5
    assert await value(state="needs_attention") == 1_000
    assert await value(tier="basic", state="needs_attention") == 1_000
    assert await value(tier="basic") == 0
    assert await value(state="paused") == 0
    assert await value(activity_tracking=False) == 0
    assert await value(state_since=NOW - timedelta(hours=3)) == 1  # Resumed three hours ago.
    assert await read(stage, connection.model_copy(update={"state": "disconnecting"}), SyncSeries()) == []


async def test_the_backlog_is_of_the_pending_deliveries_of_this_connection(stage: Stage) -> None:
    connection, other = await connected(stage), await connected(stage)
    assert (await read(stage, connection, BacklogSeries()))[0].values == (0.0,)
    for owner, state, age, count in (
        (connection, "pending", 10, 3),
        (connection, "pending", 25, 4),
        (connection, "dead", 90, 5),
        (other, "pending", 99, 6),
    ):
        at = NOW - timedelta(minutes=age)
        fields = {"state": state, "accepted_at": at, "hour": hour_of(at), "shard": 0, "count": count, "size": 1}
        await stage.add(
            Delivery.model_validate(
                {"id": new_id("dlv"), "tenant_id": owner.tenant_id, "connection_id": owner.id, **fields}
            )
        )
    (oldest,) = await read(stage, connection, BacklogSeries())
    (events,) = await read(stage, connection, BacklogSeries(of="events"))
    assert (oldest.values, oldest.unit) == ((1_500.0,), "seconds")
    assert (events.values, events.unit) == ((7.0,), "count")


async def test_a_large_backlog_is_counted_within_a_bound(stage: Stage) -> None:
    connection = await connected(stage)
    fields = {"state": "pending", "accepted_at": NOW, "hour": hour_of(NOW), "shard": 0, "count": 10, "size": 1}
    owner = {"tenant_id": connection.tenant_id, "connection_id": connection.id}
    for _ in range(7):
        batch = [Add(Delivery.model_validate({"id": new_id("dlv"), **owner, **fields})) for _ in range(300)]
        await stage.store.commit(*batch)
    (events,) = await read(stage, connection, BacklogSeries(of="events"))
    assert events.values == (20_100.0,)
