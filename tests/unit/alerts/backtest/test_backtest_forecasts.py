"""Forecasts in words: how many, on which days, how many false, what would have been seen and after how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from functions.alerts.backtest.backtesting import backtest
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.forecasting import forecast
from functions.alerts.backtest.holidays import holiday
from functions.alerts.backtest.reports import PastIncident, Report
from functions.alerts.conditions.kinds import Threshold
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
        "3 firings in 90 days, 2 of them public holidays; expect 0.7 false alarms a month; "
        "would have seen the drop of 12 February 2026 after 2 h."
    )
    assert (told.firings, told.on_holidays, told.expected_false_a_month) == (3, 2, 0.68)


def test_what_ended_by_itself_at_once_is_reckoned_false() -> None:
    blip = incident(at(2, 20), 2)
    told = forecast(replace(QUIET, incidents=(DROP, blip)))
    assert told.expected_false_a_month == pytest.approx(30.44 / 90, abs=0.01)
    still = replace(blip, is_open=True)
    assert forecast(replace(QUIET, incidents=(DROP, still))).expected_false_a_month == 0


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
