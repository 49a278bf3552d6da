"""The combined query: every metric and day a run needs in one answer of day, metric, value. Pure.

The text depends only on which families and measures are asked; days, zone and names are
values, so that `explain` can show a text kept once. Rows of three days are not points of
a day: the rankings and how late events come (`RANK_DAY`), points of hours (`HOUR_DAY`),
and the last row (`END_DAY`), without which an answer is not whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from functions.sync import arriving
from functions.sync.windows import Span
from hedgerow import days, measure_hogql
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, TOP_EVENTS, TOP_FLAGS, Family, Metric, fixed, metric_of
from hedgerow.hours import HOUR
from hedgerow.measure_hogql import END_DAY, END_METRIC, IN_DAYS, IN_RANK, LIMIT, LOCAL_DAY, RANK_DAY
from hedgerow.measures import Measure
from hedgerow.months import QueryValue

# PostHog ends a session after 24 hours; two days also cover a day of 23 hours.
SESSION_DAYS = timedelta(days=2)

Part = Family | Literal["arrivals"]
"""One part of the combined query: a family of metrics, or how late events come."""

LIGHT: tuple[Family, ...] = ("day", "session", "event", "flag")
HEAVY: tuple[Family, ...] = ("trailing", "new_users")
# Asked beside the catalogue's numbers, which never wait for them.
BESIDE: tuple[Part, ...] = ("measure", "arrivals")

FLAG_KEY = "ifNull(toString(properties.$feature_flag), '')"
# PostHog's flag keys hold no colon; one that an event made up would run into its variant.
CALLED = f"event = '$feature_flag_called' and {FLAG_KEY} != '' and {FLAG_KEY} not like '%:%'"
_VARIANT = "ifNull(toString(properties.$feature_flag_response), 'null')"


@dataclass(frozen=True, slots=True)
class Question:
    """One HogQL query to be: its families and the days they are asked about.

    `window` and `again` are the light families' days, `heavy` the others'. `names`, `flags`
    and by measure id `parts`, the values of a breakdown, are measured besides the ranked
    ones; `rank` False leaves the ranking out.
    """

    families: tuple[Part, ...]
    zone: str
    window: Span
    again: Span | None
    heavy: Span | None
    ranked: Span
    names: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    rank: bool = True
    new_users_days: int = 365
    measures: tuple[Measure, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def measured(self) -> tuple[Measure, ...]:
        """The measures this question asks for."""
        return self.measures if "measure" in self.families else ()

    def light_spans(self) -> tuple[Span, ...]:
        """The days of the light families and of measures."""
        return (self.window,) if self.again is None else (self.again, self.window)

    def hours(self) -> list[int]:
        """Every UTC hour that touches those days and has begun, as the epoch second of its begin."""
        edges = [_whole_hours(span, self.zone) for span in self.light_spans()]
        now = int(self.asked_at.timestamp())
        return sorted({hour for first, end in edges for hour in range(first, min(end, now + 1), HOUR)})

    def covers(self, name: str, day: date) -> bool:
        """Does the answer to this question say what this metric was on this day?"""
        metric = metric_of(name)
        if metric is None or metric.family not in self.families:
            return False
        if metric.family == "measure" and measure_hogql.id_of(name) not in {measure.id for measure in self.measures}:
            return False
        spans = [self.heavy] if metric.family in HEAVY else [self.window, self.again]
        return any(span is not None and span.first <= day <= span.last for span in spans)

    def only(self, *families: Part) -> Question:
        """The same question for some of its families."""
        return replace(self, families=families)


def text_of(question: Question) -> str:
    """The HogQL of a question; the same text for the same families and measures."""
    arms = [arm for family in question.families for arm in _ARMS[family](question)]
    arms.append(f"select toDate('{END_DAY}') as day, '{END_METRIC}' as metric, toFloat(0) as value")
    # PostHog puts a LIMIT of 100 on an arm that has none, so every arm has one.
    union = "\nunion all\n".join(f"{arm} limit {LIMIT}" for arm in arms)
    return f"select day, metric, value from (\n{union}\n) order by day asc, metric asc limit {LIMIT}"


def values_of(question: Question) -> dict[str, QueryValue]:
    """The placeholders' values: the zone, days as epoch seconds of their local midnights, names."""
    zone = question.zone
    heavy = question.heavy or question.window
    again = epochs(question.again, zone) if question.again else (0, 0)
    window, ranked = epochs(question.window, zone), epochs(question.ranked, zone)
    day, last = question.window.first, question.window.last
    hours, hours_again = (_whole_hours(span, zone) if span else (0, 0) for span in (question.window, question.again))
    everything: dict[str, QueryValue] = {
        "zone": zone,
        "hour_from": hours[0],
        "hour_to": hours[1],
        "hour_again_from": hours_again[0],
        "hour_again_to": hours_again[1],
        "from": window[0],
        "to": window[1],
        "again_from": again[0],
        "again_to": again[1],
        "first_day": str(day),
        "last_day": str(last),
        "again_first_day": str(question.again.first) if question.again else "1970-01-01",
        "again_last_day": str(question.again.last) if question.again else "1970-01-01",
        "session_from": _epoch(day - SESSION_DAYS, zone),
        "session_to": _epoch(last + SESSION_DAYS + timedelta(days=1), zone),
        "session_again_from": _epoch(question.again.first - SESSION_DAYS, zone) if question.again else 0,
        "session_again_to": _epoch(question.again.last + SESSION_DAYS + timedelta(days=1), zone)
        if question.again
        else 0,
        "rank_from": ranked[0],
        "rank_to": ranked[1],
        "names": ["", *question.names],
        "flags": ["", *question.flags],
        "heavy_first_day": str(heavy.first),
        "heavy_last_day": str(heavy.last),
        "trailing_from": _epoch(heavy.first - timedelta(days=_LONGEST_TRAIL - 1), zone),
        "earlier_from": _epoch(heavy.first - timedelta(days=question.new_users_days), zone),
        "heavy_to": _epoch(heavy.last + timedelta(days=1), zone),
        "new_users_days": question.new_users_days,
        **measure_hogql.values(question.measures, question.parts),
        **arriving.values(question.asked_at),
    }
    text = text_of(question)
    return {name: value for name, value in everything.items() if f"{{{name}}}" in text}


def epochs(span: Span, zone: str) -> tuple[int, int]:
    """The epoch seconds at which a span of local days begins and ends."""
    return _epoch(span.first, zone), _epoch(span.last + timedelta(days=1), zone)


def _whole_hours(span: Span, zone: str) -> tuple[int, int]:
    """The span widened to whole UTC hours: where midnight falls inside one, the hour is counted whole."""
    begin, end = epochs(span, zone)
    return begin // HOUR * HOUR, -(-end // HOUR) * HOUR


def _epoch(day: date, zone: str) -> int:
    return int(days.begins(day, zone).timestamp())


def _aggregates(metrics: tuple[Metric, ...]) -> str:
    return ",\n    ".join(f"toFloat({metric.hogql}) as {metric.name}" for metric in metrics)


def _long(metrics: tuple[Metric, ...], wide: str) -> str:
    """A row a day with a column a metric, turned into a row a day and metric."""
    pairs = ", ".join(f"('{metric.name}', {metric.name})" for metric in metrics)
    return (
        "select day, pair.1 as metric, pair.2 as value from (\n"
        f"  select day, arrayJoin([{pairs}]) as pair from (\n{wide}))"
    )


def _day(_: Question) -> list[str]:
    metrics = fixed("day")
    wide = f"  select {LOCAL_DAY} as day,\n    {_aggregates(metrics)}\n  from events where {IN_DAYS} group by day"
    return [_long(metrics, wide)]


def _session(_: Question) -> list[str]:
    metrics = fixed("session")
    widened = IN_DAYS.replace("{", "{session_")
    wide = (
        f"  select toDate(toTimeZone(began, {{zone}})) as day,\n    {_aggregates(metrics)}\n  from (\n"
        "    select $session_id as session, min(timestamp) as began, max(timestamp) as ended,\n"
        "      dateDiff('microsecond', began, ended) as lasted\n"
        f"    from events where {widened} and $session_id != '' group by session)\n"
        "  group by day"
    )
    in_days = (
        "where day >= toDate({first_day}) and day <= toDate({last_day})\n"
        "  or day >= toDate({again_first_day}) and day <= toDate({again_last_day})"
    )
    return [f"{_long(metrics, wide)}\n{in_days}"]


def _event(question: Question) -> list[str]:
    counted = f"select event, count() as times from events where {IN_RANK} and event != '' group by event order by times desc, event asc limit {TOP_EVENTS}"
    ranked = f" or event in (select event from ({counted}))" if question.rank else ""
    arm = (
        f"select {LOCAL_DAY} as day, concat('{EVENT_PREFIX}', event) as metric, toFloat(count()) as value\n"
        f"from events where {IN_DAYS} and event != '' and (event in {{names}}{ranked}) group by day, metric"
    )
    listed = f"select toDate('{RANK_DAY}') as day, concat('{EVENT_PREFIX}', event) as metric, toFloat(times) as value from (\n  {counted})"
    return [arm, listed] if question.rank else [arm]


def _flag(question: Question) -> list[str]:
    counted = (
        f"select {FLAG_KEY} as flag, count() as times from events where {IN_RANK} and {CALLED}\n"
        f"  group by flag order by times desc, flag asc limit {TOP_FLAGS}"
    )
    ranked = f" or flag in (select flag from ({counted}))" if question.rank else ""
    arm = (
        f"select day, concat('{FLAG_PREFIX}', flag, ':', variant) as metric, toFloat(uniqExact(person)) as value from (\n"
        f"  select {LOCAL_DAY} as day, {FLAG_KEY} as flag, {_VARIANT} as variant, person_id as person\n"
        f"  from events where {IN_DAYS} and {CALLED})\n"
        f"where (flag in {{flags}}{ranked}) group by day, metric"
    )
    listed = f"select toDate('{RANK_DAY}') as day, concat('{FLAG_PREFIX}', flag) as metric, toFloat(times) as value from (\n  {counted})"
    return [arm, listed] if question.rank else [arm]


def _trailing(_: Question) -> list[str]:
    metrics = fixed("trailing")
    counts = ",\n    ".join(
        f"toFloat(uniqExactIf(person, ahead < {metric.trailing_days})) as {metric.name}" for metric in metrics
    )
    wide = (
        f"  select addDays(active, ahead) as day,\n    {counts}\n  from (\n"
        f"    select active, person, arrayJoin(range({_LONGEST_TRAIL})) as ahead from (\n"
        f"      select distinct {LOCAL_DAY} as active, person_id as person from events\n"
        "      where timestamp >= fromUnixTimestamp({trailing_from}) and timestamp < fromUnixTimestamp({heavy_to})))\n"
        "  where day >= toDate({heavy_first_day}) and day <= toDate({heavy_last_day}) group by day"
    )
    return [_long(metrics, wide)]


def _new_users(_: Question) -> list[str]:
    metric = fixed("new_users")[0]
    arm = (
        f"select day, '{metric.name}' as metric, toFloat(count()) as value from (\n"
        "  select arrayJoin(arrayFilter((d, i) -> i = 1 or dateDiff('day', active[i - 1], d) > {new_users_days},\n"
        "    active, arrayEnumerate(active))) as day from (\n"
        f"    select person, arraySort(groupUniqArray(seen)) as active from (\n"
        f"      select person_id as person, {LOCAL_DAY} as seen from events\n"
        "      where timestamp >= fromUnixTimestamp({earlier_from}) and timestamp < fromUnixTimestamp({heavy_to}))\n"
        "    group by person))\n"
        "where day >= toDate({heavy_first_day}) and day <= toDate({heavy_last_day}) group by day"
    )
    return [arm]


_LONGEST_TRAIL = max(metric.trailing_days for metric in fixed("trailing"))
_ARMS: dict[Part, Callable[[Question], list[str]]] = {
    "day": _day,
    "session": _session,
    "event": _event,
    "flag": _flag,
    "trailing": _trailing,
    "new_users": _new_users,
    "measure": lambda question: measure_hogql.arms(question.measures, rank=question.rank),
    "arrivals": lambda _: [arriving.arm()],
}
