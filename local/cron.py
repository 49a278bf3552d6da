"""Five-field cron expressions, as far as the manifest's schedules use them: `*`, `*/5`, `17`, `1-5`, `0,30`.

Pure: it says whether a schedule falls into a span of time, and knows no clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
# A clock that jumps by years must not be walked through minute by minute.
LONGEST_LOOK = timedelta(days=2)


def falls_between(cron: str, after: datetime, until: datetime) -> bool:
    """Does the schedule name a minute later than that of `after` and not later than `until`?"""
    minute = max(after, until - LONGEST_LOOK).replace(second=0, microsecond=0)
    while (minute := minute + timedelta(minutes=1)) <= until:
        if matches(cron, minute):
            return True
    return False


def matches(cron: str, at: datetime) -> bool:
    """Is the minute of `at` one of the schedule's? Sunday is 0."""
    values = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
    return all(value in allowed for value, allowed in zip(values, _parsed(cron), strict=True))


@cache
def _parsed(cron: str) -> tuple[frozenset[int], ...]:
    fields = cron.split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"not a five-field cron expression: {cron!r}")
    return tuple(
        frozenset(value for part in field.split(",") for value in _span(part, first, last))
        for field, (first, last) in zip(fields, FIELDS, strict=True)
    )


def _span(part: str, first: int, last: int) -> range:
    span, _, step = part.partition("/")
    if span != "*":
        begin, _, end = span.partition("-")
        first, last = int(begin), int(end or begin)
    return range(first, last + 1, int(step or 1))
