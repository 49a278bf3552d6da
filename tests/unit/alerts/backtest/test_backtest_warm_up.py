"""Buckets that cannot be judged are explained; labels that end among them are left out, with the reason."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from functions.alerts.backtest import thresholds
from functions.alerts.backtest.backtesting import backtest
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.forecasting import forecast
from functions.alerts.conditions import anomaly, changes, hours
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.spec import Policy

FIRST = 1_767_225_600


def noisy(grain: int, count: int, high: range = range(0)) -> Series:
    rng = random.Random(11)
    values = [100 + rng.gauss(0, 4) + (150 if number in high else 0) for number in range(count)]
    begins = [FIRST + number * grain for number in range(count)]
    return Series("sales", grain, begins, values, begins[-1] + grain, unit="number")


def test_labels_that_end_in_the_warm_up_are_left_out_and_those_partly_in_it_count() -> None:
    series = noisy(DAY, 90, range(60, 62))
    warm = Label(FIRST + 3 * DAY, FIRST + 4 * DAY)
    seen = Label(FIRST + 60 * DAY, FIRST + 61 * DAY)
    report = backtest(Anomaly(), Policy(), series, labels=[warm, seen])
    assert report.labels is not None
    assert (report.labels.recall, report.labels.labels) == (1.0, 1)
    assert (
        f"1 label in the warm-up (anomaly needs {anomaly.LEAST} days of history to say what is usual): left out."
        in (report.remarks)
    )
    assert "missed" not in forecast(report).words, "what could not be judged was not missed"
    partly = Label(FIRST + 3 * DAY, FIRST + 40 * DAY)
    assert backtest(Anomaly(), Policy(), series, labels=[partly, seen]).scored == (partly, seen)


@pytest.mark.parametrize(
    ("grain", "days"), [(DAY, anomaly.LEAST), (HOUR, hours.least_days(HOUR)), (300, hours.least_days(300))]
)
def test_the_warm_up_is_told_as_long_as_it_is(grain: int, days: int) -> None:
    series = noisy(grain, (days + 5) * DAY // grain)
    report = backtest(Anomaly(), Policy(), series)
    (told,) = [each for each in report.remarks if each.startswith("Warm-up")]
    assert f"the first {report.buckets - report.judged:,} buckets, until 2026-" in told
    assert f"anomaly needs {days} days of history" in told
    assert abs((report.buckets - report.judged) * grain - days * DAY) <= grain


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (Change(percent=90), "change needs the same bucket a week before to compare with."),
        (Change(), "and 14 earlier changes to say which size is usual."),
        (Threshold(), "30 points and two days are needed to choose a threshold from."),
    ],
)
def test_each_condition_says_what_it_waits_for(condition: Condition, why: str) -> None:
    report = backtest(condition, Policy(), noisy(DAY, 90))
    (told,) = [each for each in report.remarks if each.startswith("Warm-up")]
    assert told.endswith(why)


def test_where_all_is_judged_nothing_is_explained() -> None:
    assert backtest(Threshold(above=500), Policy(), noisy(DAY, 90)).remarks == ()
    late = FIRST + 60 * DAY
    assert backtest(Anomaly(), Policy(), noisy(DAY, 90), begin=late).remarks == ()


def test_the_document_tells_the_numbers_of_the_code() -> None:
    told = (Path(__file__).parents[4] / "docs" / "backtesting.md").read_text()
    by_hour, finer = hours.least_days(HOUR), hours.least_days(300)
    assert (
        f"| `anomaly` | {anomaly.LEAST} days by day, {by_hour} days by hour (and coarser than an hour), "
        f"{finer} days where buckets are finer |"
    ) in told
    assert f"without a size, {changes.ENOUGH} such changes more" in told
    assert f"a bar of {anomaly.SENSITIVITY:g} MADs, the default" in told
    assert f"without a number, after two days and {thresholds.LEAST_POINTS} points" in told
