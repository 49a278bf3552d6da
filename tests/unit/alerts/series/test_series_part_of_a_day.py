"""Today so far against the same part of earlier days, also where clocks change, hours are missing or zones are odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from functions.alerts.conditions.series import HOUR, Series
from functions.alerts.series.partial import so_far


def hourly(begin: datetime, count: int, missing: tuple[int, ...] = (), arrived: float = 1.0) -> Series:
    first = int(begin.timestamp())
    begins = [first + number * HOUR for number in range(count) if number not in missing]
    return Series("x", HOUR, begins, [1.0] * len(begins), first + count * HOUR, arrived=[arrived] * len(begins))


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[arg-type,misc]  # year, month, day are there


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
    hours = hourly(datetime.fromtimestamp(int(begin.timestamp()) // HOUR * HOUR, UTC), 80)
    series = so_far(hours, zone, now)
    assert list(series.values) == parts
    assert [datetime.fromtimestamp(at, ZoneInfo(zone)).hour for at in series.begins] in ([0, 0, 0], [0, 1, 0])
    assert series.until == int(
        (local(zone, *today) + timedelta(hours=30)).astimezone(ZoneInfo(zone)).replace(hour=0, minute=0).timestamp()
    )


def test_a_day_of_which_an_hour_is_missing_is_left_out_rather_than_low() -> None:
    hours = hourly(datetime(2026, 11, 18, tzinfo=UTC), 64, missing=(5, 24 + 20))
    series = so_far(hours, "UTC", datetime(2026, 11, 20, 15, 40, tzinfo=UTC))
    assert [datetime.fromtimestamp(at, UTC).day for at in series.begins] == [19, 20]


def test_hours_that_are_not_all_there_make_a_day_that_is_not() -> None:
    series = so_far(
        hourly(datetime(2026, 11, 18, tzinfo=UTC), 63, arrived=0.5), "UTC", datetime(2026, 11, 20, 15, tzinfo=UTC)
    )
    assert series.arrived is not None
    assert list(series.arrived) == [0.5, 0.5, 0.5]


def test_before_the_first_whole_hour_and_without_hours_there_is_nothing() -> None:
    hours = hourly(datetime(2026, 11, 18, tzinfo=UTC), 49)
    assert so_far(hours, "UTC", datetime(2026, 11, 20, 0, 40, tzinfo=UTC)).begins == ()
    empty = hourly(datetime(2026, 11, 18, tzinfo=UTC), 0)
    assert so_far(empty, "UTC", datetime(2026, 11, 20, 15, 40, tzinfo=UTC)).begins == ()
