"""The peak of an incident is the number farthest outside, and its sentence says it where it came later."""

from __future__ import annotations

import random

import pytest

from functions.alerts.backtest.backtesting import backtest
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, Threshold
from functions.alerts.conditions.series import HOUR, Series
from functions.alerts.spec import Policy

FIRST = 1_767_225_600
HOURS = 24 * 40
BEGIN = 24 * 30 + 5


def rising(high: tuple[float, ...]) -> Series:
    rng = random.Random(4)
    values = [0.1 + rng.gauss(0, 0.004) for _ in range(HOURS)]
    values[BEGIN : BEGIN + len(high)] = high
    begins = [FIRST + hour * HOUR for hour in range(HOURS)]
    return Series("price", HOUR, begins, values, begins[-1] + HOUR, unit="number")


@pytest.mark.parametrize("condition", [Anomaly(), Change(percent=60), Threshold(above=0.17), Threshold()])
def test_the_peak_is_the_farthest_number_and_the_sentence_tells_it(condition: Condition) -> None:
    report = backtest(condition, Policy(), rising((0.19985, 0.23811, 0.21)))
    (incident,) = [each for each in report.incidents if each.begin == FIRST + BEGIN * HOUR]
    assert incident.peak == 0.23811
    assert incident.peak_at == FIRST + (BEGIN + 1) * HOUR
    assert incident.sentence.endswith(" Farthest outside: 0.2381, at 2026-01-31 06:00.")


def test_farthest_is_by_the_number_and_not_by_the_score() -> None:
    report = backtest(Change(against="previous", percent=40), Policy(), rising((0.2, 0.38, 0.38)))
    (incident,) = [each for each in report.incidents if each.begin == FIRST + BEGIN * HOUR]
    assert (incident.peak, incident.peak_at) == (0.38, FIRST + (BEGIN + 1) * HOUR), "0.1 to 0.2 is more, in percent"


def test_where_the_first_number_is_the_farthest_nothing_is_added() -> None:
    report = backtest(Threshold(above=0.17), Policy(), rising((0.3, 0.2)))
    (incident,) = report.incidents
    assert (incident.peak, incident.peak_at) == (0.3, incident.begin)
    assert "Farthest" not in incident.sentence


def test_a_drop_has_its_lowest_number_for_a_peak() -> None:
    report = backtest(Threshold(below=0.05, above=0.5), Policy(), rising((0.04, 0.01, 0.03)))
    assert [each.peak for each in report.incidents] == [0.01]
