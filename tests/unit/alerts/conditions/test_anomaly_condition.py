from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import Anomaly
from functions.alerts.conditions.series import DAY, HOUR, Series

MONDAY = 1_735_516_800
SHAPE = (1.0, 1.05, 1.04, 1.02, 0.95, 0.6, 0.55)


def series_of(values: list[float], seconds: int = DAY, **more: object) -> Series:
    begins = [MONDAY + number * seconds for number in range(len(values))]
    return replace(Series("Orders", seconds, begins, values, begins[-1] + seconds), **more)  # type: ignore[arg-type]


def usual_days(count: int, level: float = 1_000, seed: int = 1, growth: float = 0.0) -> list[float]:
    draw = random.Random(seed)
    return [float(round(level * (1 + growth) ** day * SHAPE[day % 7] * draw.gauss(1, 0.04))) for day in range(count)]


def usual_hours(days: int, seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    shape = [0.2 if hour < 7 else 1.0 + hour % 5 / 10 for hour in range(24)]
    return [
        float(round(200 * SHAPE[hour // 24 % 7] * shape[hour % 24] * draw.gauss(1, 0.08))) for hour in range(days * 24)
    ]


def firing(values: list[float], seconds: int = DAY) -> list[int]:
    history = judging.judge_history(Anomaly(), series_of(values, seconds))
    return [place for place, fires in enumerate(history.firing.tolist()) if fires]


def test_a_drop_is_told_in_one_sentence_with_what_is_usual() -> None:
    values = [*usual_days(88), 310.0]
    verdict = judging.judge(Anomaly(), series_of(values))
    assert (verdict.state, verdict.reason) == ("firing", "below_usual")
    assert verdict.sentence.startswith("Orders: 310, usually ")
    assert verdict.sentence.endswith(" on Fridays.")
    assert verdict.low is not None
    assert verdict.high is not None
    assert 310 < verdict.low < 950 < verdict.high


def test_a_moderate_drop_that_lasts_is_told_as_such() -> None:
    noisy = [value + (40 if day % 2 else -40) for day, value in enumerate(usual_days(84))]
    verdicts = [
        judging.judge(Anomaly(), series_of([*noisy, *(0.78 * 1_000 * SHAPE[day] for day in range(count))]))
        for count in (1, 4)
    ]
    assert verdicts[0].state == "not_firing"
    assert verdicts[1].state == "firing"
    assert "on average over the last 4 days, usually " in verdicts[1].sentence


@pytest.mark.parametrize("level", [0.0, 1.0, 33.44, 1e6])
def test_a_constant_series_never_fires(level: float) -> None:
    assert firing([level] * 120) == []
    assert firing([level] * 24 * 40, HOUR) == []


@given(st.lists(st.integers(0, 10_000), min_size=7, max_size=7), st.integers(30, 120))
@settings(max_examples=40, deadline=None)
def test_pure_seasons_never_fire(week: list[int], count: int) -> None:
    assert firing([float(week[day % 7]) for day in range(count)]) == []


def test_pure_hourly_seasons_never_fire_once_a_week_is_the_season() -> None:
    week = [float(random.Random(3).randint(0, 500)) * (hour % 24 > 6) for hour in range(168)]
    assert [place for place in firing(week * 9, HOUR) if place > 22 * 24] == []


@given(st.floats(0.01, 1e6), st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_scaling_the_values_scales_the_band(factor: float, seed: int) -> None:
    values = [value + 0.5 for value in usual_days(80, seed=seed)]
    plain = judging.judge(Anomaly(), series_of(values))
    scaled = judging.judge(Anomaly(), series_of([value * factor for value in values], unit="number"))
    assert plain.low is not None
    assert plain.high is not None
    if any((value * factor).is_integer() for value in values[-1:]):
        return
    assert (scaled.low, scaled.high) == pytest.approx((plain.low * factor, plain.high * factor), rel=1e-6)


def test_a_holiday_neither_poisons_what_follows_nor_calls_next_week_odd() -> None:
    values = usual_days(112)
    holiday = 84
    values[holiday] *= 0.35
    fires = firing(values)
    assert holiday in fires
    assert [place for place in fires if place != holiday] == []
    without = judging.judge(Anomaly(), series_of(usual_days(92)))
    after = judging.judge(Anomaly(), series_of(values[:92]))
    assert after.numbers["expected"] == pytest.approx(without.numbers["expected"], rel=0.05)


def test_a_new_level_becomes_the_usual_one() -> None:
    values = usual_days(140)
    values[70:] = [round(value * 1.6) for value in values[70:]]
    fires = firing(values)
    assert set(range(70, 76)) <= set(fires)
    assert [place for place in fires if place > 70 + 21] == []


def test_growth_is_no_anomaly() -> None:
    assert firing(usual_days(150, growth=0.008)) == []
    assert firing(usual_days(150, growth=-0.008)) == []


def test_tiny_counts_have_the_noise_of_counts() -> None:
    draw = random.Random(5)
    values = [float(sum(draw.random() < 0.05 for _ in range(60))) for _ in range(120)]
    assert firing(values) == []
    assert firing([*values, 30.0]) == [120]


def test_blips_that_always_were_are_not_remarkable() -> None:
    draw = random.Random(8)
    values = [float(draw.choice([0, 0, 0, 0, 0, 0, 0, 40])) for _ in range(24 * 60)]
    assert len(firing(values, HOUR)) <= 10


def test_negative_numbers_are_judged() -> None:
    values = [value - 1_000 for value in usual_days(90)]
    assert firing(values) == []
    assert firing([*values, -2_500.0]) == [90]


def test_warming_up_says_how_much_there_is_and_is_needed() -> None:
    verdict = judging.judge(Anomaly(), series_of(usual_days(11)))
    assert (verdict.state, verdict.reason) == ("errored", "warming_up")
    assert "10 days of history, 28 days are needed" in verdict.sentence
    hourly = judging.judge(Anomaly(), series_of(usual_hours(3), HOUR))
    assert "71 hours of history, 336 hours are needed" in hourly.sentence


def test_an_hourly_drop_fires_and_says_the_hour() -> None:
    values = usual_hours(35)
    assert len([place for place in firing(values, HOUR) if place > 24 * 22]) <= 1
    values[-10] = 4.0
    verdict = judging.judge(Anomaly(), series_of(values[:-9], HOUR))
    assert verdict.reason == "below_usual"
    assert verdict.sentence.endswith(" on Sundays at 14:00.")


def test_a_change_of_clocks_moves_nothing() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 2, 20, tzinfo=UTC)
    begins = [int((first + timedelta(hours=hour)).timestamp()) for hour in range(24 * 45)]
    draw = random.Random(2)
    values: list[float] = []
    for begin in begins:
        local = datetime.fromtimestamp(begin, zone)
        values.append(float(round((20 if local.hour < 8 else 400) * SHAPE[local.weekday()] * draw.gauss(1, 0.05))))
    series = Series("Orders", HOUR, begins, values, begins[-1] + HOUR, zone="Europe/Berlin")
    history = judging.judge_history(Anomaly(), series)
    change = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp())
    assert [
        begin for begin, fires in zip(begins, history.firing.tolist(), strict=True) if fires and begin > change
    ] == []


def test_a_direction_and_a_minimum_keep_it_silent() -> None:
    values = [*usual_days(90), 100.0]
    assert judging.judge(Anomaly(direction="rise"), series_of(values)).state == "not_firing"
    assert judging.judge(Anomaly(minimum=5_000), series_of(values)).state == "not_firing"
    assert judging.judge(Anomaly(), series_of(values)).state == "firing"
