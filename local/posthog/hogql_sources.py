"""What stands in a FROM: tables, subqueries, CTEs and the joins between them.

Refuses what this engine would have to guess: samples, recursion, tables PostHog keeps and it does not.
"""

from typing import TYPE_CHECKING

from local.posthog import hogql_select
from local.posthog.engine import identifier
from local.posthog.errors import QueryError
from local.posthog.hogql_kinds import INT
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


def sources(printer: "Printer", node: Node, scope: Scope) -> list[tuple[Source, str | None]]:
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
        inner = hogql_select.query(printer, table, scope.parent_for_subquery())
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
        inner = hogql_select.query(printer, named[0], _without(named[1], chain[0]))
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


def joined(printer: "Printer", source: Source, words: str | None) -> str:
    """A source as it stands after FROM, asked for no more than the query has named by now."""
    sql = source.sql
    if source.table is not None:
        sql = f"({source.table.subquery(printer.place, frozenset(source.needs))})"
    named = f"{sql} AS {identifier(source.alias)}"
    if words is None:
        return named
    join, _, constraint = words.partition("\n")
    return f"{join} {named} {constraint}".rstrip()
