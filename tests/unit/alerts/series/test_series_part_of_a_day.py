"""The day so far against the same part of earlier days: where clocks change, hours are late or missing, zones are odd."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import HOUR, Series
from functions.alerts.series.held import Bucket, Held
from functions.alerts.series.partial import so_far, whole_days
from functions.alerts.series.sources import source_of
from functions.alerts.spec import DifferenceSeries, EventSeries, FlagSeries, MetricSeries, RatioSeries

COUNT = EventSeries(event="a", grain="so_far")
BY = EventSeries(event="a", by="method", grain="so_far")
MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)


def held(spec: EventSeries, by_value: Mapping[str | None, dict[int, Bucket]]) -> Held:
    source = source_of(spec)
    assert source is not None
    return Held(source, by_value)


def hours(
    begin: datetime, count: int, *, value: float = 1.0, missing: Collection[int] = (), late_from: int = 10_000
) -> dict[int, Bucket]:
    first = int(begin.timestamp())
    return {
        first + number * HOUR: Bucket(value, 0.5 if number >= late_from else 1.0)
        for number in range(count)
        if number not in missing
    }


def of_one(buckets: dict[int, Bucket], zone: str, now: datetime) -> Series:
    (series,) = so_far(COUNT, [held(COUNT, {None: buckets})], zone=zone, now=now)
    return series


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[arg-type,misc]  # year, month, day are there


def days_of(series: Series) -> list[int]:
    return [datetime.fromtimestamp(at, ZoneInfo(series.zone)).day for at in series.begins]


@pytest.mark.parametrize(
    ("zone", "today", "parts"),
    [
        ("UTC", (2026, 11, 20), [15, 15, 15]),
        ("Europe/Berlin", (2026, 3, 30), [15, 14, 15]),  # The night before last an hour was left out.
        ("Europe/Berlin", (2026, 3, 29), [15, 15, 14]),
        ("Europe/Berlin", (2026, 10, 26), [15, 16, 15]),
        ("Europe/Berlin", (2026, 10, 25), [15, 15, 16]),
        ("Asia/Kolkata", (2026, 11, 20), [15, 15, 15]),  # 00:30 to 15:30: the hour around midnight is of neither day.
        ("America/Santiago", (2026, 9, 7), [15, 14, 15]),  # The hour left out is the first after midnight.
    ],
)
def test_each_day_is_summed_up_to_the_same_time_of_day(
    zone: str, today: tuple[int, int, int], parts: list[int]
) -> None:
    now = local(zone, *today, 15, 40)
    begin = local(zone, *today) - timedelta(days=2, hours=2)
    first = datetime.fromtimestamp(int(begin.timestamp()) // HOUR * HOUR, UTC)
    # Hours that are not over hold something already, and count for nothing.
    series = of_one(hours(first, int((now - first) / timedelta(hours=1)) + 9), zone, now)
    assert list(series.values)[-3:] == parts
    assert {datetime.fromtimestamp(at, ZoneInfo(zone)).hour for at in series.begins} <= {0, 1}
    assert datetime.fromtimestamp(series.until, ZoneInfo(zone)) == local(zone, *today[:2], today[2] + 1)
    assert series.name == ("a until 15:30" if zone == "Asia/Kolkata" else "a until 15:00")


@pytest.mark.parametrize("today", [(2026, 10, 25), (2026, 3, 29), (2026, 11, 20)])
def test_the_newest_day_is_judged_although_it_is_not_over(today: tuple[int, int, int]) -> None:
    zone = "Europe/Berlin"
    series = of_one(hours(local(zone, *today) - timedelta(days=2), 70), zone, local(zone, *today, 10, 5))
    verdict = judging.judge(Threshold(above=9), series)
    assert (verdict.state, verdict.bucket, verdict.is_incomplete) == (
        "firing" if today[1] != 3 else "not_firing",
        int(local(zone, *today).timestamp()),
        False,
    )


def test_hours_that_have_not_arrived_are_not_low_but_not_there_yet() -> None:
    now = MIDNIGHT + timedelta(days=2, hours=15, minutes=40)
    series = of_one(hours(MIDNIGHT, 64, late_from=48 + 11), "UTC", now)
    assert (list(series.values), series.name) == ([11, 11, 11], "a until 11:00")
    assert list(series.arrived or ()) == [1, 1, 1]
    # What comes behind a gap is of no use: the same part must be whole.
    series = of_one(hours(MIDNIGHT, 64, missing=(48 + 7,)), "UTC", now)
    assert list(series.values) == [7, 7, 7]


@pytest.mark.parametrize("late_from", [47, 48])
def test_until_an_hour_of_today_has_arrived_yesterday_is_the_newest_day(late_from: int) -> None:
    now = MIDNIGHT + timedelta(days=2, hours=1, minutes=40)
    series = of_one(hours(MIDNIGHT, 50, late_from=late_from), "UTC", now)
    assert days_of(series) == [18, 19]
    assert list(series.values) == [late_from - 24] * 2
    assert series.name == ("a until midnight" if late_from == 48 else "a until 23:00")
    assert series.until == int((MIDNIGHT + timedelta(days=2)).timestamp())


def test_a_day_of_which_an_hour_is_missing_is_left_out_rather_than_low() -> None:
    now = MIDNIGHT + timedelta(days=2, hours=15, minutes=40)
    assert days_of(of_one(hours(MIDNIGHT, 64, missing=(5, 24 + 20)), "UTC", now)) == [19, 20]


def test_without_hours_there_is_nothing() -> None:
    now = MIDNIGHT + timedelta(days=2)
    for buckets in ({}, hours(MIDNIGHT, 48, late_from=0)):
        series = of_one(buckets, "UTC", now)
        assert (list(series.begins), series.name, series.until) == ([], "a", int(now.timestamp()))


def test_a_ratio_is_of_sums_not_the_sum_of_ratios() -> None:
    spec = RatioSeries(of=COUNT, to=(COUNT, COUNT), minimum=50)
    few = {**hours(MIDNIGHT, 40), **hours(MIDNIGHT, 1, value=41)}
    # The third side is behind, so all of them are taken up to where it is.
    sides = [few, hours(MIDNIGHT, 40, value=4), hours(MIDNIGHT, 36, value=6)]
    (series,) = so_far(
        spec, [held(COUNT, {None: each}) for each in sides], zone="UTC", now=MIDNIGHT + timedelta(hours=40)
    )
    assert list(series.values) == pytest.approx([100 * 52 / 120, 10])
    less = RatioSeries(of=COUNT, to=(COUNT, COUNT), minimum=121)
    (series,) = so_far(
        less, [held(COUNT, {None: each}) for each in sides], zone="UTC", now=MIDNIGHT + timedelta(hours=40)
    )
    assert (list(series.begins), len(series.silent)) == ([], 2)


def test_a_value_is_there_from_its_first_day_on_even_where_it_came_late_in_the_day() -> None:
    first = int(MIDNIGHT.timestamp())
    evening = {hour: Bucket(float((hour - first) // HOUR == 24 + 20), 1.0) for hour in hours(MIDNIGHT, 60)}
    by_value: dict[str | None, dict[int, Bucket]] = {"card": hours(MIDNIGHT, 60), "sepa": evening}
    card, sepa = so_far(BY, [held(BY, by_value)], zone="UTC", now=MIDNIGHT + timedelta(hours=60))
    assert (card.name, card.value, list(card.values)) == ("a by method = card until 12:00", "card", [12, 12, 12])
    assert (days_of(sepa), list(sepa.values)) == ([19, 20], [0, 0])


def test_an_hour_of_which_a_value_is_not_known_is_no_zero() -> None:
    many: dict[str | None, dict[int, Bucket]] = {
        f"m{number}": hours(MIDNIGHT, 60, missing=() if number else (24 + 4,)) for number in range(20)
    }
    rare = hours(MIDNIGHT, 60, missing=(24 + 3,))
    *_, found = so_far(BY, [held(BY, {**many, "rare": rare})], zone="UTC", now=MIDNIGHT + timedelta(hours=60))
    assert (found.value, days_of(found)) == ("rare", [18, 20])


def test_a_day_that_is_over_is_of_the_same_events() -> None:
    by_day = EventSeries(event="a")
    assert whole_days(COUNT) == by_day
    assert whole_days(MetricSeries(name="event:a", grain="so_far")) == by_day
    assert whole_days(MetricSeries(name="posthog_pageviews", grain="so_far")) == MetricSeries(name="posthog_pageviews")
    assert whole_days(RatioSeries(of=COUNT, to=(COUNT,))) == RatioSeries(of=by_day, to=(by_day,))
    assert whole_days(DifferenceSeries(of=COUNT, less=COUNT)) == DifferenceSeries(of=by_day, less=by_day)
    for other in (EventSeries(grain="hour"), FlagSeries()):
        assert whole_days(other) is other
