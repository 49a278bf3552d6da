"""Which hours of acceptance a question is about: dates or instants in, whole hours out. Pure.

A span too long for one answer is refused rather than cut, because a cut sum looks like a whole one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hedgerow import days
from hedgerow.counting_up import HOUR
from hedgerow.deliveries import hour_of
from hedgerow.errors import InvalidError

DEFAULT = timedelta(hours=24)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST, _LAST = datetime(1970, 1, 3, tzinfo=UTC), datetime(2199, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """Whole hours, UTC: from `begin` up to, without, `end`."""

    begin: datetime
    end: datetime


def span_of(begin: str | None, end: str | None, *, zone: str, now: datetime, longest: timedelta) -> Span:
    """The hours asked for; without a wish those of the last 24 hours.

    A date is a day of the zone, and as the end it is included. `InvalidError` for what is
    neither date nor instant, an end before its begin, and more than `longest`.
    """
    last = _instant("to", end, zone, is_end=True) if end is not None else now
    first = _instant("from", begin, zone, is_end=False) if begin is not None else last - DEFAULT
    # The day before `from` ends where `from` begins.
    if first > last or (first == last and end is not None and _DATE.fullmatch(end)):
        raise InvalidError(
            f"`to` ({_said(end, last)}) is before `from` ({_said(begin, first)}).",
            hint="Swap them.",
            members={"field": "from"},
        )
    span = Span(hour_of(first), hour_of(last) if last == hour_of(last) and last > first else hour_of(last) + HOUR)
    # The first and the last hour may only be touched.
    if span.end - span.begin > longest + HOUR:
        raise InvalidError(
            f"More than {longest.days} days were asked for.",
            code="window_too_long",
            hint="Ask for the span in pieces.",
            members={"field": "from"},
        )
    return span


def _said(text: str | None, at: datetime) -> str:
    return text if text is not None and _DATE.fullmatch(text) else at.isoformat()


def _instant(field: str, text: str, zone: str, *, is_end: bool) -> datetime:
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            at = days.ends(day, zone) if is_end else days.begins(day, zone)
        else:
            # In a query a plus sign comes out as a space.
            at = _zoned(datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text))
    except (ValueError, OverflowError):
        at = None
    if at is None or not _FIRST <= at <= _LAST:
        raise InvalidError(
            f"`{field}` is neither a date of the calendar nor an instant with its zone.",
            hint="Write it as 2026-11-20 or 2026-11-20T15:30:00Z.",
            members={"field": field},
        )
    return at


def _zoned(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    return at.astimezone(UTC)
