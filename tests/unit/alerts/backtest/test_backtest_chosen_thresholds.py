"""A threshold chosen for a series: what one outlier must not spoil, what it must see, and what it says of itself."""

from __future__ import annotations

import random

import pytest

from functions.alerts.backtest import thresholds
from functions.alerts.backtest.backtesting import backtest
from functions.alerts.backtest.histories import apart
from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.spec import Policy

FIRST = 1_767_225_600


def sales(seed: int, outlier: float = 1, drop: float = 1) -> Series:
    """Sales of 600 to 1,050 a day; one outlier on day 60, one drop on day 80."""
    rng = random.Random(seed)
    values = [rng.uniform(600, 1_050) for _ in range(120)]
    values[60] *= outlier
    values[80] *= drop
    begins = [FIRST + day * DAY for day in range(120)]
    return Series("sales", DAY, begins, values, begins[-1] + DAY)


@pytest.mark.parametrize("seed", range(5))
def test_one_outlier_does_not_move_the_threshold(seed: int) -> None:
    plain, spoilt = thresholds.bands(sales(seed)), thresholds.bands(sales(seed, outlier=4))
    after = [(one.above, two.above) for one, two in zip(plain, spoilt, strict=True) if one.first > 60]
    assert all(two <= one * 1.2 for one, two in after)
    assert [(each.begin - FIRST) // DAY for each in backtest(Threshold(), Policy(), sales(seed, 4)).incidents] == [60]


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_series_that_loses_most_of_itself_is_seen_after_an_outlier_too(seed: int) -> None:
    report = backtest(Threshold(), Policy(), sales(seed, outlier=4, drop=0.4))
    assert [(each.begin - FIRST) // DAY for each in report.incidents] == [60, 80]
    assert report.incidents[1].reason == "below_threshold"


def test_noise_of_ten_years_is_mostly_left_alone() -> None:
    fired = 0
    for seed in range(10):
        rng = random.Random(seed)
        begins = [FIRST + day * DAY for day in range(365)]
        series = Series("noise", DAY, begins, [rng.gauss(100, 10) for _ in begins], begins[-1] + DAY)
        fired += len(backtest(Threshold(), Policy(), series).incidents)
    assert fired <= 10, "one a year"


def test_it_says_how_much_history_it_was_chosen_from() -> None:
    values = [float(100 + hour % 7) for hour in range(24 * 40)]
    values[60] = values[-1] = 500
    series = Series("calls", HOUR, [FIRST + hour * HOUR for hour in range(24 * 40)], values, FIRST + 40 * DAY)
    report = backtest(Threshold(), Policy(), series)
    early, late = report.incidents
    assert early.sentence.endswith("which was chosen from the 2 days before.")
    assert late.sentence.endswith("which was chosen from the 28 days before.")
    (said,) = [each for each in report.remarks if each.startswith("No threshold was set")]
    assert "the newest, from 28 days, is above" in said


def test_a_value_is_told_apart_from_its_bound() -> None:
    assert apart(1_906.2, 1_906.4) == ("1,906.2", "1,906.4")
    assert apart(120, 100) == ("120", "100")
    assert apart(0.144001, 0.144) == ("0.144001", "0.144")
