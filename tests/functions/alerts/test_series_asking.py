"""The series of a spec asked of a real (local) PostHog: numbers, zones, breakdowns, hostile names, refusals."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from functions.alerts.series import asking
from functions.alerts.spec import DifferenceSeries, EventSeries, FlagSeries, MetricSeries, RatioSeries, SyncSeries
from hedgerow import days
from hedgerow.errors import InvalidError, StateConflictError
from hedgerow.measures import Filter
from hedgerow.models import ProjectSlot
from hedgerow.ports import Add
from hedgerow.slots import slot_id
from tests.sync_stage import NOW, sync_stage

BERLIN = "Europe/Berlin"
HOSTILE = "it's {m0_event} \\' or 1=1 -- \"`; 💥"
FIRST, LAST = date(2026, 11, 18), date(2026, 11, 20)


def event(name: str, at: datetime, person: str = "ada", /, **properties: Any) -> dict[str, Any]:
    return {"event": name, "distinct_id": person, "timestamp": at.isoformat(), "properties": properties}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def epoch(day: int, zone: str = "UTC") -> int:
    return int(days.begins(date(2026, 11, day), zone).timestamp())


PAYMENTS = [
    event("payment.failed", at(18, 9), method="card", amount=10),
    event("payment.failed", at(18, 23, 30), method="card", amount=5),
    event("payment.failed", at(19, 9), method="sepa", amount=2.5),
    event("payment.completed", at(18, 10), method="card", amount=100),
    event("payment.completed", at(18, 10), method="card", amount="not a number"),
    event("payment.completed", at(19, 10), "bob", method="sepa", amount=1),
    event("payment.completed", at(19, 11), "bob", method="card", amount=1),
    event("payment.completed", at(19, 11), "bob", amount=1),
]


async def test_days_are_local_and_a_day_without_events_is_a_zero() -> None:
    async with sync_stage(PAYMENTS, zone=BERLIN) as stage:
        spec = EventSeries(event="payment.failed")
        (series,) = await asking.ask(stage.app, await stage.connection(), spec, FIRST, LAST)
    # 23:30 in London is after midnight in Berlin.
    assert dict(zip(series.begins, series.values, strict=True)) == {
        epoch(18, BERLIN): 1,
        epoch(19, BERLIN): 2,
        epoch(20, BERLIN): 0,
    }
    assert (series.name, series.unit, series.zone, series.seconds) == ("payment.failed", "count", BERLIN, 86_400)
    assert series.until == int(NOW.timestamp())
    assert series.arrived is not None
    assert series.arrived[-1] == 0  # Today is not over.


async def test_hours_are_of_utc_and_end_with_the_present_one() -> None:
    async with sync_stage(PAYMENTS, zone="Asia/Kolkata") as stage:
        spec = MetricSeries(name="event:payment.completed", grain="hour")
        (series,) = await asking.ask(stage.app, await stage.connection(), spec, FIRST, LAST)
    known = dict(zip(series.begins, series.values, strict=True))
    assert {begin: value for begin, value in known.items() if value} == {
        int(at(18, 10).timestamp()): 2,
        int(at(19, 10).timestamp()): 1,
        int(at(19, 11).timestamp()): 2,
    }
    assert series.begins[0] == int(
        at(17, 19).timestamp()
    )  # Midnight there is at 18:30; that hour is of the day before.
    assert series.begins[-1] == int(at(20, 15).timestamp())


async def test_a_breakdown_has_a_series_for_each_value_with_zeros() -> None:
    async with sync_stage(PAYMENTS) as stage:
        spec = EventSeries(event="payment.completed", by="method", math="sum", of="amount")
        found = await asking.ask(stage.app, await stage.connection(), spec, FIRST, LAST)
    assert [(series.value, list(series.values)) for series in found] == [("card", [100, 1, 0]), ("sepa", [1, 0])]
    assert found[0].name == "Sum of amount of payment.completed by method = card"


async def test_a_ratio_by_value_is_silent_where_little_happened() -> None:
    failed, completed = (EventSeries(event=f"payment.{end}", by="method") for end in ("failed", "completed"))
    spec = RatioSeries(of=failed, to=(failed, completed), minimum=2)
    async with sync_stage(PAYMENTS) as stage:
        card, sepa = await asking.ask(stage.app, await stage.connection(), spec, FIRST, LAST)
    assert (card.value, list(card.begins), list(card.values)) == ("card", [epoch(18)], [50.0])
    assert list(card.silent) == [epoch(19), epoch(20)]
    assert (sepa.value, list(sepa.begins), list(sepa.values)) == ("sepa", [epoch(19)], [50.0])
    assert card.unit == "percent"


async def test_filters_persons_and_differences() -> None:
    persons = EventSeries(math="persons")
    filtered = EventSeries(event="payment.completed", where=(Filter(property="amount", values=(1,)),))
    async with sync_stage(PAYMENTS) as stage:
        connection = await stage.connection()
        (active,) = await asking.ask(stage.app, connection, persons, FIRST, LAST)
        (ones,) = await asking.ask(stage.app, connection, filtered, FIRST, LAST)
        (less,) = await asking.ask(stage.app, connection, DifferenceSeries(of=filtered, less=persons), FIRST, LAST)
    assert list(active.values) == [1, 2, 0]
    assert list(ones.values) == [0, 3, 0]
    assert list(less.values) == [-1, 1, 0]


async def test_no_name_breaks_out_of_the_query() -> None:
    events = [event(HOSTILE, at(19, 9), n=7, **{HOSTILE: HOSTILE}), event("other", at(19, 9))]
    spec = EventSeries(
        event=HOSTILE, where=(Filter(property=HOSTILE, values=(HOSTILE,)),), by=HOSTILE, math="avg", of="n"
    )
    async with sync_stage(events) as stage:
        (series,) = await asking.ask(stage.app, await stage.connection(), spec, FIRST, LAST)
    assert (series.value, list(series.begins), list(series.values)) == (HOSTILE, [epoch(19)], [7])


async def test_what_events_do_not_tell_is_refused() -> None:
    async with sync_stage() as stage:
        connection = await stage.connection()
        for spec in (SyncSeries(), FlagSeries(), MetricSeries(name="posthog_wau")):
            with pytest.raises(InvalidError) as refused:
                await asking.ask(stage.app, connection, spec, FIRST, LAST)
            assert refused.value.code == "not_askable"
        for first, last in ((LAST + timedelta(days=1), LAST), (FIRST - timedelta(days=2_000), LAST)):
            with pytest.raises(InvalidError, match="day"):
                await asking.ask(stage.app, connection, EventSeries(), first, last)
        assert not stage.posthog.requests


async def test_pieces_of_a_long_span_agree_on_the_values() -> None:
    spec = EventSeries(event="payment.completed", by="method", grain="hour")
    old = [event("payment.completed", NOW - timedelta(days=90 + age), method=f"m{age}") for age in range(25)]
    often = [event("payment.completed", NOW - timedelta(days=1), method=f"o{number % 20}") for number in range(40)]
    async with sync_stage([*old, *often]) as stage:
        found = await asking.ask(stage.app, await stage.connection(), spec, LAST - timedelta(days=119), LAST)
        assert sum(count for path, count in stage.posthog.requests.items() if "query" in path) == 2
    # The first eighty days alone would have ranked the values that were there then.
    assert {series.value for series in found} == {f"o{number}" for number in range(20)}


async def test_it_waits_for_no_turn_and_leaves_none_behind() -> None:
    async with sync_stage(PAYMENTS) as stage:
        connection = await stage.connection()
        await asking.ask(stage.app, connection, EventSeries(), FIRST, LAST)
        slot = await stage.store.get(ProjectSlot, slot_id(connection))
        assert slot is not None
        assert slot.holder_run_id is None
    async with sync_stage(PAYMENTS) as stage:
        connection = await stage.connection()
        until = NOW + timedelta(minutes=5)
        await stage.store.commit(Add(ProjectSlot(id=slot_id(connection), closed_until=until)))
        with pytest.raises(StateConflictError):
            await asking.ask(stage.app, connection, EventSeries(), FIRST, LAST)
