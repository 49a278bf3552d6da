"""The past of a series to try a rule on: what is stored, or what PostHog tells now where it was never measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from functions.alerts.backtest.files import instant_of
from functions.alerts.conditions.series import DAY, Series
from functions.alerts.series import asking, checking, measuring, partial, reading
from functions.alerts.spec import BacklogSeries, SeriesSpec, SyncSeries
from hedgerow import days, tiers
from hedgerow.app import App
from hedgerow.errors import HedgerowError, InvalidError
from hedgerow.models import Connection

DEFAULT_DAYS = 90
LONGEST_DAYS = 1_000
# What is usual at a weekday is learnt from as many weeks before the first day tried.
WARM_UP_DAYS = 56
# Stored points may begin so much later than asked for before PostHog is asked instead.
ENOUGH = 0.5
DATE = len("2026-03-12")
AT_THE_END = (
    "Each day was tried at its end. The rule judges the day so far after every sync: "
    "it may tell hours sooner, and also of what a day made up for."
)


@dataclass(frozen=True, slots=True)
class Window:
    """The instants to try, both included, and the local days to read for it."""

    begin: int
    to: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Past:
    """Series with their warm-up, and what is to be known of where they come from."""

    series: Sequence[Series]
    remarks: tuple[str, ...] = ()


def window(app: App, connection: Connection, begin: str | None, to: str | None) -> Window:
    """The time asked for; without a wish the last ninety days. Dates are local days of the connection."""
    now, zone = app.now(), connection.timezone
    today = days.today(now, zone)
    last = _instant(to, zone, "to", is_end=True) if to else int(now.timestamp())
    first = _instant(begin, zone, "from") if begin else last - DEFAULT_DAYS * DAY
    if not begin and not to:
        first = int(days.begins(today - timedelta(days=DEFAULT_DAYS - 1), zone).timestamp())
    if first > min(last, int(now.timestamp())):
        raise _invalid("from", "`from` is after the end of the time to try.", "Give a time before `to` and before now.")
    if last - first > LONGEST_DAYS * DAY:
        raise _invalid("from", f"That is more than {LONGEST_DAYS} days.", "Try a shorter time.")
    return Window(first, last, _day(first, zone), min(today, _day(last, zone)))


async def past_of(app: App, connection: Connection, spec: SeriesSpec, asked: Window) -> Past:
    """The series over the window and the weeks before it. `InvalidError` where no past is kept."""
    checking.check(spec)
    if isinstance(spec, SyncSeries | BacklogSeries):
        raise _invalid("series", "How syncs and the outbox stood in the past is not kept.", "Try a series of events.")
    tried = partial.whole_days(spec)
    remarks = (AT_THE_END,) if tried != spec else ()
    found = await _found(app, connection, tried, asked)
    return Past(found.series, (*remarks, *found.remarks))


async def _found(app: App, connection: Connection, spec: SeriesSpec, asked: Window) -> Past:
    now = app.now()
    first = asked.first - timedelta(days=WARM_UP_DAYS)
    length = (days.today(now, connection.timezone) - first).days + 1
    stored = await reading.read(app, connection, spec, days=length, now=now)
    if not measuring.measures_of(spec) or _covers(stored, asked, int(now.timestamp())):
        return Past(stored)
    oldest = tiers.oldest_kept(
        connection.tier, tiers.load(app.settings.tiers_file), days.today(now, connection.timezone)
    )
    try:
        told = await asking.ask(app, connection, spec, max(first, oldest) if oldest else first, asked.last)
    except HedgerowError as failed:
        if not any(series.begins for series in stored):
            raise
        return Past(stored, (f"Only what is stored was tried: {failed.detail}",))
    return Past(told, ("Not all of this was measured by syncs: PostHog was asked.",))


def _covers(stored: Sequence[Series], asked: Window, now: int) -> bool:
    """Whether at least half of the window lies behind the first stored point of some series."""
    until = min(asked.to, now)
    oldest = min((series.begins[0] for series in stored if series.begins), default=until)
    return until - oldest >= ENOUGH * (until - asked.begin)


def _instant(text: str, zone: str, field: str, *, is_end: bool = False) -> int:
    if len(text.strip()) > DATE:
        return instant_of(text, f"`{field}`")
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise _invalid(field, f"`{field}` is no date.", "Write YYYY-MM-DD, or an instant with its zone.") from None
    if not 1970 <= day.year < 2200:
        raise _invalid(field, f"`{field}` is not between 1970 and 2200.", "Write YYYY-MM-DD.")
    edge = days.ends(day, zone) if is_end else days.begins(day, zone)
    return int(edge.timestamp()) - is_end


def _day(instant: int, zone: str) -> date:
    return days.today(datetime.fromtimestamp(instant, UTC), zone)


def _invalid(field: str, detail: str, hint: str) -> InvalidError:
    return InvalidError(detail, hint=hint, members={"field": field})
