"""When a failed attempt is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.alerts.notifying.backing import FIRST, LONGEST, MOST_ATTEMPTS, next_try

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@given(st.integers(1, MOST_ATTEMPTS - 1), st.none() | st.floats(0, 86_400))
def test_never_before_retry_after_and_never_later_than_the_longest_without(
    attempts: int, retry_after: float | None
) -> None:
    due = next_try(attempts, retry_after, NOW)
    assert due is not None
    assert due >= NOW + FIRST
    assert due >= NOW + timedelta(seconds=retry_after or 0)
    assert due <= NOW + max(LONGEST, timedelta(seconds=retry_after or 0))


def test_it_grows_and_lasts_a_whole_day() -> None:
    waits = [(next_try(attempts, None, NOW) or NOW) - NOW for attempts in range(1, MOST_ATTEMPTS)]
    assert waits == sorted(waits)
    assert sum(waits, timedelta()) >= timedelta(hours=23, minutes=30)
    assert next_try(MOST_ATTEMPTS, 5.0, NOW) is None
