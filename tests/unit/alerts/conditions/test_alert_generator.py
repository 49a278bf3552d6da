from __future__ import annotations

import statistics

from bench.alert_generator import Generated, generate
from functions.alerts.conditions.series import DAY

BUILT = [generate(seed) for seed in range(120)]


def test_a_seed_always_gives_the_same_series() -> None:
    assert generate(7) == generate(7)
    assert generate(7) != generate(8)


def test_series_are_counts_in_order_with_what_was_planted_inside() -> None:
    for one in BUILT:
        begins = list(one.series.begins)
        assert begins == sorted(set(begins))
        assert all(value >= 0 and value == int(value) for value in one.series.values)
        assert all(begins[0] <= planted.begin <= planted.end < one.series.until for planted in one.planted)
        assert all(3 <= planted.mads <= 10 for planted in one.planted)


def test_there_is_some_of_everything() -> None:
    assert {planted.kind for one in BUILT for planted in one.planted} == {"drop", "spike", "shift"}
    assert 0.25 < sum(not one.planted for one in BUILT) / len(BUILT) < 0.55
    assert any(one.holidays for one in BUILT)
    assert any(_has_gaps(one) for one in BUILT)
    assert 0.3 < sum(one.series.seconds == DAY for one in BUILT) / len(BUILT) < 0.7
    levels = [statistics.median(one.series.values) for one in BUILT]
    assert min(levels) < 50
    assert max(levels) > 100_000


def _has_gaps(one: Generated) -> bool:
    return len(one.series.begins) < (one.series.until - one.series.begins[0]) // one.series.seconds
