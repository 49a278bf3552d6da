"""Five-field cron expressions in UTC, as far as the manifest's schedules use them: `*`, `*/5`, `17`, `1-5`, `0,30`.

Pure: it says which minutes a schedule names, and knows no clock.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import cache

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
# A clock that jumps by years must not be walked through minute by minute.
LONGEST_LOOK = timedelta(days=2)
# The 29th of February may be eight years away.
LONGEST_WAIT_DAYS = 8 * 366
EXAMPLES = "For example */5 * * * *, or 17 3 * * 1-5."


def falls_between(cron: str, after: datetime, until: datetime) -> bool:
    """Does the schedule name a minute later than that of `after` and not later than `until`?"""
    minute = max(after, until - LONGEST_LOOK).replace(second=0, microsecond=0)
    while (minute := minute + timedelta(minutes=1)) <= until:
        if matches(cron, minute):
            return True
    return False


def matches(cron: str, at: datetime) -> bool:
    """Is the minute of `at` one of the schedule's? Sunday is 0."""
    minutes, hours, *_ = _parsed(cron)
    return at.minute in minutes and at.hour in hours and _names_day(cron, at)


def next_after(cron: str, after: datetime) -> datetime | None:
    """The first minute the schedule names that is later than `after`; None for a day that never comes."""
    minutes, hours, *_ = _parsed(cron)
    earliest = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for day in range(LONGEST_WAIT_DAYS):
        morning = datetime.combine(earliest.date() + timedelta(days=day), time(), earliest.tzinfo)
        if not _names_day(cron, morning):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                named = morning.replace(hour=hour, minute=minute)
                if named >= earliest:
                    return named
    return None


def in_words(cron: str) -> str:
    """The commonest schedules as people say them, any other as it is written."""
    minute, hour, *rest = cron.split()
    if rest != ["*", "*", "*"]:
        return cron
    if hour == "*":
        if minute in {"*", "*/1"}:
            return "every minute"
        if minute.startswith("*/") and 60 % int(minute[2:]) == 0:
            return f"every {minute[2:]} minutes"
        return f"hourly at :{int(minute):02d}" if minute.isdecimal() else cron
    if hour.isdecimal() and minute.isdecimal():
        return f"daily at {int(hour):02d}:{int(minute):02d} UTC"
    return cron


def _names_day(cron: str, at: datetime) -> bool:
    # As every cron has it: a day of the month and a weekday, both named, are alternatives.
    _, _, days, months, weekdays = _parsed(cron)
    _, _, day, _, weekday = cron.split()
    is_day, is_weekday = at.day in days, at.isoweekday() % 7 in weekdays
    either = day != "*" and weekday != "*"
    return at.month in months and (is_day or is_weekday if either else is_day and is_weekday)


@cache
def _parsed(cron: str) -> tuple[frozenset[int], ...]:
    fields = cron.split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"not a five-field cron expression: {cron!r}. {EXAMPLES}")
    return tuple(
        frozenset(value for part in field.split(",") for value in _span(cron, part, *limits))
        for field, limits in zip(fields, FIELDS, strict=True)
    )


def _span(cron: str, part: str, name: str, first: int, last: int) -> range:
    span, _, step = part.partition("/")
    try:
        begin, end, stride = first, last, int(step or 1)
        if span != "*":
            begin = int(span.partition("-")[0])
            end = int(span.partition("-")[2] or begin)
    except ValueError:
        raise ValueError(f"the {name} {part!r} of {cron!r} is no number. {EXAMPLES}") from None
    if not first <= begin <= end <= last or stride < 1:
        raise ValueError(f"the {name} {part!r} of {cron!r} is not within {first} to {last}. {EXAMPLES}")
    return range(begin, end + 1, stride)
