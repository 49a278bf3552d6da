"""Selects, unions and joins: sources become subqueries of ClickHouse, names are resolved in order.

Refuses the clauses whose meaning on PostHog this engine cannot give (SAMPLE, PIVOT, recursion).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.posthog.engine import identifier
from local.posthog.errors import QueryError
from local.posthog.hogql_kinds import INT, UNKNOWN, Kind, Printed
from local.posthog.hogql_parse import Node
from local.posthog.hogql_scope import Scope, Source
from local.posthog.hogql_tables import TABLES

if TYPE_CHECKING:
    from local.posthog.hogql_print import Printer

_JOINS = frozenset(
    f"{side}{strict}JOIN".strip()
    for side in ("", "INNER ", "LEFT ", "RIGHT ", "FULL ", "LEFT OUTER ", "FULL OUTER ", "CROSS ")
    for strict in ("", "ANY ", "ALL ", "ASOF ", "SEMI ", "ANTI ", "OUTER ")
) | {"ASOF INNER JOIN", "ASOF LEFT JOIN", "ANY INNER JOIN", "RIGHT OUTER JOIN", "ANTI LEFT JOIN"}
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
    joins = _sources(printer, node, scope)
    array_join = _array_join(printer, node, scope)
    columns = _columns(printer, node, scope, text)
    clauses = _clauses(printer, node, scope)
    distinct = "DISTINCT " if node.flag("distinct") else ""
    sql = f"SELECT {distinct}{', '.join(columns.parts)}"
    if joins:
        # Last, because only now is it known what each table was asked for.
        sql += " FROM " + " ".join(_joined(printer, source, join) for source, join in joins)
    return PrintedSelect(" ".join([sql, *array_join, *clauses]), columns.named)


def _take_ctes(node: Node, scope: Scope) -> None:
    for cte in node.nodes("ctes"):
        if cte.flag("recursive"):
            raise QueryError("Recursive CTEs are not supported by the local PostHog")
        if cte.value("columns"):
            raise QueryError("CTEs with a column list are not supported by the local PostHog")
        held = scope.subqueries if cte.text("cte_type") == "subquery" else scope.expressions
        held[cte.text("name")] = cte.node("expr")


def _sources(printer: "Printer", node: Node, scope: Scope) -> list[tuple[Source, str | None]]:
    """Each source with the words that join it to those before; None for the first."""
    joins: list[tuple[Source, str | None]] = []
    part = node.optional("select_from")
    constraints: list[tuple[int, Node]] = []
    while part is not None:
        if part.has("sample"):
            raise QueryError("SAMPLE is not supported by the local PostHog")
        if part.value("column_aliases"):
            raise QueryError("Column aliases of a table are not supported by the local PostHog")
        source = _source(printer, part, scope)
        if any(source.alias == known.alias for known in scope.sources):
            raise QueryError(
                f'Already have joined a table called "{source.alias}". Can\'t join another one with the same name.'
            )
        scope.sources.append(source)
        joins.append((source, _join_words(part) if joins else None))
        constraint = part.optional("constraint")
        if constraint is not None:
            constraints.append((len(joins) - 1, constraint))
        part = part.optional("next_join")
    for index, constraint in constraints:
        source, words = joins[index]
        joins[index] = source, f"{words}\n{_constraint(printer, constraint, scope)}"
    return joins


def _join_words(part: Node) -> str:
    words = part.text("join_type")
    if words not in _JOINS:
        raise QueryError(f"{words} is not supported by the local PostHog")
    return words


def _constraint(printer: "Printer", node: Node, scope: Scope) -> str:
    expression = node.node("expr")
    if node.text("constraint_type") == "USING":
        fields = expression.nodes("exprs") if expression.kind == "Tuple" else [expression]
        return f"USING ({', '.join(identifier(part.chain()[-1]) for part in fields)})"
    scope.in_join = True
    sql = printer.expression(expression, scope).sql
    scope.in_join = False
    return f"ON {sql}"


def _source(printer: "Printer", part: Node, scope: Scope) -> Source:
    table = part.node("table")
    if table.kind in ("SelectQuery", "SelectSetQuery"):
        inner = query(printer, table, scope.parent_for_subquery())
        return Source(
            part.text("alias") if part.has("alias") else _unnamed(scope), dict(inner.columns), sql=f"({inner.sql})"
        )
    if table.kind != "Field":
        raise QueryError(f"{table.kind} is not supported by the local PostHog")
    chain = table.chain()
    alias = part.text("alias") if part.has("alias") else chain[-1]
    if chain == ["numbers"]:
        listed = [printer.expression(n, scope).sql for n in part.nodes("table_args")]
        if len(listed) not in (1, 2):
            raise QueryError("Table function 'numbers' requires 1 or 2 arguments")
        return Source(alias, {"number": INT}, sql=f"numbers({', '.join(listed)})")
    named = scope.subquery(chain[0]) if len(chain) == 1 else None
    if named is not None:
        inner = query(printer, named[0], _without(named[1], chain[0]))
        return Source(alias, dict(inner.columns), sql=f"({inner.sql})")
    known = TABLES.get(".".join(chain))
    if known is None or part.has("table_args"):
        raise QueryError(f"Unknown table `{'.'.join(chain)}`.")
    return Source(alias, known.columns, table=known)


def _without(scope: Scope, name: str) -> Scope:
    """The scope a CTE is printed in: itself out of sight, so that a table of its name is meant."""
    others = {key: value for key, value in scope.subqueries.items() if key != name}
    return Scope(parent=scope.parent, subqueries=others, expressions=scope.expressions)


def _unnamed(scope: Scope) -> str:
    return f"subquery_{len(scope.sources) + 1}"


def _joined(printer: "Printer", source: Source, words: str | None) -> str:
    sql = source.sql
    if source.table is not None:
        sql = f"({source.table.subquery(printer.place, frozenset(source.needs))})"
    named = f"{sql} AS {identifier(source.alias)}"
    if words is None:
        return named
    join, _, constraint = words.partition("\n")
    return f"{join} {named} {constraint}".rstrip()


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
