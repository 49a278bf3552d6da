"""Well-known public holidays, so that a firing on one is named as such. Not a calendar of countries.

Fixed days and those that hang on Easter, which most of the world's offices keep; those of
the United States only where the series is cut in a zone of the Americas.
"""

from __future__ import annotations

from datetime import date, timedelta

_FIXED = {
    (1, 1): "New Year's Day",
    (5, 1): "1 May",
    (12, 24): "Christmas Eve",
    (12, 25): "Christmas Day",
    (12, 26): "26 December",
    (12, 31): "New Year's Eve",
}
_FROM_EASTER = {-2: "Good Friday", 0: "Easter Sunday", 1: "Easter Monday"}
THURSDAY = 3


def holiday(day: date, zone: str) -> str | None:
    """The name of the public holiday that a local day is, of those known here."""
    if fixed := _FIXED.get((day.month, day.day)):
        return fixed
    if moving := _FROM_EASTER.get((day - _easter(day.year)).days):
        return moving
    return _american(day) if zone.startswith(("America/", "US/")) else None


def _american(day: date) -> str | None:
    if (day.month, day.day) == (7, 4):
        return "4 July"
    first = date(day.year, 11, 1)
    thanksgiving = first + timedelta(days=(THURSDAY - first.weekday()) % 7 + 21)
    return {0: "Thanksgiving", 1: "the day after Thanksgiving"}.get((day - thanksgiving).days)


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar: the Sunday after the paschal full moon."""
    century = year // 100
    golden = year % 19
    epact = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    epact -= (epact // 28) * (1 - (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + epact + 2 - century + century // 4) % 7
    offset = epact - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))
