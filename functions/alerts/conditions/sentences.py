"""Numbers, bands and buckets in words: the one sentence of a verdict is put together from these."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from functions.alerts.conditions.series import DAY, HOUR, Series, Unit

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
# 1970-01-01 was a Thursday.
EPOCH_WEEKDAY = 3


def number(value: float, unit: Unit) -> str:
    """`1,204`, `7.8 %`, `45 s`, `3.2 h`; three figures where there is a fraction."""
    if unit == "seconds":
        return _span(value)
    text = figures(value)
    return f"{text} %" if unit == "percent" else text


def figures(value: float) -> str:
    """A number without its unit."""
    if value >= 1000 or value <= -1000:
        return f"{value:,.0f}"
    if value == int(value):
        return str(int(value))
    return f"{value:.1f}" if value >= 1 or value <= -1 else f"{value:.3g}"


def band(low: float, high: float, unit: Unit) -> str:
    """`2.1–3.4 %`."""
    if unit == "seconds":
        return f"{_span(low)} to {_span(high)}"
    if low < 0:
        return f"{number(low, unit)} to {number(high, unit)}"
    return f"{figures(low)}–{number(high, unit)}"


def when(series: Series, begin: int) -> str:
    """Of which buckets a band is: ` on Fridays`, ` on Fridays at 14:00`."""
    if series.seconds > DAY:
        return ""
    if series.zone == "UTC":
        weekday = (begin // DAY + EPOCH_WEEKDAY) % 7
        hour, minute = begin % DAY // HOUR, begin % HOUR // 60
    else:
        local = datetime.fromtimestamp(begin, ZoneInfo(series.zone))
        weekday, hour, minute = local.weekday(), local.hour, local.minute
    if series.seconds == DAY:
        return f" on {WEEKDAYS[weekday]}"
    return f" on {WEEKDAYS[weekday]} at {hour:02}:{minute:02}"


def bucket(series: Series, begin: int) -> str:
    """One bucket: `2026-03-12`, `2026-03-12 14:00`."""
    zone = UTC if series.zone == "UTC" else ZoneInfo(series.zone)
    local = datetime.fromtimestamp(begin, zone)
    return f"{local:%Y-%m-%d}" if series.seconds >= DAY else f"{local:%Y-%m-%d %H:%M}"


def bucket_told(series: Series, begin: int) -> str:
    """One bucket, as messages say instants: `Thu 12 Mar`, `Thu 12 Mar, 14:00`; with its year where that is another one."""
    zone = UTC if series.zone == "UTC" else ZoneInfo(series.zone)
    local = datetime.fromtimestamp(begin, zone)
    is_of_this_year = local.year == datetime.fromtimestamp(series.until, zone).year
    day = f"{local:%a} {local.day} {local:%b}" + ("" if is_of_this_year else f" {local.year}")
    return day if series.seconds >= DAY else f"{day}, {local:%H:%M}"


def buckets(count: int, seconds: int) -> str:
    """So many buckets of a grain: `3 days`, `1 hour`, `12 × 5 min`."""
    for size, word in ((DAY, "day"), (HOUR, "hour")):
        if seconds == size:
            return f"{count:,} {word}{'' if count == 1 else 's'}"
    return f"{count:,} × {_span(seconds)}"


def _span(seconds: float) -> str:
    for size, word in ((DAY, "d"), (HOUR, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{figures(round(seconds / size, 1))} {word}"
    return f"{figures(seconds)} s"
