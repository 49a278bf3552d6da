"""A packed month comes back as it was, whatever the names, and knows which days are complete."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from hedgerow import months
from hedgerow.months import Month, Point, Write

FIRST = Write(
    "run_a", datetime(2026, 11, 5, 12, tzinfo=UTC), "Europe/Berlin", "qry_1", {"from": 1, "names": ["ü", '"']}
)
LATER = Write("run_b", datetime(2026, 11, 6, 12, tzinfo=UTC), "Europe/Berlin")

points = st.builds(
    Point,
    value=st.one_of(st.integers(0, 2**53), st.floats(0, 1e15, allow_nan=False)),
    write=st.sampled_from((FIRST, LATER)),
)
series = st.dictionaries(
    st.text(min_size=1, max_size=40), st.dictionaries(st.integers(1, 30), points, min_size=1, max_size=30), max_size=8
)


@given(series)
def test_packing_keeps_every_point(held: dict[str, dict[int, Point]]) -> None:
    assert months.unpack("2026-11", months.pack(Month("2026-11", held))).series == held


def test_writes_nothing_refers_to_any_more_are_forgotten() -> None:
    month = Month("2026-11")
    month.put("posthog_dau", date(2026, 11, 4), Point(1, FIRST))
    month.put("posthog_dau", date(2026, 11, 4), Point(2, LATER))
    assert [write[0] for write in months.load(months.pack(month))["w"]] == ["run_b"]


def test_day_is_complete_when_its_write_began_after_it_closed() -> None:
    assert FIRST.completes(date(2026, 11, 4))
    assert not FIRST.completes(date(2026, 11, 5))
    at_midnight = Write("run_c", datetime(2026, 11, 4, 23, tzinfo=UTC), "Europe/Berlin")
    assert at_midnight.completes(date(2026, 11, 4))


def test_days_before_the_oldest_kept_are_dropped() -> None:
    month = Month("2026-11")
    for day in (3, 4, 5):
        month.put("posthog_dau", date(2026, 11, day), Point(day, FIRST))
    month.put("event:gone", date(2026, 11, 3), Point(1, FIRST))
    assert month.drop_before(date(2026, 11, 4))
    assert sorted(month.series) == ["posthog_dau"]
    assert sorted(month.series["posthog_dau"]) == [4, 5]
    assert not month.drop_before(date(2026, 11, 4))


def test_two_hundred_series_stay_far_below_the_document_limit() -> None:
    month = Month("2026-10")
    for number in range(261):
        for day in range(1, 32):
            month.put(f"event:some.longer_event_name_{number}", date(2026, 10, day), Point(number * day * 7919, FIRST))
    assert len(months.pack(month)) < 1_048_576 / 8
