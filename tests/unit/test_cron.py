"""Cron expressions: which minutes they name, and what a jumping clock makes of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from functions.api.routes import targets
from hedgerow import cron

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "at", "named"),
    [
        ("*/5 * * * *", NOON, True),
        ("*/5 * * * *", NOON + timedelta(minutes=3), False),
        ("17 * * * *", NOON + timedelta(minutes=17), True),
        ("0,30 9-12 * * *", NOON, True),
        ("0 13 * * *", NOON, False),
        ("0 12 * * 0", NOON, True),
        ("0 12 * * 1-5", NOON, False),
        ("0 12 1 3 *", NOON, True),
    ],
)
def test_an_expression_names_its_minutes(expression: str, at: datetime, *, named: bool) -> None:
    assert cron.matches(expression, at) is named


def test_every_five_minutes_falls_due_twelve_times_an_hour() -> None:
    minutes = [NOON + timedelta(minutes=minute) for minute in range(61)]
    due = [cron.falls_between("*/5 * * * *", before, at) for before, at in itertools.pairwise(minutes)]
    assert sum(due) == 12


def test_looking_twice_within_a_minute_fires_once() -> None:
    looks = [NOON - timedelta(seconds=1) + timedelta(seconds=second) for second in range(0, 120, 7)]
    due = [cron.falls_between("0 * * * *", before, at) for before, at in itertools.pairwise(looks)]
    assert sum(due) == 1


def test_a_leap_over_the_minute_still_fires_and_ends_soon() -> None:
    assert cron.falls_between("17 * * * *", NOON, NOON + timedelta(days=4000))


def test_a_clock_that_stands_or_goes_back_fires_nothing() -> None:
    assert not cron.falls_between("* * * * *", NOON, NOON)
    assert not cron.falls_between("* * * * *", NOON, NOON - timedelta(hours=1))


def test_every_schedule_of_the_manifest_can_be_read() -> None:
    for target in targets().values():
        for schedule in target.schedules:
            assert cron.falls_between(schedule.cron, NOON, NOON + timedelta(days=1))


def test_what_is_not_five_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="five-field"):
        cron.matches("* * *", NOON)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("60 * * * *", "minute '60'"),
        ("* * * * 7", "weekday '7'"),
        ("* * * * MON", "weekday 'MON'"),
        ("*/0 * * * *", "minute"),
    ],
)
def test_a_value_that_no_clock_shows_is_refused_by_its_name(expression: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        cron.matches(expression, NOON)


def test_a_day_and_a_weekday_are_alternatives() -> None:
    monday, second = NOON + timedelta(days=1), NOON + timedelta(days=9)
    assert cron.matches("0 12 10 * 1", monday)
    assert cron.matches("0 12 10 * 1", second)
    assert not cron.matches("0 12 10 * 1", NOON)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/5 * * * *", NOON + timedelta(minutes=5)),
        ("* * * * *", NOON + timedelta(minutes=1)),
        ("17 * * * *", NOON + timedelta(minutes=17)),
        ("0 12 * * *", NOON + timedelta(days=1)),
        ("30 3 1 1 *", datetime(2027, 1, 1, 3, 30, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 30 2 *", None),
    ],
)
def test_the_next_minute_of_a_schedule_is_later_than_now(expression: str, expected: datetime | None) -> None:
    assert cron.next_after(expression, NOON) == expected
    if expected is not None:
        assert cron.falls_between(expression, expected - timedelta(minutes=1), expected)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("17 * * * *", "hourly at :17"),
        ("5 3 * * *", "daily at 03:05 UTC"),
        ("*/7 * * * *", "*/7 * * * *"),
        ("0 12 * * 1-5", "0 12 * * 1-5"),
    ],
)
def test_common_schedules_have_words(expression: str, words: str) -> None:
    assert cron.in_words(expression) == words
