"""A rule over the day so far: it speaks at noon, recovers when the day makes up for it, and is late for nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts.conditions.kinds import Change, Condition, Threshold
from functions.alerts.series.sources import measure_of
from functions.alerts.spec import EventSeries, Policy, RatioSeries, SeriesSpec
from hedgerow import hours
from hedgerow.hours import HourMonth, HourPoint, Hours
from hedgerow.ports import Add, Swap
from hedgerow.ports import Change as Written
from tests.functions.alerts.incident_stage import TODAY, YESTERDAY, AlertStage, alert_stage
from tests.stage import staged

MIDNIGHT = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
PAID = EventSeries(event="payment.completed", grain="so_far")
DROP = Change(against="previous", direction="drop", percent=30)


def stored(spec: EventSeries) -> str:
    measure = measure_of(spec)
    assert measure is not None
    return measure.series()


class Room(AlertStage):
    """Payments by the hour, as syncs bring them."""

    async def sync(
        self, at: datetime, *amounts: tuple[float, int], spec: EventSeries = PAID, newest: datetime | None = None
    ) -> None:
        """At this instant a sync brings today's hours (so many at this amount each, and so on) and the rules are judged."""
        self.stage.clock.forward(at - self.stage.clock())
        values = [amount for amount, count in amounts for _ in range(count)]
        begin = MIDNIGHT if at >= MIDNIGHT else MIDNIGHT - timedelta(days=10)
        await self.put({begin + timedelta(hours=number): value for number, value in enumerate(values)}, spec, newest)
        await self.evaluate()

    async def put(self, values: Mapping[datetime, float], spec: EventSeries, newest: datetime | None = None) -> None:
        connection, now = await self.connection(), self.stage.clock()
        months: dict[str, dict[int, float]] = {}
        for at, value in values.items():
            months.setdefault(f"{at:%Y-%m}", {})[int(at.timestamp())] = value
        changes: list[Written] = []
        for month, mine in months.items():
            id = hours.record_id(connection.id, month)
            held = await self.stage.store.get(HourMonth, id)
            unpacked = hours.unpack(month, held.packed) if held is not None else Hours(month)
            series = unpacked.series.setdefault(stored(spec), {})
            series |= {hour: HourPoint(value, now) for hour, value in mine.items()}
            record = HourMonth(
                id=id, connection_id=connection.id, month=month, packed=hours.pack(unpacked), updated_at=now
            )
            changes.append(Swap(record.model_copy(update={"version": held.version})) if held else Add(record))
        progress = connection.progress.model_copy(
            update={
                "last_success_at": now,
                "newest_event_at": newest or now,
                "asked_at": now,
                "last_success_day": TODAY,
                "arrivals": (60.0, 300.0, 600.0, 1_200.0),
            }
        )
        await self.stage.store.commit(*changes, Swap(connection.model_copy(update={"progress": progress})))

    async def so_far_rule(self, condition: Condition = DROP, series: SeriesSpec = PAID, **policy: object) -> None:
        await self.rule(
            condition=condition, series=series, policy=Policy.model_validate({"cooldown_minutes": 0, **policy})
        )

    async def shown(self) -> tuple[str, float | None]:
        (state,) = await self.states()
        assert state.last is not None
        return state.last.state, state.last.observed


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with staged() as stage:
        made = await alert_stage(stage)
        stage.clock.forward(MIDNIGHT - stage.clock())
        kept = Room(stage, made.tenant, made.connection_id, made.channel)
        past = {MIDNIGHT - timedelta(hours=back): 10.0 for back in range(1, 10 * 24 + 1)}
        await kept.put(past, PAID)
        await kept.points({TODAY - timedelta(days=back): 240 for back in range(1, 11)}, stored(PAID))
        yield kept


async def test_what_fires_at_noon_and_is_fine_at_three_recovers(room: Room) -> None:
    await room.so_far_rule()
    await room.sync(at(9.6), (10, 9), (4, 1))
    assert await room.shown() == ("not_firing", 90)
    await room.sync(at(12.6), (10, 8), (0, 4), (3, 1))
    incident = await room.incident()
    assert (incident.state, incident.since, incident.observed, incident.low) == ("open", MIDNIGHT, 80, 84)
    assert "until 12:00: 80" in incident.sentence
    await room.sync(at(15.6), (10, 12), (8, 3), (1, 1))
    incident = await room.incident()
    assert (incident.state, incident.was_corrected) == ("resolved", False)
    assert "144" in incident.timeline[-1].sentence
    assert await room.told() == ["opened", "resolved"]
    assert await room.shown() == ("not_firing", 144)


async def test_the_same_day_keeps_one_incident_up_to_date_without_telling_it_over_and_over(room: Room) -> None:
    await room.so_far_rule()
    for hour in range(6, 20):
        await room.sync(at(hour + 0.6), (1, hour))
    incident = await room.incident()
    assert (incident.state, incident.observed, incident.peak) == ("open", 19, 19)
    assert await room.told() == ["opened"]
    assert await room.shown() == ("firing", 19)
    before = await room.everything()
    await room.evaluate()
    assert await room.everything() == before


@pytest.mark.parametrize("amount", [1, 25])
async def test_what_is_unusual_grows_with_the_day_and_is_not_worse(room: Room, amount: float) -> None:
    await room.so_far_rule(Change(against="previous", percent=30))
    for hour in (3, 6, 12, 23):
        await room.sync(at(hour + 0.6), (amount, hour))
    assert await room.told() == ["opened"]


async def test_an_hour_that_is_late_is_waited_for(room: Room) -> None:
    await room.so_far_rule()
    for hour in (12.6, 15.6, 17.6):
        # PostHog holds nothing newer than of noon: what is counted after it is not low, it is late.
        await room.sync(at(hour), (10, 12), (0, int(hour) - 12), newest=at(12.25))
        assert await room.shown() == ("not_firing", 120)
    assert await room.incidents() == []


async def test_a_day_that_is_over_is_judged_as_a_whole_day(room: Room) -> None:
    await room.so_far_rule(fire_after=2, out_of=2)
    await room.sync(at(18.6), (10, 1), (1, 17))
    assert await room.incidents() == []
    # Its last hours made up for it, and nobody looked then; the second day is bad, the first was not.
    room.stage.clock.forward(at(25.6) - room.stage.clock())
    await room.put({at(hour): 60 for hour in range(19, 24)} | {at(24): 1, at(25): 1}, PAID)
    await room.points({TODAY: 327}, stored(PAID))
    await room.evaluate()
    assert await room.incidents() == []
    (state,) = await room.states()
    assert [mark.firing for mark in state.marks[-2:]] == [False, True]


async def test_a_bad_day_judged_as_a_whole_counts_with_the_next(room: Room) -> None:
    await room.so_far_rule(fire_after=2, out_of=2)
    await room.sync(at(18.6), (10, 18))
    room.stage.clock.forward(at(25.6) - room.stage.clock())
    await room.put({at(hour): 0 for hour in range(8, 24)} | {at(24): 1, at(25): 1}, PAID)
    await room.points({TODAY: 80}, stored(PAID))
    await room.evaluate()
    incident = await room.incident()
    assert (incident.state, incident.since) == ("open", MIDNIGHT)


async def test_a_new_rule_counts_the_days_before_as_they_ended(room: Room) -> None:
    await room.points({YESTERDAY: 100}, stored(PAID))
    await room.so_far_rule(fire_after=2, out_of=2)
    await room.sync(at(12.6), (1, 12))
    assert (await room.incident()).since == MIDNIGHT - timedelta(days=1)


async def test_a_count_above_its_bound_is_told_before_the_day_is_over(room: Room) -> None:
    await room.so_far_rule(Threshold(above=100))
    await room.sync(at(9.6), (10, 9))
    assert await room.incidents() == []
    await room.sync(at(11.6), (10, 11))
    assert (await room.incident()).observed == 110
    # The day after begins at 0.
    await room.sync(at(25.6), (10, 24), (1, 1))
    assert (await room.incident()).state == "resolved"


async def test_a_ratio_of_the_day_so_far(room: Room) -> None:
    failed = EventSeries(event="payment.failed", grain="so_far")
    await room.so_far_rule(Threshold(above=20), RatioSeries(of=failed, to=(failed, PAID), minimum=100))
    await room.sync(at(9.6), (10, 9))
    await room.sync(at(9.6), (5, 9), spec=failed)
    incident = await room.incident()
    assert incident.observed == pytest.approx(100 * 45 / 135)
    assert "until 09:00: 33.3 %" in incident.sentence
