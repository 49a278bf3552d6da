from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from functions.alerts.conditions import flags, judging, sentences
from functions.alerts.conditions import values as new_values
from functions.alerts.conditions.kinds import Anomaly, Change, NewValue, NoData, StaleFlag, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from hedgerow.errors import InvalidError

MONDAY = 1_735_516_800


def series_of(*values: float, seconds: int = DAY, **more: object) -> Series:
    begins = [MONDAY + number * seconds for number in range(len(values))]
    return replace(Series("Failure rate", seconds, begins, values, begins[-1] + seconds), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "value", "state", "reason", "recovered"),
    [
        (Threshold(above=5), 7.8, "firing", "above_threshold", False),
        (Threshold(above=5), 5.0, "not_firing", "within_threshold", True),
        (Threshold(above=5, recover_below=3), 4.0, "not_firing", "within_threshold", False),
        (Threshold(above=5, recover_below=3), 3.0, "not_firing", "within_threshold", True),
        (Threshold(below=5), 4.0, "firing", "below_threshold", False),
        (Threshold(below=5, recover_above=8), 7.0, "not_firing", "within_threshold", False),
        (Threshold(above=9, below=5), 4.0, "firing", "below_threshold", False),
        (Threshold(above=9, below=5), 7.0, "not_firing", "within_threshold", True),
        (Threshold(above=9, below=5, inside=True), 7.0, "firing", "inside_band", False),
        (Threshold(above=9, below=5, inside=True), 10.0, "not_firing", "outside_band", True),
        (Threshold(), 10.0, "errored", "no_threshold", False),
    ],
)
def test_thresholds(condition: Threshold, value: float, state: str, reason: str, *, recovered: bool) -> None:
    verdict = judging.judge(condition, series_of(1, value, unit="percent"))
    assert (verdict.state, verdict.reason, verdict.recovered) == (state, reason, recovered)


def test_a_threshold_says_both_numbers() -> None:
    verdict = judging.judge(Threshold(above=5), series_of(1, 7.8, unit="percent"))
    assert verdict.sentence == "Failure rate: 7.8 %, above the threshold of 5 %."
    slow = judging.judge(Threshold(above=90), series_of(1, 7_500, unit="seconds"))
    assert slow.sentence == "Failure rate: 2.1 h, above the threshold of 1.5 min."


def test_changes_are_against_what_was_asked() -> None:
    series = series_of(100, 50, 60, 70, 80, 90, 95, 100, 40)
    day = judging.judge(Change(against="previous", percent=50), series)
    assert (day.state, day.numbers["before"]) == ("firing", 100)
    assert day.sentence == "Failure rate: 40, down 60 % against 100 the day before; 50–150 would not be remarkable."
    week = judging.judge(Change(against="same_weekday", percent=50), series)
    assert (week.state, week.numbers["before"]) == ("not_firing", 50)
    mean = judging.judge(Change(against="trailing_mean", absolute=45, periods=2), series)
    assert (mean.state, mean.numbers["before"]) == ("firing", 97.5)
    assert judging.judge(Change(against="previous", percent=50, direction="rise"), series).state == "not_firing"
    assert judging.judge(Change(against="previous", percent=50, minimum=200), series).state == "not_firing"


def test_a_change_without_numbers_learns_what_is_remarkable() -> None:
    calm = [100.0 + 3 * (day * 7 % 5) for day in range(40)]
    assert judging.judge(Change(), series_of(*calm)).state == "not_firing"
    assert judging.judge(Change(), series_of(*calm, 40.0)).reason == "drop"
    assert judging.judge(Change(), series_of(*calm[:12])).reason == "warming_up"


def test_nothing_before_is_said() -> None:
    verdict = judging.judge(Change(percent=10), series_of(5, 6))
    assert (verdict.state, verdict.reason) == ("errored", "warming_up")


def test_a_missing_week_before_is_not_another_week() -> None:
    series = series_of(*range(1, 11))
    gone = replace(
        series, begins=[*series.begins[:2], *series.begins[3:]], values=[*series.values[:2], *series.values[3:]]
    )
    assert judging.judge(Change(percent=10), gone).reason == "warming_up"


def test_late_is_not_low() -> None:
    late = series_of(*[100.0] * 40, 30.0, arrived=[1.0] * 40 + [0.4])
    for condition in (Threshold(below=50), Change(percent=20), Anomaly()):
        verdict = judging.judge(condition, late)
        assert (verdict.state, verdict.reason, verdict.is_incomplete) == ("waiting", "incomplete", True)
        assert "40 % has arrived" in verdict.sentence
        later = judging.judge(condition, replace(late, until=late.until + DAY))
        assert (later.state, later.is_incomplete) == ("firing", True)
        assert later.sureness < 1


def test_hours_that_are_late_leave_the_newest_whole_one_to_judge() -> None:
    late = series_of(*[100.0] * 40, 90.0, 30.0, seconds=HOUR, arrived=[1.0] * 41 + [0.4])
    verdict = judging.judge(Threshold(below=50), late)
    assert (verdict.state, verdict.bucket) == ("not_firing", late.begins[40])


def test_a_day_that_runs_is_never_whole_but_may_be_too_much_already() -> None:
    running = series_of(*[100.0] * 40, 30.0)
    running = replace(running, until=running.begins[-1] + 6 * HOUR)
    assert judging.judge(Threshold(below=50), running).bucket == running.begins[-2]
    much = replace(running, values=[*running.values[:-1], 900.0])
    for condition in (Threshold(above=500), Change(percent=50), Anomaly()):
        verdict = judging.judge(condition, much)
        assert (verdict.state, verdict.bucket, verdict.is_incomplete) == ("firing", much.begins[-1], True)
        assert judging.judge(condition, replace(much, unit="percent")).state == "not_firing"


def test_nothing_at_all_is_said() -> None:
    empty = Series("x", DAY, [], [], MONDAY)
    for condition in (Threshold(above=1), Change(), Anomaly(), NoData()):
        assert judging.judge(condition, empty).state == "errored"
        assert len(judging.judge_history(condition, empty).begins) == 0


def test_no_data_counts_missing_and_empty_buckets_but_not_silent_ones() -> None:
    series = series_of(5, 5, 0, 0)
    assert judging.judge(NoData(buckets=2), series).sentence.startswith(
        "Failure rate: nothing for 2 days, the last was Tue 31 Dec 2024"
    )
    assert judging.judge(NoData(buckets=2, zero_is_none=False), series).recovered
    gone = replace(series_of(5, 5), until=MONDAY + 4 * DAY)
    assert judging.judge(NoData(buckets=2), gone).state == "firing"
    assert judging.judge(NoData(buckets=2), replace(gone, silent=[MONDAY + 2 * DAY])).state == "not_firing"
    late = replace(series, arrived=[1, 1, 0.2, 0.2])
    assert judging.judge(NoData(buckets=2), late).state == "not_firing"


def test_a_history_of_no_data_has_the_buckets_that_are_missing() -> None:
    series = series_of(5, 5, 5, 5, 5, 5)
    gone = replace(series, begins=[*series.begins[:2], *series.begins[4:]], values=[5.0] * 4)
    history = judging.judge_history(NoData(buckets=2), gone)
    assert history.begins.tolist() == list(series.begins)
    assert history.firing.tolist() == [False, False, False, True, False, False]


def test_days_of_a_zone_end_at_its_midnight() -> None:
    begin = int(datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    short = Series("x", DAY, [begin], [1.0], begin + 23 * HOUR, zone="Europe/Berlin")
    assert judging.judge(Threshold(below=5), short).state == "firing"
    assert judging.judge(Threshold(below=5), replace(short, until=begin + 22 * HOUR)).state == "waiting"


def test_new_values() -> None:
    old = series_of(*[5.0] * 40, name="card")
    newest = Series("crypto", DAY, [old.begins[-1]], [3.0], old.until)
    seen = {"card": old, "crypto": newest}
    verdict = new_values.judge_new_values(NewValue(), seen, old.until)
    assert (verdict.state, verdict.reason) == ("firing", "new_value")
    assert verdict.sentence == "'crypto' had not been seen in the 30 days before, in which 1 other values were."
    assert new_values.judge_new_values(NewValue(), {"card": old}, old.until).recovered
    assert new_values.judge_new_values(NewValue(), {}, old.until).state == "errored"
    assert new_values.judge_new_values(NewValue(), {"crypto": newest}, old.until).reason == "warming_up"
    back = Series("bank", DAY, [old.begins[0], old.begins[-1]], [1.0, 1.0], old.until)
    assert new_values.judge_new_values(NewValue(days=30), {"card": old, "bank": back}, old.until).state == "firing"


def test_stale_flags() -> None:
    on, off = series_of(*[5.0] * 40), series_of(*[0.0] * 40)
    condition = StaleFlag(days=30)
    assert flags.judge_flag(condition, "checkout", {"on": on, "off": off}).reason == "one_answer"
    assert flags.judge_flag(condition, "checkout", {"on": off}).reason == "not_called"
    assert flags.judge_flag(condition, "checkout", {"on": on, "off": on}).recovered
    assert flags.judge_flag(condition, "checkout", {"on": series_of(1, 2)}).reason == "warming_up"
    assert flags.judge_flag(condition, "checkout", {}).state == "errored"


def test_what_looks_at_several_series_refuses_one() -> None:
    for condition in (NewValue(), StaleFlag()):
        with pytest.raises(InvalidError):
            judging.judge(condition, series_of(1, 2))
        with pytest.raises(InvalidError):
            judging.judge_history(condition, series_of(1, 2))


def test_instants_are_in_words_of_the_zone() -> None:
    begin = int(datetime(2026, 1, 5, 23, tzinfo=UTC).timestamp())
    hours = [begin - number * HOUR for number in range(20, -1, -1)]
    series = Series("x", HOUR, hours, [0.0] * 21, begin + HOUR, zone="Europe/Berlin")
    assert "there never was any" in judging.judge(NoData(), series).sentence


def test_a_bucket_is_said_as_messages_say_instants() -> None:
    days = series_of(5, 5, 0)
    assert sentences.bucket_told(days, MONDAY + 2 * DAY) == "Wed 1 Jan"
    hours = replace(days, seconds=3_600, zone="Europe/Berlin", until=MONDAY + DAY)
    assert sentences.bucket_told(hours, MONDAY + 13 * 3_600) == "Mon 30 Dec, 14:00"
