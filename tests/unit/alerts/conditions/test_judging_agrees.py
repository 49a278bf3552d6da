from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.alert_generator import generate
from functions.alerts.conditions import judging
from functions.alerts.conditions.batches import Verdicts
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NoData, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series

MONDAY = 1_735_516_800
CONDITIONS: tuple[Condition, ...] = (
    Threshold(above=60),
    Threshold(above=60, below=10, recover_below=50, recover_above=20),
    Threshold(above=60, below=10, inside=True),
    Change(),
    Change(against="previous", percent=40, direction="drop"),
    Change(against="trailing_mean", absolute=10, periods=3),
    Change(percent=20, absolute=5, minimum=30),
    Anomaly(),
    Anomaly(sensitivity=3, direction="drop"),
    Anomaly(sensitivity=2, minimum=40),
    NoData(buckets=2),
    NoData(buckets=1, zero_is_none=False),
)


@st.composite
def days_of_numbers(draw: st.DrawFn) -> Series:
    """Days with gaps, weekday shapes, zeros, and sometimes numbers below zero."""
    count = draw(st.integers(1, 110))
    low = draw(st.sampled_from([0, 0, -20]))
    values = draw(st.lists(st.integers(low, 100), min_size=count, max_size=count))
    flat = draw(st.booleans())
    gaps = draw(st.sets(st.integers(0, count - 1), max_size=3))
    kept = [day for day in range(count) if day not in gaps] or [0]
    level = [30.0 + 10 * (day % 7 < 5) + (values[day] / 20 if flat else values[day]) for day in range(count)]
    begins = [MONDAY + day * DAY for day in kept]
    return Series("sign-ups", DAY, begins, [level[day] for day in kept], begins[-1] + DAY)


def as_of(series: Series, place: int) -> Series:
    begins, values = series.begins[: place + 1], series.values[: place + 1]
    return replace(series, begins=begins, values=values, until=begins[-1] + series.seconds)


def assert_agrees(condition: Condition, series: Series, places: list[int]) -> None:
    history = judging.judge_history(condition, series)
    begins = history.begins.tolist()
    for place in places:
        verdict = judging.judge(condition, as_of(series, place))
        at = begins.index(series.begins[place])
        assert bool(history.judged[at]) == (verdict.state in ("firing", "not_firing")), verdict
        if not history.judged[at]:
            continue
        told = verdict.score if verdict.score is not None else math.nan
        assert told == pytest.approx(float(history.score[at]), rel=1e-6, abs=1e-6)
        limit = getattr(condition, "sensitivity", 0) or 7.25
        if isinstance(condition, Anomaly) and min(abs(told - limit), abs(told - 0.6 * limit), abs(told - 2)) < 1e-6:
            continue
        assert bool(history.firing[at]) == (verdict.state == "firing"), verdict
        assert bool(history.recovered[at]) == verdict.recovered, verdict
        for number, column in ((verdict.low, history.low), (verdict.high, history.high)):
            if number is not None and not isinstance(condition, NoData):
                assert number == pytest.approx(float(column[at]), rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(days_of_numbers(), st.sampled_from(CONDITIONS), st.data())
def test_one_by_one_says_what_the_history_says(series: Series, condition: Condition, data: st.DataObject) -> None:
    last = len(series.begins) - 1
    places = data.draw(st.lists(st.integers(0, last), max_size=6))
    assert_agrees(condition, series, [last, *places])


@settings(max_examples=30, deadline=None)
@given(st.lists(days_of_numbers(), max_size=6), st.sampled_from(CONDITIONS))
def test_together_says_what_one_by_one_says(many: list[Series], condition: Condition) -> None:
    together = judging.judge_many(condition, many)
    for series, verdict in zip(many, together, strict=True):
        alone = judging.judge(condition, series)
        assert (verdict.state, verdict.reason, verdict.bucket) == (alone.state, alone.reason, alone.bucket)
        assert (verdict.score is None) == (alone.score is None)
        assert (verdict.score or 0) == pytest.approx(alone.score or 0, rel=1e-6, abs=1e-9)
        assert verdict.sentence == alone.sentence


def test_together_names_those_that_fire() -> None:
    days = [one.series for one in map(generate, range(40)) if one.series.seconds == DAY]
    many = [as_of(series, place) for series in days for place in range(30, len(series.begins), 9)]
    together = judging.judge_many(Anomaly(), many)
    fires = [number for number, verdict in enumerate(together) if verdict.state == "firing"]
    assert isinstance(together, Verdicts)
    assert together.firing == fires
    assert fires
    assert [verdict.sentence for verdict in together[-3:]] == [one.sentence for one in list(together)[-3:]]


@pytest.mark.parametrize("seed", [0, 1, 3, 12])
def test_generated_series_are_judged_alike_hour_by_hour(seed: int) -> None:
    series = generate(seed).series
    count = len(series.begins)
    assert_agrees(Anomaly(), series, [count // 9, count // 3, count // 2, count - 2, count - 1])


@pytest.mark.parametrize("seconds", [300, 900, 6 * HOUR, 7 * DAY])
def test_any_grain_is_judged(seconds: int) -> None:
    count = max(120, 9 * DAY // seconds)
    begins = [MONDAY + number * seconds for number in range(count)]
    values = [
        100.0 + 20 * math.sin(2 * math.pi * (begin % DAY) / DAY) + number * 7 % 5 for number, begin in enumerate(begins)
    ]
    values[-1] = 5_000.0
    series = Series("requests", seconds, begins, values, begins[-1] + seconds)
    assert_agrees(Anomaly(), series, [count - 2, count - 1])
    assert judging.judge(Anomaly(), series).reason == "above_usual"
