"""A question for measures alone, over a span of local days: its HogQL, its values, and its answer read. Pure.

The arms are the sync's own. Where additive measures have no row they have a 0: the whole
span was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite

from functions.alerts.series.held import Bucket, Buckets, Held
from functions.alerts.series.sources import Source
from hedgerow import days, measure_hogql
from hedgerow.completeness import arrived
from hedgerow.hours import HOUR
from hedgerow.measure_hogql import END_DAY, END_METRIC, HOUR_DAY, HOUR_PREFIX, LIMIT, RANK_DAY
from hedgerow.measures import MOST_VALUES, Measure
from hedgerow.models import SyncProgress
from hedgerow.months import QueryValue
from hedgerow.posthog.answers import Answer, malformed

MOST_ROWS = 40_000
"""Of one answer: well under its limit."""

Rows = dict[str, dict[int, float]]
"""Stored name -> epoch second of a bucket's begin -> value."""


@dataclass(frozen=True, slots=True)
class Question:
    """Measures over local days of a zone, both included, asked at an instant."""

    measures: tuple[Measure, ...]
    zone: str
    first: date
    last: date
    asked_at: datetime

    def pieces(self) -> list[tuple[date, date]]:
        """The span in pieces, each of which has an answer that is not cut."""
        daily = sum((MOST_VALUES if each.by else 1) * (25 if each.hourly else 1) for each in self.measures)
        length = max(1, MOST_ROWS // max(1, daily))
        begins = [self.first + timedelta(days=offset) for offset in range(0, (self.last - self.first).days + 1, length)]
        return [(begin, min(begin + timedelta(days=length - 1), self.last)) for begin in begins]

    def begins(self, grain: str) -> Iterator[int]:
        """Every bucket of the span that has begun."""
        now = int(self.asked_at.timestamp())
        if grain == "day":
            yield from (begin for day in days.span(self.first, self.last) if (begin := _epoch(day, self.zone)) <= now)
            return
        yield from range(*_hours(self.first, self.last, self.zone, now + HOUR), HOUR)


def text_of(question: Question) -> str:
    """The HogQL: columns day, metric, value, and a last row without which an answer is not whole."""
    arms = measure_hogql.arms(question.measures, rank=True)
    arms.append(f"select toDate('{END_DAY}') as day, '{END_METRIC}' as metric, toFloat(0) as value")
    union = "\nunion all\n".join(f"{arm} limit {LIMIT}" for arm in arms)
    return f"select day, metric, value from (\n{union}\n) order by day asc, metric asc limit {LIMIT}"  # noqa: S608 -- our own words; what users name travels as values


def values_of(question: Question, first: date, last: date) -> dict[str, QueryValue]:
    """The placeholders' values for one piece; breakdowns are ranked over the whole span, so pieces agree."""
    zone = question.zone
    begin, end = _epoch(first, zone), _epoch(last + timedelta(days=1), zone)
    hour_from, hour_to = _hours(first, last, zone, end + HOUR)
    everything: dict[str, QueryValue] = {
        "zone": zone,
        "from": begin,
        "to": end,
        "hour_from": hour_from,
        "hour_to": hour_to,
        **dict.fromkeys(("again_from", "again_to", "hour_again_from", "hour_again_to"), 0),
        "rank_from": _epoch(question.first, zone),
        "rank_to": _epoch(question.last + timedelta(days=1), zone),
        **measure_hogql.values(question.measures, {}),
    }
    text = text_of(question)
    return {name: value for name, value in everything.items() if f"{{{name}}}" in text}


def take(rows: Rows, answer: Answer, zone: str) -> None:
    """Add the points of one piece's answer; `PostHogError` (`malformed_answer`) for one that is cut or of another form."""
    if answer.columns != ("day", "metric", "value"):
        raise malformed("it has other columns than asked")
    if answer.has_more or len(answer.rows) >= LIMIT or not answer.rows:
        raise malformed("it is cut")
    if tuple(answer.rows[-1][:2]) != (str(END_DAY), END_METRIC):
        raise malformed("its last row is missing")
    for day, metric, value in answer.rows[:-1]:
        if not isinstance(day, str) or not isinstance(metric, str):
            raise malformed("a row is not day, metric, value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise malformed("a value is no number")
        if day[:10] == str(RANK_DAY):
            continue
        name, begin = _place(day[:10], metric, zone)
        rows.setdefault(name, {})[begin] = float(value)


def held(source: Source, question: Question, rows: Rows, progress: SyncProgress) -> Held:
    """What the rows say of a source, zeros included."""
    shares = {begin: _share(question, source.grain, begin, progress) for begin in question.begins(source.grain)}
    prefix = HOUR_PREFIX if source.grain == "hour" else ""
    by_value: dict[str | None, Buckets] = {} if source.has_values else {None: _buckets(source, {}, shares)}
    for stored, points in rows.items():
        if not stored.startswith(prefix + source.name):
            continue
        name = stored.removeprefix(prefix)
        value = source.value_of(name)
        if value is not None or name == source.name:
            by_value[value] = _buckets(source, points, shares)
    return Held(source, by_value)


def _buckets(source: Source, points: Mapping[int, float], shares: Mapping[int, float]) -> Buckets:
    zeros = {begin: Bucket(0.0, share) for begin, share in shares.items()} if source.is_additive else {}
    return zeros | {begin: Bucket(value, shares[begin]) for begin, value in points.items() if begin in shares}


def _share(question: Question, grain: str, begin: int, progress: SyncProgress) -> float:
    """Ingestion is taken to be as far behind as when the sync last asked."""
    at = datetime.fromtimestamp(begin, UTC)
    end = days.ends(days.today(at, question.zone), question.zone) if grain == "day" else at + timedelta(hours=1)
    newest = None
    if progress.newest_event_at is not None and progress.asked_at is not None:
        newest = question.asked_at - max(timedelta(), progress.asked_at - progress.newest_event_at)
    return arrived(end, question.asked_at, newest, progress.arrivals)


def _place(day: str, metric: str, zone: str) -> tuple[str, int]:
    try:
        if day != str(HOUR_DAY):
            return metric, _epoch(date.fromisoformat(day), zone)
        hour, _, series = metric.removeprefix(HOUR_PREFIX).partition(":")
        return HOUR_PREFIX + series, int(hour)
    except ValueError:
        raise malformed("a row is of no day and no hour") from None


def _hours(first: date, last: date, zone: str, before: int) -> tuple[int, int]:
    """The hours of UTC that begin in these local days, and before an instant."""
    begin, end = _epoch(first, zone), _epoch(last + timedelta(days=1), zone)
    return -(-begin // HOUR) * HOUR, min(-(-end // HOUR) * HOUR, before // HOUR * HOUR)


def _epoch(day: date, zone: str) -> int:
    return int(days.begins(day, zone).timestamp())
