"""A packed month of hours comes back as it was, whatever the names, and forgets what is too old."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import hours
from hedgerow.hours import HOUR, HourPoint, Hours

BEGIN = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
ASKED = (datetime(2026, 11, 5, 12, tzinfo=UTC), datetime(2026, 11, 6, 12, 0, 0, 7, tzinfo=UTC))

points = st.builds(
    HourPoint,
    value=st.one_of(st.integers(-(2**53), 2**53), st.floats(-1e15, 1e15, allow_nan=False)),
    asked_at=st.sampled_from(ASKED),
)
slots = st.integers(0, 30 * 24 - 1).map(lambda slot: BEGIN + slot * HOUR)
series = st.dictionaries(
    st.text(min_size=1, max_size=40), st.dictionaries(slots, points, min_size=1, max_size=60), max_size=6
)


@given(series)
def test_packing_keeps_every_hour_to_seven_figures(held: dict[str, dict[int, HourPoint]]) -> None:
    back = hours.unpack("2026-11", hours.pack(Hours("2026-11", held))).series
    assert back == {
        name: {hour: replace(point, value=hours.rounded(point.value)) for hour, point in points.items()}
        for name, points in held.items()
    }
    for name, points in held.items():
        for hour, point in points.items():
            assert back[name][hour].value == pytest.approx(point.value, rel=5e-7)


def test_a_number_of_few_figures_is_kept_as_it_is() -> None:
    for value in (0, 7, 1_234_567, 19.99, -0.001, 1e15):
        assert hours.rounded(value) == value == hours.rounded(hours.rounded(value))
    assert hours.rounded(1234.567890123) == 1234.568


@pytest.mark.parametrize("hour", [BEGIN - HOUR, BEGIN + 30 * 24 * HOUR, BEGIN + 1])
def test_what_is_no_hour_of_the_month_is_refused(hour: int) -> None:
    with pytest.raises(ValueError, match="no hour of 2026-11"):
        hours.pack(Hours("2026-11", {"measure:x": {hour: HourPoint(1, ASKED[0])}}))


def test_old_hours_are_dropped_and_empty_series_with_them() -> None:
    held = Hours("2026-11", {"a": {BEGIN: HourPoint(1, ASKED[0])}, "b": {BEGIN + HOUR: HourPoint(2, ASKED[0])}})
    assert held.drop_before(BEGIN + HOUR)
    assert held.series == {"b": {BEGIN + HOUR: HourPoint(2, ASKED[0])}}
    assert not held.drop_before(BEGIN + HOUR)


def test_months_are_those_of_utc() -> None:
    assert hours.month_of(BEGIN) == "2026-11"
    assert hours.month_of(BEGIN - 1) == "2026-10"
    assert hours.months_between(BEGIN - HOUR, BEGIN) == ["2026-10"]
    assert hours.months_between(BEGIN - HOUR, BEGIN + 1) == ["2026-10", "2026-11"]
    assert hours.months_between(BEGIN, BEGIN + 70 * 86_400) == ["2026-11", "2026-12", "2027-01"]
    assert hours.months_between(BEGIN, BEGIN) == []
