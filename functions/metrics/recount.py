"""The second count: one HogQL query of another shape than the sync's, and the reading of its answer. Pure.

The sync asks ClickHouse for each event's local date and counts rows; here a day is a
place between two epoch numbers, an event is a distinct (UTC day, event, distinct_id,
uuid), a day's persons are what is left after grouping by person, and a session is two
distances from the window's begin. Further rows say what the answer must add up to, so
that one that was cut, lowered or doubled gives itself away.
"""
# ruff: noqa: S608 - the text is made of our own words; what users name travels as values

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from functions.metrics.window import Window
from hedgerow import days
from hedgerow.catalogue import EVENT_PREFIX
from hedgerow.errors import OutboundError
from hedgerow.months import Value

LIMIT = 50_000
# A session may begin before the window and go on after it; PostHog ends one after 24 hours.
SESSION_DAYS = timedelta(days=2)
# Echoed back: a number nobody has by chance, and whose double is not itself.
CONTROL = 271_828
# No count or length in seconds is more; beyond it doubles no longer tell whole numbers apart.
MOST = 1e15

PEOPLE = {
    "posthog_dau": "count()",
    "posthog_events": "sum(events)",
    "posthog_pageviews": "sum(pageviews)",
    "posthog_flag_evaluations": "sum(calls)",
    "posthog_exceptions": "sum(exceptions)",
}
SESSIONS = {
    "posthog_sessions": "count()",
    "posthog_session_duration": "(sum(ended) - sum(began)) / count() / 1000000",
}
CHECKED = (*PEOPLE, *SESSIONS)

_ROWS, _TOTAL, _CONTROL, _END = "~rows", "~total", "~control", "~end"


class UntrustedError(OutboundError):
    """PostHog's answer contradicts itself: nothing can be proved by it."""

    code = "answer_untrusted"
    hint = "Prove again; if it stays, something between Hedgerow and PostHog changes answers, or PostHog lowers row limits."


@dataclass(slots=True)
class Counted:
    """What was counted: values by metric and day (a day without a row is 0), and rows PostHog holds more than once."""

    values: dict[tuple[str, date], Value] = field(default_factory=dict)
    doubles: dict[date, int] = field(default_factory=dict)

    def value(self, name: str, day: date) -> Value:
        """The count of a metric on a day."""
        return self.values.get((name, day), 0)


def text() -> str:
    """The HogQL; the same for every window."""
    arms = f"{_people()}\nunion all\n{_events()}\nunion all\n{_sessions()}\nunion all\n{_sums()}"
    return f"select place, name, value from (\n{arms}\n) order by place asc, name asc limit {LIMIT}"


def values(window: Window, zone: str, events: Sequence[str]) -> dict[str, object]:
    """The placeholders' values: the local midnights as epoch seconds, and the names to count."""
    edges = [_epoch(day, zone) for day in days.span(window.first, window.last + timedelta(days=1))]
    begin = _epoch(window.first - SESSION_DAYS, zone)
    return {
        "edges": edges,
        "from": edges[0],
        "to": edges[-1],
        "session_from": begin,
        "session_to": _epoch(window.last + SESSION_DAYS + timedelta(days=1), zone),
        "session_edges": [(edge - begin) * 1_000_000 for edge in edges],
        "names": ["", *events],
        "control": CONTROL,
        "last": window.length + 1,
    }


def read(window: Window, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Counted:
    """What the answer counted; `UntrustedError` when it contradicts itself."""
    if tuple(columns) != ("place", "name", "value"):
        raise UntrustedError("PostHog answered with other columns than were asked for.")
    by_place: dict[tuple[int, str], Value] = {}
    for row in rows:
        place, name, value = _typed(row)
        if (place, name) in by_place:
            raise UntrustedError("PostHog answered with the same row twice.")
        by_place[place, name] = value
    if len(rows) >= LIMIT or (window.length + 1, _END) not in by_place:
        raise UntrustedError(f"PostHog's answer of {len(rows)} rows stops before its end.")
    if by_place.get((0, _CONTROL)) != CONTROL:
        raise UntrustedError("PostHog gave a number back that is not the one it was given.")
    held = sum(value for (_, name), value in by_place.items() if name == _ROWS)
    if held != by_place.get((0, _TOTAL)):
        raise UntrustedError(f"The days add up to {held} events, all of them together are {by_place.get((0, _TOTAL))}.")
    return _counted(window, by_place)


def _counted(window: Window, by_place: dict[tuple[int, str], Value]) -> Counted:
    counted = Counted()
    for (place, name), value in by_place.items():
        if not 1 <= place <= window.length:
            continue
        day = window.first + timedelta(days=place - 1)
        if name == _ROWS:
            counted.doubles[day] = int(value - by_place.get((place, "posthog_events"), 0))
        else:
            counted.values[name, day] = value
    counted.doubles = {day: number for day, number in counted.doubles.items() if number}
    return counted


def _typed(row: Sequence[object]) -> tuple[int, str, Value]:
    place, name, value = row
    if not isinstance(name, str) or isinstance(place, bool) or not isinstance(place, int):
        raise UntrustedError("PostHog answered with a row that is not place, name, value.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise UntrustedError("PostHog answered with a value that is no number.")
    return place, name, int(value) if value == int(value) else value


def _epoch(day: date, zone: str) -> int:
    return int(days.begins(day, zone).timestamp())


def _each_once(condition: str = "") -> str:
    """Every event of the window once: its place, its person, and how many rows PostHog holds of it."""
    return (
        "select arrayCount(edge -> edge <= toUnixTimestamp(timestamp), {edges}) as place, event, person_id as person,\n"
        "      intDiv(toUnixTimestamp(timestamp), 86400) as utc_day, distinct_id, uuid, count() as copies\n"
        "    from events where timestamp >= fromUnixTimestamp({from}) and timestamp < fromUnixTimestamp({to})"
        f"{condition}\n    group by place, event, person, utc_day, distinct_id, uuid"
    )


def _pairs(columns: dict[str, str]) -> str:
    return ", ".join(f"tuple('{name}', toFloat({expression}))" for name, expression in columns.items())


def _people() -> str:
    return (
        "select place, pair.1 as name, pair.2 as value from (\n"
        f"  select place, arrayJoin([{_pairs({**PEOPLE, _ROWS: 'sum(held)'})}]) as pair from (\n"
        "    select place, person, count() as events, sum(copies) as held, countIf(event = '$pageview') as pageviews,\n"
        "      countIf(event = '$feature_flag_called') as calls, countIf(event = '$exception') as exceptions from (\n"
        f"    {_each_once()})\n"
        "    group by place, person)\n"
        "  group by place)"
    )


def _events() -> str:
    return (
        f"select place, concat('{EVENT_PREFIX}', event) as name, toFloat(count()) as value from (\n"
        f"    {_each_once(' and event in {names}')})\n"
        "group by place, name"
    )


def _sessions() -> str:
    return (
        "select place, pair.1 as name, pair.2 as value from (\n"
        f"  select arrayCount(edge -> edge <= began, {{session_edges}}) as place, arrayJoin([{_pairs(SESSIONS)}]) as pair from (\n"
        "    select $session_id as session, min(away) as began, max(away) as ended from (\n"
        "      select $session_id, dateDiff('microsecond', fromUnixTimestamp({session_from}), timestamp) as away\n"
        "      from events where timestamp >= fromUnixTimestamp({session_from})\n"
        "        and timestamp < fromUnixTimestamp({session_to}) and $session_id != '')\n"
        "    group by session)\n"
        "  group by place)"
    )


def _sums() -> str:
    return (
        f"select toInt(0) as place, '{_TOTAL}' as name, toFloat(count()) as value from events\n"
        "  where timestamp >= fromUnixTimestamp({from}) and timestamp < fromUnixTimestamp({to})\n"
        f"union all\nselect toInt(0) as place, '{_CONTROL}' as name, toFloat({{control}}) as value\n"
        f"union all\nselect toInt({{last}}) as place, '{_END}' as name, toFloat(0) as value"
    )
