"""Local days: their first instants, on the nights clocks change and where midnight is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import days

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "America/Havana",
    "Africa/Cairo",
)


@pytest.mark.parametrize(
    ("day", "zone", "first", "hours"),
    [
        (date(2026, 3, 29), "Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        (date(2026, 10, 25), "Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        (date(2026, 11, 21), "UTC", datetime(2026, 11, 21, tzinfo=UTC), 24),
        # Cairo's clocks go forward at midnight: the day begins with the jump, at 1:00.
        (date(2026, 4, 24), "Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC), 23),
        # Havana's go back at 1:00: midnight comes twice and the day begins with the first.
        (date(2026, 11, 1), "America/Havana", datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
    ],
)
def test_day_begins_at_its_first_instant(day: date, zone: str, first: datetime, hours: int) -> None:
    assert days.begins(day, zone) == first
    assert days.ends(day, zone) - days.begins(day, zone) == timedelta(hours=hours)


@given(
    st.integers(1_420_070_400, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.sampled_from(ZONES),
)
def test_every_instant_lies_in_exactly_its_day(now: datetime, zone: str) -> None:
    day = days.today(now, zone)
    assert days.begins(day, zone) <= now < days.ends(day, zone)


def test_months_between_names_every_month_once() -> None:
    assert days.months_between(date(2025, 11, 30), date(2026, 2, 1)) == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert days.months_between(date(2026, 2, 28), date(2026, 2, 28)) == ["2026-02"]


def test_unknown_zone_is_told_from_a_known_one() -> None:
    assert days.zone_exists("Europe/Berlin")
    assert not days.zone_exists("Europe/Atlantis")
    assert not days.zone_exists("../etc/passwd")
