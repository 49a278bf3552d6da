"""Forecasts in words: how many, on which days, how many false, what would have been seen and after how long."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from functions.alerts.backtest.backtesting import backtest
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.forecasting import forecast
from functions.alerts.backtest.holidays import holiday
from functions.alerts.backtest.reports import PastIncident, Report
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.spec import Policy

FIRST = int(datetime(2025, 12, 1, tzinfo=UTC).timestamp())
QUIET = Report(
    name="sales",
    value=None,
    unit="count",
    zone="UTC",
    grain=HOUR,
    begin=FIRST,
    to=FIRST + 90 * DAY - HOUR,
    buckets=90 * 24,
    judged=90 * 24,
    condition=Threshold(above=1),
    policy=Policy(),
    incidents=(),
)


def at(month: int, day: int, hour: int = 0, year: int = 2026) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def incident(begin: int, buckets: int, score: float = 1.0, since: int | None = None) -> PastIncident:
    return PastIncident(
        since=begin if since is None else since,
        begin=begin,
        to=begin + (buckets - 1) * HOUR,
        told_at=begin + HOUR,
        peak=5.0,
        peak_at=begin,
        score=score,
        reason="below_threshold",
        sentence="",
        buckets=buckets,
        is_open=False,
    )


CHRISTMAS, NEW_YEAR = incident(at(12, 25, 3, 2025), 10), incident(at(1, 1, 2), 9)
DROP = incident(at(2, 12, 1), 6, score=9, since=at(2, 12))


def test_holidays_are_counted_and_the_greatest_firing_is_told_with_its_delay() -> None:
    told = forecast(replace(QUIET, incidents=(CHRISTMAS, NEW_YEAR, DROP)))
    assert told.words == (
        "3 firings in 90 days, 2 of them public holidays; expect 0.7 doubtful firings a month; "
        "would have seen the drop of 12 February 2026 after 2 h."
    )
    assert (told.firings, told.on_holidays, told.expected_false_a_month) == (3, 2, 0.68)


def test_what_is_doubtful_is_reckoned_and_not_said_to_have_been_seen() -> None:
    blip = replace(incident(at(2, 20), 2, score=50), is_doubtful=True)
    told = forecast(replace(QUIET, incidents=(DROP, blip)))
    assert told.is_estimate
    assert told.expected_false_a_month == pytest.approx(30.44 / 90, abs=0.01)
    assert "expect 0.3 doubtful firings a month; would have seen the drop of 12 February 2026" in told.words
    assert forecast(replace(QUIET, incidents=(DROP, incident(at(2, 20), 2)))).expected_false_a_month == 0
    assert "would have seen" not in forecast(replace(QUIET, incidents=(blip,))).words


def day_by_day(days: int = 120, **changes: float) -> Series:
    """A quiet week after another; `d70=0.4` makes day 70 four tenths of what it was."""
    rng = random.Random(2)
    values = [1_000 + 150 * (day % 7 < 5) + rng.gauss(0, 20) for day in range(days)]
    for day, factor in changes.items():
        values[int(day[1:])] *= factor
    begins = [FIRST + day * DAY for day in range(days)]
    return Series("sales", DAY, begins, values, begins[-1] + DAY, unit="number")


@pytest.mark.parametrize(
    "condition",
    [Anomaly(), Change(percent=30, direction="drop"), Change(against="previous"), Threshold(below=900), Threshold()],
)
def test_a_planted_drop_of_one_day_is_no_false_alarm(condition: Condition) -> None:
    report = backtest(condition, Policy(fire_after=1), day_by_day(d70=0.4))
    drop = next(each for each in report.incidents if each.begin == FIRST + 70 * DAY)
    assert not drop.is_doubtful
    told = forecast(report)
    assert "would have seen the drop of 9 February 2026 after 24 h" in told.words


@pytest.mark.parametrize("condition", [Threshold(), Threshold(below=450)])
def test_in_wide_noise_a_drop_of_sixty_percent_is_no_false_alarm_either(condition: Condition) -> None:
    for seed in range(5):
        rng = random.Random(seed)
        values = [rng.uniform(600, 1_050) for _ in range(120)]
        values[83], values[90] = 850, 0.4 * 850
        begins = [FIRST + day * DAY for day in range(120)]
        report = backtest(condition, Policy(), Series("sales", DAY, begins, values, begins[-1] + DAY))
        (drop,) = [each for each in report.incidents if each.begin == FIRST + 90 * DAY]
        assert not drop.is_doubtful


def test_a_threshold_within_the_noise_fires_doubtfully() -> None:
    report = backtest(Threshold(above=1_185), Policy(), day_by_day(d70=3))
    assert len(report.incidents) > 3
    assert [each.begin for each in report.incidents if not each.is_doubtful] == [FIRST + 70 * DAY]
    assert "doubtful firings a month" in forecast(report).words


def test_an_anomaly_barely_outside_is_doubtful_where_it_is_brief() -> None:
    whole = backtest(Anomaly(), Policy(), day_by_day(d70=0.4))
    far = max(each.score or 0 for each in whole.incidents)
    report = backtest(Anomaly(sensitivity=far * 0.9), Policy(), day_by_day(d70=0.4))
    assert [each.is_doubtful for each in report.incidents] == [True]


def test_no_rate_is_made_of_less_than_two_weeks() -> None:
    series = Series("few", HOUR, [FIRST + hour * HOUR for hour in range(9)], [1] * 7 + [90, 1], FIRST + 9 * HOUR)
    told = forecast(backtest(Threshold(above=5), Policy(), series))
    assert told.expected_false_a_month is None
    assert told.words.startswith("1 firing in 9 h; 9 h judged are too few to say how many false alarms to expect")
    assert told.basis == "not known, as less than two weeks were judged"
    late = replace(QUIET, judged=13 * 24)
    assert forecast(late).expected_false_a_month is None, "two months of warm-up are not judged"
    assert forecast(replace(QUIET, judged=14 * 24)).expected_false_a_month == 0


def test_why_nothing_could_be_judged_is_the_conditions_own_reason() -> None:
    few = day_by_day(20)
    assert (
        "30 points and two days are needed to choose one from" in forecast(backtest(Threshold(), Policy(), few)).words
    )
    words = forecast(backtest(Anomaly(), Policy(), few)).words
    assert words.startswith("nothing could be judged in 20 days: 19 days of history, 28 days are needed")


def test_no_false_alarm_is_not_said_to_be_none_for_ever() -> None:
    told = forecast(replace(QUIET, incidents=(DROP,)))
    assert "1 firing in 90 days; expect no false alarms, at most 1.0 a month;" in told.words


def test_labels_say_what_was_false_seen_and_missed() -> None:
    values = [5.0 if at(2, 12) <= FIRST + hour * HOUR < at(2, 12, 6) else 1.0 for hour in range(90 * 24)]
    values[500] = 9.0
    series = Series("sales", HOUR, [FIRST + hour * HOUR for hour in range(90 * 24)], values, FIRST + 90 * DAY)
    labels = [Label(at(2, 11, 23), at(2, 13)), Label(at(1, 10), at(1, 11))]
    report = backtest(Threshold(above=3), Policy(), series, labels=labels)
    told = forecast(report)
    assert told.basis == "firings that meet no label"
    assert told.expected_false_a_month == 0.34
    assert told.words.endswith(
        "would have seen that of 11 February 2026 after 2 h and would have missed that of 10 January 2026."
    )


def test_people_who_rated_incidents_are_believed() -> None:
    told = forecast(replace(QUIET, incidents=(CHRISTMAS, DROP)), useful=3, useless=1)
    assert told.expected_false_a_month == pytest.approx(2 / 4 * 30.44 / 90, abs=0.01)
    assert told.basis == "1 of 4 incidents of this rule were rated useless"
    few = forecast(replace(QUIET, incidents=(CHRISTMAS, DROP)), useful=1, useless=1)
    assert few.basis.startswith("an estimate")


def test_what_cannot_be_judged_is_said() -> None:
    told = forecast(replace(QUIET, judged=0))
    assert told.words == "nothing could be judged in 90 days: the history is too short for this condition."
    assert told.expected_false_a_month is None


def test_a_rule_that_fires_half_of_the_time_is_told_to_be_none() -> None:
    told = forecast(replace(QUIET, incidents=(incident(FIRST, 45 * 24),)))
    assert told.words.startswith("1 firing in 90 days, open 50 % of the time, so it tells little;")


@pytest.mark.parametrize(
    ("day", "zone", "name"),
    [
        (date(2026, 12, 25), "UTC", "Christmas Day"),
        (date(2026, 4, 3), "Europe/Berlin", "Good Friday"),
        (date(2024, 4, 1), "UTC", "Easter Monday"),
        (date(2026, 11, 26), "America/New_York", "Thanksgiving"),
        (date(2026, 11, 26), "Europe/Berlin", None),
        (date(2026, 7, 4), "UTC", None),
        (date(2026, 3, 12), "UTC", None),
    ],
)
def test_well_known_holidays(day: date, zone: str, name: str | None) -> None:
    assert holiday(day, zone) == name


def test_easter_is_a_sunday_of_spring_in_every_year() -> None:
    for year in range(1970, 2200):
        easters = [
            day
            for offset in range(60)
            if holiday(day := date(year, 3, 15) + timedelta(days=offset), "UTC") == "Easter Sunday"
        ]
        assert [day.weekday() for day in easters] == [6]
        assert date(year, 3, 22) <= easters[0] <= date(year, 4, 25)
