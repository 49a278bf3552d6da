"""The rankings asked alone, for when the combined query is too heavy: names and how often, most frequent first. Pure."""
# ruff: noqa: S608 - the text is made of our own words; what users name travels as values

from __future__ import annotations

from functions.sync.hogql import CALLED, FLAG_KEY, Question, epochs
from functions.sync.windows import Span
from hedgerow import measure_hogql
from hedgerow.catalogue import Family
from hedgerow.measure_hogql import END_METRIC, IN_RANK, LIMIT
from hedgerow.months import QueryValue


def text_of(family: Family, question: Question) -> str:
    """The HogQL that ranks the names of a family: events, flags, or the values of the measures' breakdowns."""
    arms = measure_hogql.rank_arms(question.measures) if family == "measure" else [_arm(family)]
    arms.append(f"select '{END_METRIC}' as name, 0 as times")
    union = "\nunion all\n".join(f"{arm} limit {LIMIT}" for arm in arms)
    return f"select name, times from (\n{union}\n) order by times desc, name asc limit {LIMIT}"


def values_of(family: Family, question: Question, span: Span) -> dict[str, QueryValue]:
    """The values of `text_of` for a span of days."""
    begin, end = epochs(span, question.zone)
    known: dict[str, QueryValue] = {"rank_from": begin, "rank_to": end}
    if family == "measure":
        text = text_of(family, question)
        told = measure_hogql.values(question.measures, {})
        known |= {name: value for name, value in told.items() if f"{{{name}}}" in text}
    return known


def _arm(family: Family) -> str:
    name, condition = ("event", "event != ''") if family == "event" else (FLAG_KEY, CALLED)
    return f"select {name} as name, count() as times from events where {IN_RANK} and {condition} group by name"
