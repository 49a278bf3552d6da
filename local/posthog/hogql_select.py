"""Selects, unions and joins: sources become subqueries of ClickHouse, names are resolved in order.

Refuses the clauses whose meaning on PostHog this engine cannot give (SAMPLE, PIVOT, recursion).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.posthog import hogql_sources
from local.posthog.engine import identifier
from local.posthog.errors import QueryError
from local.posthog.hogql_kinds import UNKNOWN, Kind, Printed
from local.posthog.hogql_parse import Node
from local.posthog.hogql_scope import Scope, Source

if TYPE_CHECKING:
    from local.posthog.hogql_print import Printer


_SET_OPERATORS = frozenset(
    ["UNION ALL", "UNION DISTINCT", "INTERSECT", "INTERSECT DISTINCT", "EXCEPT", "EXCEPT DISTINCT"]
)
_GROUPINGS = {"rollup": "ROLLUP", "cube": "CUBE"}


@dataclass(frozen=True, slots=True)
class PrintedSelect:
    """A query as SQL, and the names and types of its columns."""

    sql: str
    columns: list[tuple[str, Kind]]


@dataclass(slots=True)
class Columns:
    """The select list as it is printed: expressions, names, types."""

    parts: list[str] = field(default_factory=list)
    named: list[tuple[str, Kind]] = field(default_factory=list)


def query(printer: "Printer", node: Node, outer: Scope | None, *, text: str | None = None) -> PrintedSelect:
    """A select or a set of selects. `text` is the source, for naming unnamed columns."""
    if node.kind == "SelectSetQuery":
        return _set(printer, node, outer, text)
    if node.kind != "SelectQuery":
        raise QueryError(f"{node.kind} cannot stand where a query is expected")
    return _select(printer, node, outer, text)


def order(printer: "Printer", node: Node, scope: Scope) -> str:
    """One part of an ORDER BY."""
    sql = printer.expression(node.node("expr"), scope).sql
    sql += " DESC" if node.text("order") == "DESC" else " ASC"
    fill = node.optional("with_fill")
    if fill is not None:
        sql += " WITH FILL"
        for word in ("from", "to", "step"):
            bound = fill.optional(f"{word}_value") or fill.optional(word)
            if bound is not None:
                sql += f" {word.upper()} {printer.expression(bound, scope).sql}"
    return sql


def _set(printer: "Printer", node: Node, outer: Scope | None, text: str | None) -> PrintedSelect:
    # CTEs written before the first arm hold for the arms after it as well.
    first = node.node("initial_select_query")
    shared = Scope(parent=outer)
    if first.kind == "SelectQuery":
        _take_ctes(first, shared)
    head = query(printer, first, shared, text=text)
    sql = f"({head.sql})"
    for part in node.nodes("subsequent_select_queries"):
        operator = part.text("set_operator")
        if operator not in _SET_OPERATORS:
            raise QueryError(f"{operator} is not supported by the local PostHog")
        arm = query(printer, part.node("select_query"), shared, text=text)
        if len(arm.columns) != len(head.columns):
            raise QueryError("All arms of a union need the same number of columns")
        sql += f" {operator} ({arm.sql})"
    kinds = [(name, kind) for name, kind in head.columns]
    limit = node.optional("limit")
    if limit is not None or node.nodes("order_by"):
        scope = Scope(sources=[Source("arms", dict(kinds))])
        ordered = [order(printer, part, scope) for part in node.nodes("order_by")]
        sql = f"SELECT * FROM ({sql}) AS arms"
        sql += f" ORDER BY {', '.join(ordered)}" if ordered else ""
        sql += f" LIMIT {printer.expression(limit, scope).sql}" if limit is not None else ""
    # Arms may differ in nullability and width, so a union's types are not taken as certain.
    return PrintedSelect(sql, [(name, _loosened(kind)) for name, kind in kinds])


def _loosened(kind: Kind) -> Kind:
    return kind.maybe() if kind.name in ("string", "date", "datetime", "uuid") else UNKNOWN


def _select(printer: "Printer", node: Node, outer: Scope | None, text: str | None) -> PrintedSelect:
    scope = Scope(parent=outer)
    _take_ctes(node, scope)
    joins = hogql_sources.sources(printer, node, scope)
    array_join = _array_join(printer, node, scope)
    columns = _columns(printer, node, scope, text)
    clauses = _clauses(printer, node, scope)
    distinct = "DISTINCT " if node.flag("distinct") else ""
    sql = f"SELECT {distinct}{', '.join(columns.parts)}"
    if joins:
        # Last, because only now is it known what each table was asked for.
        sql += " FROM " + " ".join(hogql_sources.joined(printer, source, join) for source, join in joins)
    return PrintedSelect(" ".join([sql, *array_join, *clauses]), columns.named)


def _take_ctes(node: Node, scope: Scope) -> None:
    for cte in node.nodes("ctes"):
        if cte.flag("recursive"):
            raise QueryError("Recursive CTEs are not supported by the local PostHog")
        if cte.value("columns"):
            raise QueryError("CTEs with a column list are not supported by the local PostHog")
        held = scope.subqueries if cte.text("cte_type") == "subquery" else scope.expressions
        held[cte.text("name")] = cte.node("expr")


def _array_join(printer: "Printer", node: Node, scope: Scope) -> list[str]:
    if not node.nodes("array_join_list"):
        return []
    parts = []
    for part in node.nodes("array_join_list"):
        printed = printer.expression(part, scope)
        if part.kind == "Alias":
            scope.aliases[part.text("alias")] = printed.kind.element
        parts.append(printed.sql)
    return [f"{node.text('array_join_op')} {', '.join(parts)}"]


def _columns(printer: "Printer", node: Node, scope: Scope, text: str | None) -> Columns:
    columns = Columns()
    for part in node.nodes("select"):
        if part.kind == "Field" and part.chain()[-1] == "*":
            _expand(printer, part.chain()[:-1], scope, columns)
            continue
        printed = printer.expression(part, scope)
        name = column_name(part, text)
        shown = printed.sql
        taken = name in scope.aliases or name in [known for known, _ in columns.named]
        if part.kind != "Alias" and not taken:
            shown = f"{printed.sql} AS {identifier(name)}"
        columns.parts.append(shown)
        columns.named.append((name, printed.kind))
    return columns


def _expand(printer: "Printer", chain: list[str], scope: Scope, columns: Columns) -> None:
    sources = [source for source in scope.sources if not chain or source.alias == chain[0]]
    if not sources:
        raise QueryError("Cannot use '*' without a table")
    for source in sources:
        for name in source.columns:
            if name in [known for known, _ in columns.named]:
                continue
            field_node = Node({"node": "Field", "chain": [source.alias, name]})
            printed = printer.expression(field_node, scope)
            columns.parts.append(f"{printed.sql} AS {identifier(name)}")
            columns.named.append((name, printed.kind))


def column_name(node: Node, text: str | None) -> str:
    """What a column is called: its alias, the last part of a field, else its own text."""
    if node.kind == "Alias":
        return node.text("alias")
    if node.kind == "Field":
        return node.chain()[-1]
    if text is not None and node.span is not None:
        start, end = node.span
        return " ".join(text[start:end].split())
    return f"{node.kind.lower()}_{node.span[0] if node.span else 0}"


def _clauses(printer: "Printer", node: Node, scope: Scope) -> list[str]:
    """Everything after FROM, in ClickHouse's order."""
    clauses = []
    for name in ("prewhere", "where"):
        condition = node.optional(name)
        if condition is not None:
            # Read through subqueries, so a PREWHERE can only be a WHERE.
            clauses.append((name, printer.expression(condition, scope).sql))
    sql = [f"WHERE {' AND '.join(f'({c})' for _, c in clauses)}"] if clauses else []
    sql += _group_by(printer, node, scope)
    for name in ("having", "qualify"):
        condition = node.optional(name)
        if condition is not None:
            sql.append(f"{name.upper()} {printer.expression(condition, scope).sql}")
    windows = node.value("window_exprs") or {}
    if windows:
        named = (f"{identifier(name)} AS ({printer.window(Node(window), scope)})" for name, window in windows.items())
        position = len(sql) - 1 if node.has("qualify") else len(sql)
        sql.insert(position, f"WINDOW {', '.join(named)}")
    if node.nodes("order_by"):
        sql.append(f"ORDER BY {', '.join(order(printer, p, scope) for p in node.nodes('order_by'))}")
    by = node.optional("limit_by")
    if by is not None:
        listed = ", ".join(printer.expression(part, scope).sql for part in by.nodes("exprs"))
        sql.append(f"LIMIT {printer.expression(by.node('n'), scope).sql} BY {listed}")
    limit = node.optional("limit")
    if limit is not None:
        ties = " WITH TIES" if node.flag("limit_with_ties") else ""
        sql.append(f"LIMIT {printer.expression(limit, scope).sql}{ties}")
    return sql


def _group_by(printer: "Printer", node: Node, scope: Scope) -> list[str]:
    mode = node.value("group_by_mode")
    if mode == "all":
        return ["GROUP BY ALL"]
    if not node.nodes("group_by"):
        return []
    if mode is not None and mode not in _GROUPINGS:
        raise QueryError(f"GROUP BY {mode} is not supported by the local PostHog")
    listed = ", ".join(_key(printer, part, scope).sql for part in node.nodes("group_by"))
    return [f"GROUP BY {_GROUPINGS[mode]}({listed})" if mode else f"GROUP BY {listed}"]


def _key(printer: "Printer", node: Node, scope: Scope) -> Printed:
    return printer.expression(node, scope)
