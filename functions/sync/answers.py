"""Reading an answer of the combined query: points and rankings, or the reason it cannot be trusted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from functions.sync.arriving import Arrivals
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, Unit, metric_of
from hedgerow.errors import OutboundError
from hedgerow.measure_hogql import END_DAY, END_METRIC, HOUR_DAY, HOUR_PREFIX, LIMIT, RANK_DAY
from hedgerow.measures import MEASURE_PREFIX
from hedgerow.months import Value

LARGEST = 10**15
# A measure adds up what an app says of itself: below zero too, and of more than anything we count.
LARGEST_MEASURED = 10**30
_DIGITS = 12


class AnswerCutError(OutboundError):
    """The answer stops before its end: PostHog lowered the limit, or it is exactly the limit long."""

    code = "answer_cut"
    hint = "Hedgerow asks for fewer days at a time; if this stays, PostHog answers with fewer rows than a single day needs."


class AnswerMalformedError(OutboundError):
    """The answer is not what the query asked for."""

    code = "malformed_answer"
    hint = "Run `hedgerow prove` and compare; a proxy between Hedgerow and PostHog may change answers."


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer said: values by metric and day, hourly ones by the epoch second of their hour, and how often
    each event, flag and value of a breakdown was seen.
    """

    values: dict[tuple[str, date], Value] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    hours: dict[tuple[str, int], Value] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    late: Arrivals = field(default_factory=Arrivals)
    rows: int = 0

    def absorb(self, other: Facts) -> None:
        """Take in the answer to another part of the same ask; days of different parts never overlap."""
        self.values.update(other.values)
        self.events.update(other.events)
        self.flags.update(other.flags)
        self.hours.update(other.hours)
        self.parts.update(other.parts)
        self.late.absorb(other.late)


def read(columns: Sequence[str], rows: Sequence[Sequence[object]], *, has_more: bool) -> Facts:
    """The facts of one answer.

    Raises `AnswerCutError` when its last row is missing or it is as long as its limit,
    `AnswerMalformedError` when a row is doubled or not of the asked form.
    """
    if tuple(columns) != ("day", "metric", "value"):
        raise AnswerMalformedError(f"PostHog answered with the columns {', '.join(map(str, columns))[:200]}.")
    if has_more or len(rows) >= LIMIT:
        raise AnswerCutError(f"PostHog answered with {len(rows)} rows, exactly a limit: the rest is missing.")
    if not rows or tuple(rows[-1][:2]) != (str(END_DAY), END_METRIC):
        raise AnswerCutError(f"PostHog answered with {len(rows)} rows and without the last one: the rest is missing.")
    facts = Facts()
    for row in rows[:-1]:
        day, name, value = _typed(row)
        if _is_text(name):
            _take(facts, day, name, value)
        elif MEASURE_PREFIX not in name:
            raise AnswerMalformedError("PostHog answered with a name that is no text.")
    return replace(facts, rows=len(facts.values) + len(facts.hours))


def ranked(columns: Sequence[str], rows: Sequence[Sequence[object]], *, has_more: bool) -> dict[str, int]:
    """The answer of a ranking asked alone: name -> how often."""
    if tuple(columns) != ("name", "times"):
        raise AnswerMalformedError("PostHog answered a ranking with other columns than asked.")
    if has_more or len(rows) >= LIMIT or not rows or tuple(rows[-1]) != (END_METRIC, 0):
        raise AnswerCutError("PostHog answered a ranking without its last row: the rest is missing.")
    return {str(name): int(_number(times)) for name, times in rows[:-1] if _is_text(str(name))}


def _typed(row: Sequence[object]) -> tuple[date, str, float]:
    day, metric, value = row
    if not isinstance(day, str) or not isinstance(metric, str):
        raise AnswerMalformedError("PostHog answered with a row that is not day, metric, value.")
    is_measured = metric.startswith((MEASURE_PREFIX, HOUR_PREFIX))
    try:
        return date.fromisoformat(day[:10]), metric, _measured(value) if is_measured else _number(value)
    except ValueError as error:
        raise AnswerMalformedError("PostHog answered with a day that is no date.") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise AnswerMalformedError("PostHog answered with a value that is no number from 0 up to 10^15.")
    return float(value)


def _measured(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_MEASURED:
        raise AnswerMalformedError("PostHog answered a measure with a value that is no number.")
    return float(value)


def _is_text(name: str) -> bool:
    """A lone surrogate can be neither stored nor sent back."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _take(facts: Facts, day: date, name: str, value: float) -> None:
    if day == HOUR_DAY:
        _take_hour(facts, name, value)
        return
    if day == RANK_DAY:
        if facts.late.take(name, value):
            return
        if name.startswith(MEASURE_PREFIX):
            facts.parts[name] = int(value)
        elif name.startswith(EVENT_PREFIX):
            facts.events[name.removeprefix(EVENT_PREFIX)] = int(value)
        else:
            facts.flags[name.removeprefix(FLAG_PREFIX)] = int(value)
        return
    metric = metric_of(name)
    if metric is None:
        raise AnswerMalformedError("PostHog answered with a metric nobody asked for.")
    if (name, day) in facts.values:
        raise AnswerMalformedError(f"PostHog answered twice for {day}: its rows are doubled.")
    if metric.unit == "count" and value != int(value):
        raise AnswerMalformedError("PostHog answered with a fraction where it counts.")
    facts.values[name, day] = _kept(metric.unit, value)


def _take_hour(facts: Facts, told: str, value: float) -> None:
    hour, _, name = told.removeprefix(HOUR_PREFIX).partition(":")
    if not hour.isdecimal() or not name.startswith(MEASURE_PREFIX):
        raise AnswerMalformedError("PostHog answered with an hour nobody asked for.")
    if (name, int(hour)) in facts.hours:
        raise AnswerMalformedError("PostHog answered twice for an hour: its rows are doubled.")
    facts.hours[name, int(hour)] = _kept("number", value)


def _kept(unit: Unit, value: float) -> Value:
    """The value as it is stored: what adding up in another order changes is not kept."""
    if unit == "count":
        return int(value)
    if unit == "number":
        value = float(f"{value:.{_DIGITS}g}") if value != int(value) else value
    kept = round(value, 6)
    return int(kept) if unit == "number" and kept == int(kept) and abs(kept) <= LARGEST else kept
