"""Breakdowns whose values keep changing, and months of hours that no record holds: bounded, and said."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from functions.alerts.series.measuring import MOST_HOURLY_SERIES
from functions.sync import measured, recording
from functions.sync.answers import Facts
from functions.sync.hogql import Question
from functions.sync.measured import MOST_PARTS
from functions.sync.windows import Span
from hedgerow import hours
from hedgerow.hours import HOUR, HourMonth, HourPoint, Hours
from hedgerow.measures import MOST_VALUES, Measure
from hedgerow.models import MetricMonth
from hedgerow.months import unpack
from hedgerow.ports import Swap, Where
from tests.sync_stage import NOW, sync_stage

BEGIN = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
BY_ORDER = Measure(event="pay", by="order", hourly=True)
PLAIN = Measure(event="order", hourly=True)


def filled(count: int, until: int = BEGIN + 744 * HOUR, month: str = "2026-10", seed: int = 1) -> Hours:
    """A month of sums, another at every hour."""
    chance = random.Random(seed)
    begin = int(datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC).timestamp())
    series = {
        f"measure:msr_{place // MOST_PARTS}:{place:03d}": {
            hour: HourPoint(chance.lognormvariate(10 + place / 100, 0.5), datetime.fromtimestamp(hour + 5_400, UTC))
            for hour in range(begin, until, HOUR)
        }
        for place in range(count)
    }
    return Hours(month, series)


def test_as_many_series_as_rules_may_ask_for_fit_a_month_of_31_days() -> None:
    most = MOST_HOURLY_SERIES // MOST_VALUES * MOST_PARTS
    assert len(hours.pack(filled(most))) < recording.MOST_PACKED


async def test_values_that_keep_changing_do_not_lengthen_the_query_or_the_month() -> None:
    async with sync_stage([], tier="scale") as stage:
        await stage.measure(BY_ORDER)
        await stage.first_sync()
        steady = {"event": "pay", "distinct_id": "d", "properties": {"order": "steady"}}
        for tick in range(8):
            stage.forward(timedelta(minutes=30, seconds=5))
            at = {"timestamp": (stage.app.now() - timedelta(seconds=5)).isoformat()}
            changing = [
                {"event": "pay", "distinct_id": "d", "properties": {"order": f"o{999 - tick * 20 - place}"}, **at}
                for place in range(20)
            ]
            stage.posthog.load([*changing, *[steady | at] * 3])
            await stage.tick()
        assert (await stage.runs())[0].state == "succeeded"
        held = await stage.hours()
        in_month = {name for name, hour in held if hours.month_of(hour) == "2026-11"}
        assert len(in_month) == MOST_PARTS
        # The one with the most was measured at every sync.
        mine = sum(point.value for (name, _), point in held.items() if name == BY_ORDER.series("steady"))
        assert mine == 8 * 3
        days = await stage.points()
        held_days = (await stage.store.find(MetricMonth, Where("connection_id", "==", stage.connection_id))).items
        assert sum(point.value for (name, _), point in days.items() if name == BY_ORDER.series("steady")) == 8 * 3
        months = {record.month: unpack(record.month, record.packed) for record in held_days}
        (parts,) = measured.parts_of([BY_ORDER], months, [Span(NOW.date(), NOW.date())]).values()
        assert len(parts) == MOST_PARTS
        assert parts[0] == "steady"


def test_what_is_not_asked_for_again_keeps_what_it_has() -> None:
    day = NOW.date()
    question = Question(
        ("measure",),
        "UTC",
        Span(day, day),
        None,
        None,
        Span(day, day),
        measures=(BY_ORDER,),
        parts={BY_ORDER.id: ("asked",)},
        asked_at=NOW,
    )
    hour = int(NOW.timestamp()) // HOUR * HOUR
    old = {BY_ORDER.series(value): {hour: HourPoint(5, NOW)} for value in ("asked", "crowded out")}
    points = measured.hourly([question], Facts(), {"2026-11": Hours("2026-11", old)})
    assert points == {(BY_ORDER.series("asked"), hour): 0}


async def test_of_a_month_that_does_not_fit_some_series_go_and_the_connection_says_so() -> None:
    def orders(at: datetime) -> list[dict[str, object]]:
        return [{"event": "order", "distinct_id": "d", "timestamp": at.isoformat()} for _ in range(3)]

    async with sync_stage(orders(NOW - timedelta(minutes=5)), tier="scale") as stage:
        await stage.measure(PLAIN)
        await stage.first_sync()
        (record,) = (await stage.store.find(HourMonth, Where("month", "==", "2026-11"))).items
        own = hours.unpack(record.month, record.packed)
        own.series |= filled(560, until=int(NOW.timestamp()) // HOUR * HOUR - 48 * HOUR, month="2026-11").series
        await stage.store.commit(Swap(record.model_copy(update={"packed": hours.pack(own)})))

        troubles = []
        for _ in range(2):
            stage.forward(timedelta(minutes=31))
            stage.posthog.load(orders(stage.app.now() - timedelta(minutes=1)))
            await stage.tick()
            assert (await stage.runs())[0].state == "succeeded"
            troubles.append((await stage.connection()).trouble)
        (record,) = (await stage.store.find(HourMonth, Where("month", "==", "2026-11"))).items
        assert len(record.packed) <= recording.MOST_PACKED
        left = hours.unpack(record.month, record.packed).series
        assert left[PLAIN.series()][int(stage.app.now().timestamp()) // HOUR * HOUR].value == 6
        gone = [name for name in own.series if name not in left]
        assert gone
        assert max(measured.weight(own.series[name]) for name in gone) < min(
            measured.weight(points) for name, points in left.items() if name != PLAIN.series()
        ), "what is asked for stays; of the others the largest do"
        first, then = troubles
        assert first is not None
        assert (first.code, f"{len(gone)} hourly series" in first.detail) == ("too_many_hours", True)
        assert "fewer values" in first.hint
        assert then is None, "what is left fits"
