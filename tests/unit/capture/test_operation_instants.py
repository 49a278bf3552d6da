"""`timestamp` in Properties: Unix milliseconds, or a reason why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.capture.operating.operation_reading import ParameterError, instant_of

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "said"),
    [
        ("1704096000000", "must be a number"),
        (True, "must be a number"),
        (0, "too early"),
        (-1704096000000, "too early"),
        (1704096000, "looks like seconds"),
        (1704096000000000, "in the future"),
        (10**300, "in the future"),
        ((NOW + timedelta(days=1)).timestamp() * 1000, "in the future"),
    ],
)
def test_a_timestamp_that_makes_no_sense_is_refused(timestamp: object, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        instant_of(timestamp, NOW)


@given(st.floats(10**11, NOW.timestamp() * 1000 + 3_600_000) | st.integers(10**11, int(NOW.timestamp() * 1000)))
def test_a_timestamp_is_an_instant_to_the_microsecond(timestamp: float) -> None:
    instant = instant_of(timestamp, NOW)
    assert instant is not None
    assert abs(instant.timestamp() * 1000 - timestamp) < 0.01
