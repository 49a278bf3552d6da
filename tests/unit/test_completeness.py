"""How much of a bucket has arrived: more with time, all of it only when everything is in, nothing while ingestion is behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.completeness import LONGEST_DELAY, SHARES, UNASKED, arrived

END = datetime(2026, 11, 20, tzinfo=UTC)
ARRIVALS = (5.0, 60.0, 600.0, 7_200.0)

instants = st.integers(-400_000, 400_000).map(lambda seconds: END + timedelta(seconds=seconds))
newest = st.one_of(st.none(), instants)
late = st.one_of(st.just(()), st.lists(st.floats(0, 200_000), min_size=4, max_size=4).map(sorted).map(tuple))


@given(instants, st.integers(0, 400_000), newest, late)
def test_it_never_falls_with_time(
    asked: datetime, later: int, newest_at: datetime | None, arrivals: tuple[float, ...]
) -> None:
    first = arrived(END, asked, newest_at, arrivals)
    assert 0.0 <= first <= arrived(END, asked + timedelta(seconds=later), newest_at, arrivals) <= 1.0


@given(instants, newest, late)
def test_it_is_one_only_when_everything_is_in(
    asked: datetime, newest_at: datetime | None, arrivals: tuple[float, ...]
) -> None:
    if arrived(END, asked, newest_at, arrivals) == 1.0:
        assert asked >= END + timedelta(seconds=2 * (arrivals or UNASKED)[-1])
        assert newest_at is None or newest_at >= END or asked >= END + LONGEST_DELAY


def test_each_share_has_come_at_its_time() -> None:
    for seconds, share in zip(ARRIVALS, SHARES, strict=True):
        assert arrived(END, END + timedelta(seconds=seconds), None, ARRIVALS) == pytest.approx(share)
    assert arrived(END, END + timedelta(seconds=2.5), None, ARRIVALS) == pytest.approx(0.25)
    assert arrived(END, END + timedelta(hours=4), None, ARRIVALS) == 1.0


def test_a_bucket_that_has_not_ended_has_nothing_to_say() -> None:
    assert arrived(END, END - timedelta(seconds=1), None, (0.0,) * 4) == 0.0
    assert arrived(END, END, None, (0.0,) * 4) == 1.0


def test_while_ingestion_is_behind_time_alone_completes_nothing() -> None:
    """Six hours of delay: the newest event tells how far PostHog is."""
    for hours in range(6):
        asked = END + timedelta(hours=hours)
        assert arrived(END, asked, asked - timedelta(hours=6), ARRIVALS) == 0.0
    asked = END + timedelta(hours=6, minutes=1)
    assert arrived(END, asked, asked - timedelta(hours=6), ARRIVALS) == pytest.approx(0.9)


def test_a_long_silence_is_believed_in_the_end() -> None:
    silent_since = END - timedelta(hours=2)
    assert arrived(END, END + LONGEST_DELAY - timedelta(seconds=1), silent_since, ARRIVALS) == 0.0
    assert arrived(END, END + LONGEST_DELAY + timedelta(hours=4), silent_since, ARRIVALS) == 1.0


def test_seconds_that_fall_are_read_as_rising() -> None:
    assert arrived(END, END + timedelta(seconds=60), None, (60.0, 5.0, 5.0, 5.0)) == pytest.approx(0.999)
