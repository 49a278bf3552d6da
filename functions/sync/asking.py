"""Asking PostHog for what a run needs: one round trip, or fewer families and days at a time where that is too heavy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from functions.sync import answers, ranking
from functions.sync.answers import AnswerCutError, Facts
from functions.sync.hogql import BESIDE, HEAVY, LIGHT, Question, text_of, values_of
from functions.sync.windows import Ask, Span
from hedgerow.catalogue import TOP_EVENTS, TOP_FLAGS, Family
from hedgerow.errors import OutboundError
from hedgerow.logs import log
from hedgerow.measures import MOST_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from functions.sync.hogql import Part
    from hedgerow.measures import Measure

QUERY_NAME = "hedgerow metric sync"
_RANKED: tuple[Family, ...] = ("measure", "event", "flag")


class Answer(Protocol):
    """What PostHog's client answers a query with."""

    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[object]]: ...
    @property
    def timezone(self) -> str | None: ...
    @property
    def has_more(self) -> bool: ...


class Asker(Protocol):
    """Sends one HogQL query; the seam to PostHog's client."""

    async def __call__(self, hogql: str, values: Mapping[str, object], /) -> Answer: ...


@dataclass(slots=True)
class Asked:
    """What came back: the facts, the project's zone as PostHog told it, and which questions answered.

    `by_family` and `days_per_query` are the split that worked, for the next run to begin with.
    What PostHog refuses beside the catalogue's numbers is in no question.
    """

    facts: Facts
    questions: list[Question] = field(default_factory=list)
    timezone: str | None = None
    by_family: bool = False
    days_per_query: int | None = None

    @property
    def asked_late(self) -> Question | None:
        """The question whose answer says how late events come; None where that was not asked, or refused."""
        return next((question for question in self.questions if "arrivals" in question.families), None)


@dataclass(frozen=True, slots=True)
class Names:
    """What is measured by name: events and flags that have points already, measures, the values of their breakdowns."""

    events: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def question_of(ask: Ask, names: Names, new_users_days: int, now: datetime, *, arrivals: bool) -> Question:
    """The combined question of an ask."""
    beside: tuple[Part, ...] = BESIDE if arrivals else ("measure",)
    if not names.measures:
        beside = tuple(part for part in beside if part != "measure")
    return Question(
        families=LIGHT + (HEAVY if ask.heavy else ()) + beside,
        zone=ask.zone,
        window=ask.window,
        again=ask.again,
        heavy=ask.heavy,
        ranked=ask.ranked,
        names=names.events,
        flags=names.flags,
        new_users_days=new_users_days,
        measures=names.measures,
        parts=names.parts,
        asked_at=now,
    )


async def ask_all(
    send: Asker,
    question: Question,
    before_each: Callable[[], Awaitable[None]],
    *,
    by_family: bool,
    days_per_query: int | None,
) -> Asked:
    """Every fact of the question. Splits by family, then by days, and remembers what worked.

    `before_each` runs before every request after the first: the lease is renewed there.
    Raises what the client raises, and `AnswerCutError` when a single day of a single
    family is still cut.
    """
    asked = Asked(Facts(), by_family=by_family, days_per_query=days_per_query)
    waiting = _split_by_family(question) if by_family else [question]
    if days_per_query is not None:
        waiting = [piece for whole in waiting for piece in await _by_days(send, whole, days_per_query, asked)]
    first = True
    while waiting:
        piece = waiting.pop(0)
        if not first:
            await before_each()
        first = False
        try:
            answer = await send(text_of(piece), values_of(piece))
            facts = answers.read(answer.columns, answer.rows, has_more=answer.has_more)
        except OutboundError as error:
            if _too_much(error):
                smaller = await _smaller(send, piece, asked, error)
            elif error.code == "query_invalid":
                smaller = _without(piece, error)
            else:
                raise
            waiting = smaller + waiting
            continue
        asked.facts.absorb(facts)
        asked.facts = replace(asked.facts, rows=asked.facts.rows + facts.rows)
        asked.questions.append(piece)
        asked.timezone = answer.timezone or asked.timezone
    return asked


def _too_much(error: OutboundError) -> bool:
    return isinstance(error, AnswerCutError) or error.code == "query_too_heavy"


async def _smaller(send: Asker, piece: Question, asked: Asked, error: OutboundError) -> list[Question]:
    if len(piece.families) > 1:
        asked.by_family = True
        return _split_by_family(piece)
    if piece.families == ("arrivals",):
        return _without(piece, error)
    longest = max(span.length for span in _spans(piece))
    if longest == 1 and (piece.again is None or piece.families[0] in HEAVY):
        return _without(piece, error)
    days = max(1, longest // 2)
    asked.days_per_query = min(days, asked.days_per_query or days)
    return await _by_days(send, piece, days, asked)


def _without(piece: Question, error: OutboundError) -> list[Question]:
    """What is asked beside the catalogue's numbers, asked alone, then measure by measure; at last it is left out.

    Raises the error when the catalogue's own numbers are what PostHog does not answer.
    """
    own = tuple(part for part in piece.families if part not in BESIDE)
    beside = [part for part in piece.families if part in BESIDE]
    if not beside:
        raise error
    if len(piece.families) > 1:
        return ([piece.only(*own)] if own else []) + [piece.only(part) for part in beside]
    if beside == ["measure"] and len(piece.measures) > 1:
        middle = len(piece.measures) // 2
        return [replace(piece, measures=half) for half in (piece.measures[:middle], piece.measures[middle:])]
    left_out = [measure.id for measure in piece.measured]
    log().warning("sync.left_out", part=beside[0], measures=left_out, code=error.code, detail=error.detail)
    return []


def _split_by_family(question: Question) -> list[Question]:
    return [question.only(family) for family in question.families]


def _spans(piece: Question) -> list[Span]:
    if piece.families[0] in HEAVY:
        return [piece.heavy or piece.window]
    return [piece.window] + ([piece.again] if piece.again else [])


async def _by_days(send: Asker, piece: Question, days: int, asked: Asked) -> list[Question]:
    """The same question in spans of at most `days`; the ranking, asked once, is then given as names."""
    if piece.families == ("arrivals",) or (all(span.length <= days for span in _spans(piece)) and piece.again is None):
        return [piece]
    for family in _RANKED:
        if not piece.rank or family not in piece.families:
            continue
        try:
            piece = await _ranked(send, piece, family, days, asked)
        except OutboundError as error:
            if family != "measure" or not (_too_much(error) or error.code == "query_invalid"):
                raise
            rest = piece.only(*(part for part in piece.families if part != "measure"))
            pieces = [rest, *_without(piece.only("measure"), error)]
            return [less for each in pieces if each.families for less in await _by_days(send, each, days, asked)]
    if any(family in _RANKED for family in piece.families):
        piece = replace(piece, rank=False)
    light = [span for whole in [piece.window] + ([piece.again] if piece.again else []) for span in _cut(whole, days)]
    heavy = _cut(piece.heavy, days) if piece.heavy else []
    lights = tuple(part for part in piece.families if part in LIGHT or part == "measure")
    heavies = tuple(part for part in piece.families if part in HEAVY)
    pieces = [replace(piece, families=lights, window=span, again=None) for span in light if lights]
    pieces += [replace(piece, families=heavies, heavy=span) for span in heavy if heavies]
    return pieces + ([piece.only("arrivals")] if "arrivals" in piece.families else [])


def _cut(span: Span, days: int) -> list[Span]:
    if span.length <= days:
        return [span]
    older, newer = span.halves()
    return _cut(older, days) + _cut(newer, days)


async def _ranked(send: Asker, piece: Question, family: Family, days: int, asked: Asked) -> Question:
    """Count names span by span and add up: exact for events and flags, because every span lists all of its names.

    Of a measure's breakdown each span lists its most frequent values, which decide it.
    """
    times: Counter[str] = Counter()
    if family == "measure" and all(measure.by is None for measure in piece.measures):
        return piece
    waiting = _cut(piece.ranked, days)
    while waiting:
        span = waiting.pop(0)
        answer = await send(ranking.text_of(family, piece), ranking.values_of(family, piece, span))
        try:
            times.update(answers.ranked(answer.columns, answer.rows, has_more=answer.has_more))
        except AnswerCutError:
            if span.length == 1:
                raise
            waiting = [*span.halves(), *waiting]
    top = sorted(times.items(), key=lambda item: (-item[1], item[0]))
    if family == "event":
        best = dict(top[:TOP_EVENTS])
        asked.facts.events.update(best)
        return replace(piece, names=tuple(dict.fromkeys((*piece.names, *best))))
    if family == "measure":
        return _with_parts(piece, top, asked)
    best = dict(top[:TOP_FLAGS])
    asked.facts.flags.update(best)
    return replace(piece, flags=tuple(dict.fromkeys((*piece.flags, *best))))


def _with_parts(piece: Question, top: Sequence[tuple[str, int]], asked: Asked) -> Question:
    """The measures' most frequent values, from series and how often, most frequent first."""
    parts = dict(piece.parts)
    for measure in piece.measures:
        series = measure.series("")
        mine = [(name, times) for name, times in top if measure.by is not None and name.startswith(series)]
        best = dict(mine[:MOST_VALUES])
        asked.facts.parts.update(best)
        found = (name.removeprefix(series) for name in best)
        parts[measure.id] = tuple(dict.fromkeys((*parts.get(measure.id, ()), *found)))
    return replace(piece, parts=parts)
