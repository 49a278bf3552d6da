"""Which local days a reading is about: what was asked, held to what the tier keeps. Pure.

A day older than the tier keeps is never in a window; a span too long for one answer is
refused rather than cut, because a cut chart looks like a whole one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from hedgerow import days, tiers
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.models import Connection

DEFAULT_DAYS = 30
LONGEST_DAYS = 1_100
_FIRST, _LAST = date(1970, 1, 2), date(2199, 12, 31)
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Window:
    """Local days from first to last, both included; empty when `last` is before `first`."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """How many days."""
        return max(0, (self.last - self.first).days + 1)


def window_of(app: App, connection: Connection, begin: str | None, end: str | None) -> Window:
    """The days to read: both ends given, either, or neither (the last 30 days).

    Raises `InvalidError` for dates that are none, an end before its begin, and more than
    `LONGEST_DAYS` days.
    """
    today = days.today(app.now(), connection.timezone)
    last = day_of("to", end) if end is not None else today
    first = day_of("from", begin) if begin is not None else last - timedelta(days=DEFAULT_DAYS - 1)
    if begin is not None and first > last:
        raise InvalidError(
            f"`from` ({first}) is after `to` ({last}).", members={"field": "from"}, hint="Both are included; swap them."
        )
    oldest = oldest_of(app, connection)
    window = Window(max(first, oldest) if oldest else first, last)
    if window.length > LONGEST_DAYS:
        raise InvalidError(
            f"{window.length} days were asked for; one answer holds {LONGEST_DAYS}.",
            code="window_too_long",
            hint="Ask for the span in pieces, such as a year at a time.",
            members={"field": "from"},
        )
    return window


def oldest_of(app: App, connection: Connection) -> date | None:
    """The oldest day the connection's tier still shows, in the project's zone; None: all."""
    today = days.today(app.now(), connection.timezone)
    return tiers.oldest_kept(connection.tier, tiers.load(app.settings.tiers_file), today)


def day_of(field: str, text: str) -> date:
    """A `YYYY-MM-DD` of the calendar, from 1970 to 2199."""
    try:
        day = date.fromisoformat(text) if _SHAPE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST <= day <= _LAST:
        raise InvalidError(
            f"`{field}` is not a date of the calendar between {_FIRST} and {_LAST}.",
            hint="Write it as YYYY-MM-DD; days are local days of the PostHog project.",
            members={"field": field},
        )
    return day
