"""When quiet hours end, on ordinary nights and on those on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.alerts.notifying.quiet import next_morning, quiet_until
from functions.alerts.spec import QuietHours

NIGHT = QuietHours(begin="22:00", end="07:00", zone="Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "ends"),
    [
        (NIGHT, "2026-11-20T20:59:59", None),
        (NIGHT, "2026-11-20T21:00:00", "2026-11-21T06:00:00"),
        (NIGHT, "2026-11-21T05:59:59", "2026-11-21T06:00:00"),
        (NIGHT, "2026-11-21T06:00:00", None),
        # Clocks go back on 25 October 2026 and forward on 29 March: the night ends at seven on the wall.
        (NIGHT, "2026-10-24T21:00:00", "2026-10-25T06:00:00"),
        (NIGHT, "2026-03-28T22:00:00", "2026-03-29T05:00:00"),
        # 02:30 comes twice: the first one ends it. It does not come at all: the jump does.
        (QuietHours(begin="23:00", end="02:30", zone="Europe/Berlin"), "2026-10-24T23:00:00", "2026-10-25T00:30:00"),
        (QuietHours(begin="23:00", end="02:30", zone="Europe/Berlin"), "2026-10-25T00:45:00", None),
        (QuietHours(begin="23:00", end="02:30", zone="Europe/Berlin"), "2026-03-29T00:00:00", "2026-03-29T01:30:00"),
        (QuietHours(begin="12:00", end="13:00"), "2026-11-20T12:30:00", "2026-11-20T13:00:00"),
        (QuietHours(begin="12:00", end="12:00"), "2026-11-20T12:00:00", None),
        (None, "2026-11-20T12:00:00", None),
    ],
)
def test_when_they_end(quiet: QuietHours | None, now: str, ends: str | None) -> None:
    assert quiet_until(quiet, at(now)) == (at(ends) if ends else None)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 23),
    st.integers(0, 23),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]),
)
def test_their_end_is_ahead_within_a_day_and_not_quiet_itself(now: datetime, begin: int, end: int, zone: str) -> None:
    quiet = QuietHours(begin=f"{begin:02}:00", end=f"{end:02}:00", zone=zone)
    until = quiet_until(quiet, now)
    if until is None:
        return
    assert now < until <= now + timedelta(hours=25)
    again = quiet_until(quiet, until)
    assert again is None or begin == end


def test_the_next_morning_is_nine_on_the_wall() -> None:
    for now in ("2026-10-24T06:00:00", "2026-10-24T12:00:00", "2026-03-28T12:00:00"):
        morning = next_morning(at(now), "Europe/Berlin", 9)
        assert at(now) < morning <= at(now) + timedelta(hours=25)
        assert morning.astimezone(ZoneInfo("Europe/Berlin")).hour == 9
