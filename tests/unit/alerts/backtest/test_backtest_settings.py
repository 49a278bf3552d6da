"""Settings nobody chose: a threshold from the past only, nearby settings and the one to take, new values, missing buckets."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import pytest

from functions.alerts.backtest import thresholds
from functions.alerts.backtest.backtesting import backtest
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.histories import judged
from functions.alerts.backtest.nearby import MOST_SETTINGS, nearby
from functions.alerts.backtest.newcomers import newcomers
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NoData, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.spec import Policy

FIRST = 1_767_225_600


def noisy(hours: int = 24 * 60, high: tuple[int, ...] = ()) -> Series:
    rng = random.Random(3)
    values = [100 + rng.gauss(0, 5) + (200 if hour in high else 0) for hour in range(hours)]
    begins = [FIRST + hour * HOUR for hour in range(hours)]
    return Series("sales", HOUR, begins, values, begins[-1] + HOUR)


def test_a_chosen_threshold_looks_at_nothing_that_follows() -> None:
    whole = noisy(high=(1_000, 1_001))
    part = replace(whole, begins=whole.begins[:900], values=whole.values[:900], until=whole.begins[900])
    assert thresholds.bands(whole)[: len(thresholds.bands(part))] == thresholds.bands(part)
    report = backtest(Threshold(), Policy(), whole)
    assert [(each.begin - FIRST) // HOUR for each in report.incidents] == [1_000]
    assert report.judged == 24 * 58, "two days only serve to choose from"
    assert report.incidents[0].reason == "above_threshold"


@pytest.mark.parametrize("level", [0.0, 50.0])
def test_a_threshold_for_what_never_moves_fires_when_it_moves(level: float) -> None:
    values = [level] * 200
    values[150] = level + 10
    series = Series("flat", HOUR, [FIRST + hour * HOUR for hour in range(200)], values, FIRST + 200 * HOUR)
    assert [(each.begin - FIRST) // HOUR for each in backtest(Threshold(), Policy(), series).incidents] == [150]


def test_no_threshold_below_zero_is_chosen_for_what_never_was() -> None:
    rng = random.Random(1)
    values = [rng.expovariate(1) for _ in range(500)]
    series = Series("counts", HOUR, [FIRST + hour * HOUR for hour in range(500)], values, FIRST + 500 * HOUR)
    assert {band.below for band in thresholds.bands(series)} == {None}


@pytest.mark.parametrize(
    "condition", [Anomaly(), Change(), Change(percent=40), Threshold(), Threshold(above=150), NoData()]
)
def test_up_to_fifty_settings_are_tried_the_own_one_first(condition: Condition) -> None:
    series = noisy(high=(1_000, 1_001))
    found = nearby(condition, Policy(), series, partial(judged, series=series))
    assert len(found.trials) <= MOST_SETTINGS
    assert len(found.trials) >= 30
    assert found.trials[0].is_own
    assert sum(trial.is_own for trial in found.trials) == 1
    assert found.trials[0].report.condition == condition
    assert len({trial.words for trial in found.trials}) == len(found.trials)
    assert found.why


def test_labels_choose_the_setting_that_meets_them_best() -> None:
    series = noisy(high=(1_000, 1_001))
    labels = [Label(FIRST + 1_000 * HOUR, FIRST + 1_001 * HOUR)]
    touchy = Threshold(above=112)
    found = nearby(touchy, Policy(), series, partial(judged, series=series), labels=labels)
    assert found.chosen is not None
    own, chosen = found.trials[0].report.labels, found.chosen.report.labels
    assert own is not None
    assert chosen is not None
    assert own.f1 < 0.5
    assert chosen.f1 == 1
    assert "against F1" in found.why


def test_without_labels_the_nearest_bearable_setting_is_taken() -> None:
    series = noisy(high=(1_000, 1_001))
    found = nearby(Threshold(above=112), Policy(), series, partial(judged, series=series))
    assert found.chosen is not None
    assert not found.chosen.is_own
    assert (found.chosen.expected_false_a_month or 0) <= 1
    calm = nearby(Threshold(above=200), Policy(), series, partial(judged, series=series))
    assert calm.chosen is calm.trials[0]
    assert calm.why.startswith("Keep it as it is")


def test_a_rule_that_always_fires_is_not_taken() -> None:
    series = noisy()
    found = nearby(Threshold(above=50), Policy(), series, partial(judged, series=series))
    assert found.trials[0].report.is_stuck
    assert found.chosen is None or not found.chosen.report.is_stuck
    assert "of the time" in found.why


def test_a_value_is_new_once_and_again_after_so_many_days() -> None:
    seen = {
        "old": [FIRST + day * DAY for day in range(100)],
        "late": [FIRST + day * DAY for day in (50, 51, 90)],
    }
    assert newcomers(seen, 30) == {FIRST + 50 * DAY: ["late"], FIRST + 90 * DAY: ["late"]}
    assert newcomers(seen, 60) == {FIRST + 50 * DAY: ["late"]}
    assert newcomers({}, 30) == {}


@pytest.mark.parametrize(("no_data", "incidents"), [("keep", 1), ("firing", 1), ("not_firing", 2)])
def test_a_missing_bucket_means_what_the_policy_says(no_data: str, incidents: int) -> None:
    hours = (0, 1, 2, 4, 5)
    series = Series("gap", HOUR, [FIRST + hour * HOUR for hour in hours], [1, 1, 9, 9, 1], FIRST + 6 * HOUR)
    policy = Policy.model_validate({"no_data": no_data, "cooldown_minutes": 0})
    assert len(backtest(Threshold(above=5), policy, series).incidents) == incidents
    quiet = replace(series, values=[1, 1, 1, 1, 1])
    assert len(backtest(Threshold(above=5), policy, quiet).incidents) == (1 if no_data == "firing" else 0)
    silent = replace(quiet, silent=[FIRST + 3 * HOUR])
    assert backtest(Threshold(above=5), policy, silent).incidents == ()


@pytest.mark.parametrize("own", [Anomaly(sensitivity=0.6), Change(percent=90_000), Threshold(above=1e120)])
def test_what_is_tried_beside_is_what_a_rule_may_have(own: Condition) -> None:
    found = nearby(own, Policy(), noisy(24 * 20), partial(judged, series=noisy(24 * 20)))
    conditions = [trial.report.condition for trial in found.trials]
    assert conditions == [type(own).model_validate(each.model_dump()) for each in conditions]
    assert len(set(conditions)) > 3
