"""One HogQL query to one ClickHouse statement, with the limits PostHog puts on personal keys.

A query without LIMIT gets 100 rows and is told whether there are more; a larger LIMIT than
50,000 is lowered without a word; OFFSET is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.posthog import hogql_placeholders, hogql_select
from local.posthog.definitions import PropertyOwner
from local.posthog.errors import QueryError
from local.posthog.hogql_parse import Node, parse_select
from local.posthog.hogql_print import Printer
from local.posthog.hogql_scope import Reading
from local.posthog.hogql_tables import Place

DEFAULT_LIMIT = 100
MOST_ROWS = 50_000
OFFSET_REFUSED = (
    "OFFSET is not supported on queries made with a personal API key. For pagination, use keyset "
    "pagination on the `timestamp` column, e.g. `WHERE timestamp > :last_seen_timestamp ORDER BY "
    "timestamp LIMIT N`. For bulk data extraction, use batch exports: "
    "https://posthog.com/docs/cdp/batch-exports"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A HogQLQuery as it came in; `clamp` is a fault that lowers every LIMIT to that many rows."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    filters: dict[str, Any] | None = None
    converts_zone: bool = True
    clamp: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What the project brings: where its rows are, its zone, its property types, its clock."""

    place: Place
    zone: str
    property_types: Mapping[tuple[PropertyOwner, str], str]
    now: datetime
    week_starts_on_monday: bool = False


@dataclass(frozen=True, slots=True)
class Translation:
    """The statement, its column names, and the page size if the server chose it."""

    sql: str
    columns: list[str]
    page: int | None


def translate(question: Question, setting: Setting) -> Translation:
    """Print a query; raises QueryError for whatever PostHog, or this engine, refuses."""
    tree = parse_select(question.text)
    if hogql_placeholders.has_offset(tree):
        raise QueryError(OFFSET_REFUSED)
    tree = hogql_placeholders.fill(
        tree,
        question.values,
        question.variables,
        question.filters,
        now=setting.now,
        zone=setting.zone,
    )
    page = min(DEFAULT_LIMIT, question.clamp or DEFAULT_LIMIT) if _is_open(tree) else None
    limited = _limited(tree, page, min(MOST_ROWS, question.clamp or MOST_ROWS))
    printer = Printer(
        place=setting.place,
        reading=Reading(setting.zone, question.converts_zone, setting.property_types),
        now=setting.now,
        week_starts_on_monday=setting.week_starts_on_monday,
    )
    printed = hogql_select.query(printer, limited, None, text=question.text)
    return Translation(printed.sql, [name for name, _ in printed.columns], page)


def _is_open(tree: Node) -> bool:
    return tree.kind == "SelectQuery" and not tree.has("limit")


def _limited(tree: Node, page: int | None, most: int) -> Node:
    """The tree with PostHog's limits: on the outermost select, in a union on every arm."""
    if tree.kind == "SelectSetQuery":
        first = _limited(tree.node("initial_select_query"), None, most)
        rest = [
            {**part.raw, "select_query": _limited(part.node("select_query"), None, most).raw}
            for part in tree.nodes("subsequent_select_queries")
        ]
        changed = {**tree.raw, "initial_select_query": first.raw}
        changed["subsequent_select_queries"] = rest
        if tree.has("limit"):
            changed["limit"] = _lowered(tree.node("limit"), most)
        return Node(changed)
    if page is not None:
        # One row more than the page, to know whether there are more.
        return Node({**tree.raw, "limit": _constant(page + 1)})
    if not tree.has("limit"):
        return Node({**tree.raw, "limit": _constant(min(DEFAULT_LIMIT, most))})
    return Node({**tree.raw, "limit": _lowered(tree.node("limit"), most)})


def _lowered(limit: Node, most: int) -> dict[str, Any]:
    if limit.kind == "Constant" and isinstance(limit.value(), int):
        return _constant(min(int(limit.value()), most))
    return {"node": "Call", "name": "min2", "args": [_constant(most), limit.raw]}


def _constant(value: int) -> dict[str, Any]:
    return {"node": "Constant", "value": value}
