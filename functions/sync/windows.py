"""Which local days a run asks about: the window, the slow re-check of the older month, the heavy families' days. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hedgerow import days
from hedgerow.models import Connection, SyncRun

LOOK_BACK_DAYS = 3
MONTH_DAYS = 30
HEAVY_EVERY = timedelta(hours=3)
FLAGS_EVERY = timedelta(hours=6)
# A connection that slept for months comes back with what one run can carry; a refresh brings the rest.
LONGEST_CATCH_UP_DAYS = 90


@dataclass(frozen=True, slots=True)
class Span:
    """Local days from first to last, both included."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    def days(self) -> list[date]:
        """Every day."""
        return list(days.span(self.first, self.last))

    def halves(self) -> tuple[Span, Span]:
        """The older and the newer half; only for two days or more."""
        middle = self.first + timedelta(days=self.length // 2 - 1)
        return Span(self.first, middle), Span(middle + timedelta(days=1), self.last)


@dataclass(frozen=True, slots=True)
class Ask:
    """What one run wants to know. `again` is the slice of the older month being re-checked."""

    zone: str
    window: Span
    again: Span | None
    heavy: Span | None
    ranked: Span
    list_flags: bool
    rechecked: int

    def light_days(self) -> list[date]:
        """The days of every family but the heavy ones."""
        return (self.again.days() if self.again else []) + self.window.days()

    def months(self) -> list[str]:
        """Every month a point of this ask may fall into, oldest first."""
        spans = [span for span in (self.again, self.heavy, self.window) if span is not None]
        return sorted({month for span in spans for month in days.months_between(span.first, span.last)})

    def utc_months(self) -> list[str]:
        """Every UTC month an hour of those days may fall into, oldest first."""
        spans = [span for span in (self.again, self.window) if span is not None]
        return sorted(
            {month for span in spans for month in days.months_between(span.first - days.DAY, span.last + days.DAY)}
        )


def scheduled_window(connection: Connection, now: datetime) -> Span:
    """From the last success with a look-back for late events, up to today; 30 days when there was none."""
    today = days.today(now, connection.timezone)
    last = connection.progress.last_success_day
    if last is None:
        return Span(today - timedelta(days=MONTH_DAYS - 1), today)
    first = min(last, today) - timedelta(days=LOOK_BACK_DAYS)
    return Span(max(first, today - timedelta(days=LONGEST_CATCH_UP_DAYS - 1)), today)


def ask_of(connection: Connection, run: SyncRun, now: datetime, every: timedelta | None) -> Ask:
    """What this run asks now. `every` is the connection's interval, None when it syncs by hand."""
    window = Span(run.from_day, run.to_day)
    ranked = Span(run.whole_from or run.from_day, run.whole_to or run.to_day)
    today = days.today(now, connection.timezone)
    flags_at = connection.progress.flags_at
    # An instant after now is of a clock that was ahead: it counts as never.
    list_flags = window.last >= today and (flags_at is None or not timedelta() <= now - flags_at < FLAGS_EVERY)
    if run.kind != "scheduled":
        heavy = Span(window.first, _trails_to(window, ranked, today))
        return Ask(connection.timezone, window, None, heavy, ranked, list_flags, connection.progress.rechecked)
    again, rechecked = _again(connection, window, now, every)
    return Ask(connection.timezone, window, again, _heavy(connection, window, now), ranked, list_flags, rechecked)


def _trails_to(window: Span, ranked: Span, today: date) -> date:
    """The last day on which an event of the window still counts in a trailing metric; a newer part covers its own."""
    if window.last < ranked.last:
        return window.last
    return max(window.last, min(today, window.last + timedelta(days=MONTH_DAYS - 1)))


def _again(connection: Connection, window: Span, now: datetime, every: timedelta | None) -> tuple[Span | None, int]:
    """The next slice of the older month, so that the day's last run has seen all of it."""
    today = days.today(now, connection.timezone)
    older = list(days.span(_oldest(today), window.first - timedelta(days=1)))
    progress = connection.progress
    done = progress.rechecked if progress.recheck_day == today else 0
    begin, end = days.begins(today, connection.timezone), days.ends(today, connection.timezone)
    elapsed = (now - begin + (every or timedelta())) / (end - begin)
    target = min(len(older), -int(-len(older) * elapsed // 1))
    if target <= done:
        return None, done
    return Span(older[done], older[target - 1]), target


def _heavy(connection: Connection, window: Span, now: datetime) -> Span | None:
    """After each local midnight the whole month, then today at most every three hours."""
    today = days.today(now, connection.timezone)
    heavy_at = connection.progress.heavy_at
    if heavy_at is None or not days.begins(today, connection.timezone) <= heavy_at <= now:
        return Span(min(window.first, _oldest(today)), today)
    if now - heavy_at >= HEAVY_EVERY:
        return Span(today, today)
    return None


def _oldest(today: date) -> date:
    """The first of the last thirty days, without 31 January on 1 March: two months are read, never three."""
    month_before = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return max(today - timedelta(days=MONTH_DAYS - 1), month_before)
