"""The metric sync reads aggregates only: an allow-list over every query it can build, by PostHog's own parser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import get_args
from zlib import crc32

import pytest

from functions.sync import hogql, ranking, rezoning
from functions.sync.hogql import HEAVY, LIGHT, Question
from functions.sync.windows import Span
from hedgerow.catalogue import METRICS
from hedgerow.measures import Filter, Math, Measure
from local.posthog import hogql_parse

TABLES = {"events"}
COLUMNS = {
    "event",
    "timestamp",
    "person_id",
    "$session_id",
    "properties.$feature_flag",
    "properties.$feature_flag_response",
    # For measures alone: the properties their rules name, as numbers, filters and breakdowns.
    "properties",
    # For lateness alone.
    "created_at",
}
FUNCTIONS = {
    *("toDate", "toTimeZone", "toFloat", "toString", "fromUnixTimestamp", "addDays", "dateDiff", "range", "concat"),
    *("count", "countIf", "uniqExact", "uniqExactIf", "min", "max", "sum", "groupUniqArray"),
    *("arrayJoin", "arrayFilter", "arraySort", "arrayEnumerate", "tuple", "ifNull"),
    *("intDiv", "toUnixTimestamp", "length", "abs", "avg", "quantile", "if"),
}
# Names the queries give themselves; none is a column of PostHog's.
ALIASES = {"day", "metric", "value", "pair", "session", "began", "lasted", "times", "flag", "variant", "person"}
ALIASES |= {"ahead", "active", "d", "i", "name", "events", "first", "ended", "seen", "pair.1", "pair.2"}
ALIASES |= {"place", "part", "number", "at", "late", "took", "newest", *(f"late{place}" for place in range(4))}
ALIASES |= {metric.name for metric in METRICS}
MEASURES = tuple(
    Measure(event=event, where=where, math=math, of=None if math in ("count", "persons") else "n", by=by, hourly=True)
    for math in get_args(Math)
    for event, by, where in (
        (None, None, ()),
        ("paid", "currency", (Filter(property="plan", values=("pro", 2, 2.5, True)),)),
    )
)
SPAN = Span(date(2026, 10, 1), date(2026, 10, 30))


def every_query() -> Iterator[str]:
    """A text is its families' arms in a row: each arm once, and the two combinations that runs send."""
    alone = [(family,) for family in LIGHT + HEAVY]
    for families in (*alone, LIGHT, LIGHT + HEAVY):
        for rank in (True, False):
            yield hogql.text_of(Question(families, "UTC", SPAN, SPAN, SPAN, SPAN, rank=rank))
    for rank in (True, False):
        yield hogql.text_of(Question(("measure",), "UTC", SPAN, SPAN, SPAN, SPAN, rank=rank, measures=MEASURES))
    yield hogql.text_of(Question(("arrivals",), "UTC", SPAN, None, None, SPAN))
    for family in ("event", "flag", "measure"):
        yield ranking.text_of(family, Question((), "UTC", SPAN, None, None, SPAN, measures=MEASURES))
    yield rezoning.FIRST_EVENT


def inside(placeholder: dict[str, object]) -> Iterator[str]:
    for node in hogql_parse.walk(placeholder):
        if node["node"] == "Field":
            yield ".".join(map(str, node["chain"]))


def read_by(query: str) -> tuple[set[str], set[str], set[str]]:
    """Tables, columns and functions of a query."""
    tables: set[str] = set()
    columns: set[str] = set()
    functions: set[str] = set()
    tree = hogql_parse.parse_select(query).raw
    # The parser gives a placeholder as a node with the field it names inside.
    placeholders = {
        str(name) for node in hogql_parse.walk(tree) if node["node"] == "Placeholder" for name in inside(node)
    }
    sources = [node["table"] for node in hogql_parse.walk(tree) if node["node"] == "JoinExpr"]
    for source in sources:
        assert isinstance(source, dict)
        if source["node"] == "Field":
            tables.add(".".join(map(str, source["chain"])))
    for node in hogql_parse.walk(tree):
        if node["node"] == "Call":
            functions.add(str(node["name"]))
        if node["node"] == "Field" and node not in sources:
            chain = node["chain"]
            assert isinstance(chain, list)
            columns.add(".".join(map(str, chain)))
    return tables, columns - ALIASES - placeholders, functions


@pytest.mark.parametrize("query", list(every_query()), ids=lambda query: f"{crc32(query.encode()):08x}")
def test_every_query_reads_allowed_tables_columns_and_functions_only(query: str) -> None:
    tables, columns, functions = read_by(query)
    assert tables <= TABLES
    assert columns <= COLUMNS
    assert functions <= FUNCTIONS


def test_the_reader_sees_what_is_read() -> None:
    tables, columns, functions = read_by("select properties.email, lower(distinct_id) from persons limit 1")
    assert (tables, columns, functions) == ({"persons"}, {"properties.email", "distinct_id"}, {"lower"})


def test_no_query_returns_a_person_or_an_event() -> None:
    for query in every_query():
        assert query.startswith(
            ("select day, metric, value from", "select name, times from", "select count() as events")
        )
