"""Every measure by day and by hour equals a count in plain Python over the raw events, whatever the names."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from hedgerow.hours import HOUR
from hedgerow.measures import MOST_VALUES, Filter, Math, Measure
from hedgerow.models import QueryText
from hedgerow.ports import Where
from local.posthog.faults import Fault
from tests.sync_stage import SyncStage, sync_stage

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
HOSTILE = (
    "it's",
    'a "quote"',
    "`tick`",
    "{zone}",
    "back\\slash",
    "emoji 🌿",
    "$dollar",
    "a.b",
    "') or 1=1 --",
    "line\nbreak",
)
PAID = HOSTILE[0] + HOSTILE[3]


@dataclass(frozen=True)
class Sent:
    """One event as the oracle sees it."""

    event: str
    person: str
    at: datetime
    properties: Mapping[str, Any]


def life(seed: int, until: datetime, days: int = 32, number: int = 900) -> list[Sent]:
    """Payments and other events with every kind of property."""
    chance = random.Random(seed)
    sent: list[Sent] = []
    for _ in range(number):
        properties: dict[str, Any] = {
            HOSTILE[1]: chance.choice(("EUR", "USD", 'od"d', "🌿", "a:b", None, "", "null")),
            "amount": chance.choice((100, -250, 19.99, "300", "none", None, 1e300, 0)),
            HOSTILE[5]: chance.choice((True, False, None)),
            # PostHog types a property by the first value it sees; a text keeps the others too.
            HOSTILE[7]: chance.choice((1, 2.5, "2.5", HOSTILE[8])) if sent else HOSTILE[8],
        }
        kept = {name: value for name, value in properties.items() if value is not None}
        at = until - timedelta(seconds=chance.uniform(0, days * 86_400))
        sent.append(Sent(chance.choice((PAID, PAID, "other")), f"u{chance.randrange(40)}", at, kept))
    return sent


def loaded(sent: list[Sent], seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [
        {
            "uuid": str(UUID(int=chance.getrandbits(128), version=4)),
            "event": one.event,
            "distinct_id": one.person,
            "timestamp": one.at.isoformat(),
            "properties": dict(one.properties),
        }
        for one in sent
    ]


def text_of(value: object) -> str:
    """A property as PostHog's text of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def number_of(value: object) -> float | None:
    """A property as a number, where it is one that is believed."""
    try:
        number = float(text_of(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= 1e15 else None


def passes(one: Sent, measure: Measure) -> bool:
    for wanted in measure.where:
        held = one.properties.get(wanted.property)
        texts = {text_of(value) for value in wanted.values if isinstance(value, str | bool)}
        numbers = {float(value) for value in wanted.values if not isinstance(value, str | bool)}
        if (held is None or text_of(held) not in texts) and number_of(held) not in numbers:
            return False
    if measure.of is not None and number_of(one.properties.get(measure.of)) is None:
        return False
    return measure.event in (None, one.event)


def calculated(kind: Math, some: list[Sent], of: str | None) -> float | None:
    numbers = sorted(number_of(one.properties[of]) or 0.0 for one in some) if of else []
    match kind:
        case "count":
            return len(some)
        case "persons":
            return len({one.person for one in some})
        case "sum":
            return sum(numbers)
        case "avg":
            return sum(numbers) / len(numbers) if numbers else None
        case "p95":
            return quantile(numbers, 0.95) if numbers else None


def quantile(numbers: list[float], share: float) -> float:
    place = share * (len(numbers) - 1)
    low = math.floor(place)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (numbers[high] - numbers[low]) * (place - low)


def expected(
    measure: Measure, sent: list[Sent], zone: str, first: date, last: date, until: datetime
) -> tuple[dict[tuple[str, date], float], dict[tuple[str, int], float]]:
    """Points by local day and by UTC hour."""
    local = [(one, one.at.astimezone(ZoneInfo(zone)).date()) for one in sent if passes(one, measure)]
    inside = [(one, day) for one, day in local if first <= day <= last]
    names: list[str | None] = [None]
    if measure.by is not None:
        times = Counter(text_of(one.properties.get(measure.by)) for one, _ in inside)
        ranked = [
            text for text, _ in sorted(times.items(), key=lambda item: (-item[1], item[0])) if text not in ("", "null")
        ]
        names = list(ranked[:MOST_VALUES])
    daily: dict[tuple[str, date], float] = {}
    hourly: dict[tuple[str, int], float] = {}
    begin = int(datetime.combine(first, datetime.min.time(), ZoneInfo(zone)).timestamp()) // HOUR * HOUR
    for name in names:
        mine = [one for one, _ in local if name is None or text_of(one.properties.get(measure.by or "")) == name]
        by_day, by_hour = defaultdict(list), defaultdict(list)
        for one in mine:
            by_day[one.at.astimezone(ZoneInfo(zone)).date()].append(one)
            by_hour[int(one.at.timestamp()) // HOUR * HOUR].append(one)
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            value = calculated(measure.math, by_day[day], measure.of)
            if value is not None:
                daily[measure.series(name), day] = value
        for hour in range(begin, int(until.timestamp()) + 1, HOUR):
            value = calculated(measure.math, by_hour[hour], measure.of)
            if value is not None and measure.hourly:
                hourly[measure.series(name), hour] = value
    return daily, hourly


MEASURES = (
    Measure(event=PAID),
    Measure(hourly=True),
    Measure(event=PAID, math="persons", hourly=True),
    Measure(event=PAID, math="sum", of="amount", by=HOSTILE[1], hourly=True),
    Measure(event=PAID, math="avg", of="amount", hourly=True),
    Measure(event=PAID, math="p95", of="amount", by=HOSTILE[1]),
    Measure(by=HOSTILE[7], where=(Filter(property=HOSTILE[1], values=("EUR", 'od"d', "🌿")),), hourly=True),
    Measure(event=PAID, where=(Filter(property=HOSTILE[7], values=(HOSTILE[8], 2.5)),)),
    Measure(math="persons", where=(Filter(property=HOSTILE[5], values=(True,)),), by=HOSTILE[1]),
    Measure(math="persons", by=HOSTILE[5]),
    Measure(where=(Filter(property="amount", values=(300, 19.99)), Filter(property=HOSTILE[1], values=("USD",)))),
    Measure(event=HOSTILE[8], math="sum", of=HOSTILE[4], by=HOSTILE[2]),
)


async def assert_measured(stage: SyncStage, sent: list[Sent], zone: str, until: datetime) -> None:
    run = next(run for run in await stage.runs() if run.kind == "first")
    days: dict[tuple[str, date], float] = {}
    hours: dict[tuple[str, int], float] = {}
    for measure in MEASURES:
        daily, hourly = expected(measure, sent, zone, run.from_day, run.to_day, until)
        days |= daily
        hours |= hourly
    stored = {place: point.value for place, point in (await stage.points()).items() if place[0].startswith("measure:")}
    assert stored == pytest.approx(days, rel=1e-9, abs=6e-7)
    assert {place: point.value for place, point in (await stage.hours()).items()} == pytest.approx(
        hours, rel=6e-7, abs=6e-7
    )


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("UTC", UNTIL),
        ("Europe/Berlin", datetime(2026, 10, 27, 9, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 10, 3, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 7, 1, 1, 0, tzinfo=UTC)),
    ],
)
async def test_measures_equal_the_raw_events(zone: str, until: datetime) -> None:
    """The windows of Berlin and New York hold the nights on which their clocks change; Kathmandu's days begin inside an hour."""
    sent = life(1, until)
    async with sync_stage(loaded(sent, 1), zone=zone, now=until) as stage:
        await stage.measure(*MEASURES)
        await stage.first_sync()
        run = (await stage.runs())[0]
        assert (run.state, run.error, run.requests) == ("succeeded", None, 2)
        await assert_measured(stage, sent, zone, until)


async def test_a_heavy_or_cut_answer_is_asked_in_pieces_and_measures_the_same() -> None:
    sent = life(2, UNTIL)
    async with sync_stage(loaded(sent, 2), zone="Asia/Kathmandu", now=UNTIL) as stage:
        await stage.measure(*MEASURES)
        stage.posthog.faults.set(Fault(kind="clamp", rows=400, path="/api/projects/"))
        await stage.first_sync()
        progress = (await stage.connection()).progress
        assert progress.days_per_query is not None
        assert progress.newest_event_at == max(one.at for one in sent).replace(microsecond=0)
        await assert_measured(stage, sent, "Asia/Kathmandu", UNTIL)


async def test_a_correction_is_told_and_heals_days_and_hours() -> None:
    sent = life(3, UNTIL)
    series, late_day = MEASURES[3].series("EUR"), date(2026, 11, 18)
    async with sync_stage(loaded(sent, 3), now=UNTIL) as stage:
        await stage.measure(*MEASURES)
        await stage.first_sync()
        before = (await stage.points())[series, late_day].value
        texts = await stage.store.count(QueryText, Where("connection_id", "==", stage.connection_id))
        late = Sent(PAID, "u1", datetime(2026, 11, 18, 7, 20, tzinfo=UTC), {HOSTILE[1]: "EUR", "amount": -100_000})
        stage.posthog.load(loaded([late], 4))
        for _ in range(9):
            stage.forward(timedelta(hours=3))
            await stage.tick()
        assert {run.state for run in await stage.runs()} == {"succeeded"}
        points = await stage.points()
        told = {(c.metric, c.day): (c.old, c.new) for found in await stage.changes() for c in found.changes}
        old, new = told[series, late_day]
        assert (old, new) == (before, points[series, late_day].value)
        assert new == pytest.approx(before - 100_000)
        assert points[series, late_day].write.values["m3_event"] == PAID
        hour = int(late.at.timestamp()) // HOUR * HOUR
        in_hour = [one for one in [*sent, late] if one.properties.get(HOSTILE[1]) == "EUR" and passes(one, MEASURES[3])]
        now = sum(
            number_of(one.properties["amount"]) or 0 for one in in_hour if hour <= one.at.timestamp() < hour + HOUR
        )
        assert (await stage.hours())[series, hour].value == pytest.approx(now)
        assert await stage.store.count(QueryText, Where("connection_id", "==", stage.connection_id)) <= texts + 2


async def test_the_most_frequent_values_are_kept_and_those_that_were_measured_before() -> None:
    measure = Measure(event="paid", by="shop")
    old = [
        Sent("paid", "u", UNTIL - timedelta(days=2), {"shop": f"old {rank:02d}"})
        for rank in range(30)
        for _ in range(31 - rank)
    ]
    new = [
        Sent("paid", "u", UNTIL - timedelta(minutes=5), {"shop": f"new {rank:02d}"})
        for rank in range(30)
        for _ in range(99)
    ]
    async with sync_stage(loaded(old, 5), now=UNTIL) as stage:
        await stage.measure(measure)
        await stage.first_sync()
        assert {name for name, _ in await stage.points() if name.startswith("measure:")} == {
            measure.series(f"old {rank:02d}") for rank in range(MOST_VALUES)
        }
        late = Sent("paid", "u", UNTIL - timedelta(days=2), {"shop": "old 19"})
        stage.posthog.load(loaded([*new, late], 6))
        stage.forward(timedelta(hours=4))
        await stage.tick()
        points = await stage.points()
        today = {
            name: point.value
            for (name, day), point in points.items()
            if day == UNTIL.date() and name.startswith("measure:")
        }
        assert sum(1 for name, value in today.items() if ":new" in name and value == 99) == MOST_VALUES
        assert points[measure.series("old 19"), UNTIL.date() - timedelta(days=2)].value == 13
        assert points[measure.series("new 00"), UNTIL.date() - timedelta(days=2)].value == 0


async def test_hours_are_asked_for_only_where_wanted_and_told_when() -> None:
    sent = life(7, UNTIL, number=100)
    async with sync_stage(loaded(sent, 7), now=UNTIL) as stage:
        await stage.measure(Measure(event=PAID))
        await stage.first_sync()
        assert await stage.hours() == {}
        await stage.measure(Measure(event=PAID), Measure(event=PAID, hourly=True))
        stage.forward(timedelta(hours=4))
        await stage.tick()
        held = await stage.hours()
        now = int(stage.app.now().timestamp())
        assert max(hour for _, hour in held) == now // HOUR * HOUR
        assert {point.asked_at for point in held.values()} == {stage.app.now()}
