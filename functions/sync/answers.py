"""Reading an answer of the combined query: points and rankings, or the reason it cannot be trusted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from functions.sync.hogql import END_DAY, END_METRIC, LIMIT, RANK_DAY
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, metric_of
from hedgerow.errors import OutboundError
from hedgerow.months import Value

LARGEST = 10**15


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
    """What an answer said: values by metric and day, and how often each event and flag was seen."""

    values: dict[tuple[str, date], Value] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def absorb(self, other: Facts) -> None:
        """Take in the answer to another part of the same ask; days of different parts never overlap."""
        self.values.update(other.values)
        self.events.update(other.events)
        self.flags.update(other.flags)


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
        _take(facts, *_typed(row))
    return replace(facts, rows=len(facts.values))


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
    if not _is_text(metric):
        raise AnswerMalformedError("PostHog answered with a name that is no text.")
    try:
        return date.fromisoformat(day[:10]), metric, _number(value)
    except ValueError as error:
        raise AnswerMalformedError("PostHog answered with a day that is no date.") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise AnswerMalformedError("PostHog answered with a value that is no number from 0 up to 10^15.")
    return float(value)


def _is_text(name: str) -> bool:
    """A lone surrogate can be neither stored nor sent back."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _take(facts: Facts, day: date, name: str, value: float) -> None:
    if day == RANK_DAY:
        if name.startswith(EVENT_PREFIX):
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
    facts.values[name, day] = int(value) if metric.unit == "count" else round(value, 6)
