"""Asking PostHog for what a run needs: one round trip, or fewer families and days at a time where that is too heavy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from functions.sync import answers
from functions.sync.answers import AnswerCutError, Facts
from functions.sync.hogql import HEAVY, LIGHT, Question, rank_text, rank_values, text_of, values_of
from functions.sync.windows import Ask, Span
from hedgerow.catalogue import TOP_EVENTS, TOP_FLAGS, Family
from hedgerow.errors import OutboundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

QUERY_NAME = "hedgerow metric sync"


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
    """

    facts: Facts
    questions: list[Question] = field(default_factory=list)
    timezone: str | None = None
    by_family: bool = False
    days_per_query: int | None = None


def question_of(ask: Ask, names: tuple[str, ...], flags: tuple[str, ...], new_users_days: int) -> Question:
    """The combined question of an ask."""
    return Question(
        families=LIGHT + (HEAVY if ask.heavy else ()),
        zone=ask.zone,
        window=ask.window,
        again=ask.again,
        heavy=ask.heavy,
        ranked=ask.ranked,
        names=names,
        flags=flags,
        new_users_days=new_users_days,
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
            if not _too_much(error):
                raise
            waiting = await _smaller(send, piece, asked, error) + waiting
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
    longest = max(span.length for span in _spans(piece))
    if longest == 1 and (piece.again is None or piece.families[0] in HEAVY):
        raise error
    days = max(1, longest // 2)
    asked.days_per_query = min(days, asked.days_per_query or days)
    return await _by_days(send, piece, days, asked)


def _split_by_family(question: Question) -> list[Question]:
    return [question.only(family) for family in question.families]


def _spans(piece: Question) -> list[Span]:
    if piece.families[0] in HEAVY:
        return [piece.heavy or piece.window]
    return [piece.window] + ([piece.again] if piece.again else [])


async def _by_days(send: Asker, piece: Question, days: int, asked: Asked) -> list[Question]:
    """The same question in spans of at most `days`; the ranking, asked once, is then given as names."""
    if all(span.length <= days for span in _spans(piece)) and piece.again is None:
        return [piece]
    for family in piece.families:
        if piece.rank and family in ("event", "flag"):
            piece = await _ranked(send, piece, family, days, asked)
    if any(family in ("event", "flag") for family in piece.families):
        piece = replace(piece, rank=False)
    light = [span for whole in [piece.window] + ([piece.again] if piece.again else []) for span in _cut(whole, days)]
    heavy = _cut(piece.heavy, days) if piece.heavy else []
    lights = tuple(family for family in piece.families if family in LIGHT)
    heavies = tuple(family for family in piece.families if family in HEAVY)
    pieces = [replace(piece, families=lights, window=span, again=None) for span in light if lights]
    return pieces + [replace(piece, families=heavies, heavy=span) for span in heavy if heavies]


def _cut(span: Span, days: int) -> list[Span]:
    if span.length <= days:
        return [span]
    older, newer = span.halves()
    return _cut(older, days) + _cut(newer, days)


async def _ranked(send: Asker, piece: Question, family: Family, days: int, asked: Asked) -> Question:
    """Count names span by span and add up: exact, because every span lists all of its names."""
    times: Counter[str] = Counter()
    waiting = _cut(piece.ranked, days)
    while waiting:
        span = waiting.pop(0)
        answer = await send(rank_text(family), rank_values(span, piece.zone))
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
    best = dict(top[:TOP_FLAGS])
    asked.facts.flags.update(best)
    return replace(piece, flags=tuple(dict.fromkeys((*piece.flags, *best))))
