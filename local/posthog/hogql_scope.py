"""Which names a select may use: the columns of its sources, its aliases, lambda arguments, CTEs.

Refuses a name that leads nowhere, or to two places, as PostHog does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from local.posthog.definitions import PropertyOwner
from local.posthog.engine import identifier, literal
from local.posthog.errors import QueryError
from local.posthog.hogql_kinds import JSON, STRING, UNKNOWN, Kind, Printed
from local.posthog.hogql_parse import Node
from local.posthog.hogql_tables import EVENT_PERSON, NEEDS_PERSON, NEEDS_SESSION, SESSIONS, Table


@dataclass(slots=True)
class Source:
    """Something in a FROM: a table, or a subquery already printed."""

    alias: str
    columns: dict[str, Kind]
    sql: str | None = None
    table: Table | None = None
    needs: set[str] = field(default_factory=set)

    def column(self, name: str) -> str:
        return f"{identifier(self.alias)}.{identifier(name)}"


@dataclass(slots=True)
class Scope:
    """The names of one select, and through `parent` those of the selects around it."""

    parent: "Scope | None" = None
    sources: list[Source] = field(default_factory=list)
    aliases: dict[str, Kind] = field(default_factory=dict)
    arguments: dict[str, Kind] = field(default_factory=dict)
    subqueries: dict[str, Node] = field(default_factory=dict)
    expressions: dict[str, Node] = field(default_factory=dict)
    is_lambda: bool = False
    in_join: bool = False

    def parent_for_subquery(self) -> "Scope":
        """A scope that passes CTEs on to a subquery, and nothing else."""
        return Scope(parent=self.parent, subqueries=self.subqueries, expressions=self.expressions)

    def subquery(self, name: str) -> "tuple[Node, Scope] | None":
        """The CTE of that name, and the scope it was written in."""
        if name in self.subqueries:
            return self.subqueries[name], self
        return self.parent.subquery(name) if self.parent else None

    def expression(self, name: str) -> Node | None:
        if name in self.expressions:
            return self.expressions[name]
        return self.parent.expression(name) if self.parent else None


@dataclass(frozen=True, slots=True)
class Reading:
    """How columns are read: the project's zone, if it is applied, and the properties' types."""

    zone: str
    converts_zone: bool
    property_types: Mapping[tuple[PropertyOwner, str], str]


def field_of(chain: list[str], scope: Scope, reading: Reading) -> Printed | None:
    """A name's ClickHouse form, or None if no source, alias or argument has it."""
    inner: Scope | None = scope
    while inner is not None:
        if chain[0] in inner.arguments:
            return _inside(Printed(identifier(chain[0]), inner.arguments[chain[0]]), chain[1:], reading)
        if not inner.is_lambda:
            break
        inner = inner.parent
    if inner is None:
        return None
    if chain[0] in inner.aliases:
        return _inside(Printed(identifier(chain[0]), inner.aliases[chain[0]]), chain[1:], reading)
    return _of_source(chain, inner, reading)


def _of_source(chain: list[str], scope: Scope, reading: Reading) -> Printed | None:
    if len(chain) > 1:
        for source in scope.sources:
            if source.alias == chain[0] and chain[0] not in _columns_named(chain[0], scope):
                found = _column(source, chain[1:], reading)
                if found is not None:
                    return found
    having = [source for source in scope.sources if _column(source, chain, reading) is not None]
    if len(having) > 1:
        raise QueryError(f"Ambiguous query. Found multiple sources for field: {chain[0]}")
    return _column(having[0], chain, reading) if having else None


def _columns_named(name: str, scope: Scope) -> list[str]:
    return [name for source in scope.sources if name in source.columns and source.table is None]


def _column(source: Source, chain: list[str], reading: Reading) -> Printed | None:
    name, rest = chain[0], chain[1:]
    table = source.table.name if source.table else ""
    if table == "events" and name == "person" and rest:
        return _person_of_event(source, rest, reading)
    if table == "events" and name == "session" and rest and rest[0] in SESSIONS:
        source.needs.add(NEEDS_SESSION)
        return _read(source.column(f"session.{rest[0]}"), SESSIONS[rest[0]], rest[1:], "", reading)
    kind = source.columns.get(name)
    if kind is None:
        return None
    if table == "events" and name == "person_id":
        source.needs.add(NEEDS_PERSON)
    owner = {"events": "event", "persons": "person", "groups": "group"}.get(table, "")
    if source.table is None:
        return _inside(Printed(source.column(name), kind), rest, reading)
    return _read(source.column(name), kind, rest, owner, reading)


def _person_of_event(source: Source, chain: list[str], reading: Reading) -> Printed | None:
    name, rest = chain[0], chain[1:]
    if name not in EVENT_PERSON:
        return None
    if name == "id":
        source.needs.add(NEEDS_PERSON)
    column = source.column(f"person_{name}")
    return _read(column, EVENT_PERSON[name], rest, "person", reading)


def _read(column: str, kind: Kind, rest: list[str], owner: str, reading: Reading) -> Printed:
    """A stored column: instants go to the project's zone, JSON is opened, typed by definition."""
    if kind == JSON:
        return _inside(Printed(column, Kind("json", of=(Kind(owner),))), rest, reading)
    if kind.name == "datetime" and reading.converts_zone:
        column = f"toTimeZone({column}, {literal(reading.zone)})"
    return _inside(Printed(column, kind), rest, reading)


def _property(column: str, path: list[str], owner: str, reading: Reading) -> Printed:
    keys = ", ".join(literal(part) for part in path)
    text = f"JSONExtract({column}, {keys}, 'Nullable(String)')"
    known = ""
    if len(path) == 1 and owner in ("event", "person", "group"):
        known = reading.property_types.get((cast("PropertyOwner", owner), path[0]), "")
    if known == "Numeric":
        return Printed(f"accurateCastOrNull({text}, 'Float64')", Kind("float", nullable=True))
    if known == "Boolean":
        flag = f"transform({text}, ['true', 'false'], [true, false], NULL)"
        return Printed(f"CAST({flag}, 'Nullable(Bool)')", Kind("bool", nullable=True))
    if known == "DateTime":
        zone = literal(reading.zone)
        instant = f"parseDateTime64BestEffortOrNull({text}, 6, {zone})"
        return Printed(instant, Kind("datetime", nullable=True))
    return Printed(text, STRING.maybe())


def _inside(whole: Printed, rest: list[str], reading: Reading) -> Printed:
    """What a longer chain names inside a JSON text or a tuple."""
    if not rest:
        return whole
    if whole.kind.name == "json":
        owner = whole.kind.of[0].name if whole.kind.of else ""
        return _property(whole.sql, rest, owner, reading)
    if whole.kind.name == "string":
        keys = ", ".join(literal(part) for part in rest)
        return Printed(f"JSONExtract({whole.sql}, {keys}, 'Nullable(String)')", STRING.maybe())
    if len(rest) == 1 and rest[0].isdigit():
        return Printed(f"tupleElement({whole.sql}, {int(rest[0])})", UNKNOWN)
    if whole.kind.name in ("unknown", "tuple") and len(rest) == 1:
        return Printed(f"tupleElement({whole.sql}, {literal(rest[0])})", UNKNOWN)
    raise QueryError(f"Unable to resolve field: {'.'.join(rest)}")
