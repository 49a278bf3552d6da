"""A HogQL tree as ClickHouse SQL: expressions here, whole selects in `hogql_select`.

Whatever a node asks for that is not done here is refused with QueryError, never printed half.
"""

from dataclasses import dataclass
from datetime import datetime

from local.posthog import hogql_calls, hogql_select
from local.posthog.engine import identifier, literal
from local.posthog.errors import QueryError
from local.posthog.hogql_compare import KNOWN, compare, kind_of_sum
from local.posthog.hogql_kinds import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    STRING,
    UNKNOWN,
    Kind,
    Printed,
    array_of,
    common,
)
from local.posthog.hogql_parse import Node
from local.posthog.hogql_scope import Reading, Scope, field_of
from local.posthog.hogql_tables import Place

_CASTS = {
    **dict.fromkeys(["int", "integer", "bigint", "int64", "smallint"], "toInt"),
    **dict.fromkeys(["float", "double", "float64", "real", "numeric"], "toFloat"),
    **dict.fromkeys(["string", "text", "varchar"], "toString"),
    **dict.fromkeys(["bool", "boolean"], "toBool"),
    **dict.fromkeys(["timestamp", "datetime"], "toDateTime"),
    "date": "toDate",
    "uuid": "toUUID",
}


@dataclass(frozen=True, slots=True)
class Printer:
    """What printing needs to know of the project; the same for one whole query."""

    place: Place
    reading: Reading
    now: datetime
    week_starts_on_monday: bool = False

    def name(self, name: str) -> str:
        return identifier(name)

    def expression(self, node: Node, scope: Scope) -> Printed:
        """An expression and its type."""
        simple = self._simple(node, scope)
        return simple if simple is not None else self._compound(node, scope)

    def lambda_(self, node: Node, scope: Scope) -> Printed:
        names = [str(name) for name in node.value("args")]
        inner = Scope(parent=scope, arguments=dict.fromkeys(names, UNKNOWN), is_lambda=True)
        body = self.expression(node.node("expr"), inner)
        listed = ", ".join(identifier(name) for name in names)
        return Printed(f"({listed}) -> {body.sql}", Kind("lambda", of=(body.kind,)))

    def window(self, node: Node, scope: Scope) -> str:
        parts = []
        if node.nodes("partition_by"):
            listed = [self.expression(part, scope).sql for part in node.nodes("partition_by")]
            parts.append(f"PARTITION BY {', '.join(listed)}")
        if node.nodes("order_by"):
            listed = [hogql_select.order(self, part, scope) for part in node.nodes("order_by")]
            parts.append(f"ORDER BY {', '.join(listed)}")
        start, end = node.optional("frame_start"), node.optional("frame_end")
        if start is not None:
            method = node.text("frame_method")
            if method not in ("ROWS", "RANGE"):
                raise QueryError(f"Window frames by {method} are not supported")
            frame = _frame(start) if end is None else f"BETWEEN {_frame(start)} AND {_frame(end)}"
            parts.append(f"{method} {frame}")
        return " ".join(parts)

    def _simple(self, node: Node, scope: Scope) -> Printed | None:
        match node.kind:
            case "Constant":
                return constant(node)
            case "Field":
                return self._field(node, scope)
            case "Call":
                return hogql_calls.call(self, node, scope)
            case "CompareOperation":
                return self._compare(node, scope)
            case "And" | "Or":
                parts = [self.expression(part, scope) for part in node.nodes("exprs")]
                listed = ", ".join(part.sql for part in parts)
                nullable = any(part.kind.nullable for part in parts)
                return Printed(f"{node.kind.lower()}({listed})", BOOL.maybe(nullable))
            case "Not":
                inner = self.expression(node.node("expr"), scope)
                return Printed(f"not({inner.sql})", BOOL.maybe(inner.kind.nullable))
            case "ArithmeticOperation":
                return self._arithmetic(node, scope)
            case "Alias":
                return self._alias(node, scope)
        return None

    def _compound(self, node: Node, scope: Scope) -> Printed:
        match node.kind:
            case "Tuple":
                parts = [self.expression(part, scope) for part in node.nodes("exprs")]
                listed = ", ".join(part.sql for part in parts)
                return Printed(f"tuple({listed})", Kind("tuple", of=tuple(p.kind for p in parts)))
            case "Array":
                parts = [self.expression(part, scope) for part in node.nodes("exprs")]
                kind = common([part.kind for part in parts]) if parts else UNKNOWN
                return Printed(f"[{', '.join(part.sql for part in parts)}]", array_of(kind))
            case "TupleAccess":
                return self._tuple_access(node, scope)
            case "ArrayAccess":
                return self._array_access(node, scope)
            case "ArraySlice":
                return self._array_slice(node, scope)
            case "BetweenExpr":
                return self._between(node, scope)
            case "WindowFunction":
                return hogql_calls.window_function(self, node, scope)
            case "TypeCast" | "TryCast":
                return self._cast(node, scope)
            case "SelectQuery" | "SelectSetQuery":
                inner = hogql_select.query(self, node, scope)
                kind = inner.columns[0][1].maybe() if len(inner.columns) == 1 else UNKNOWN
                return Printed(f"({inner.sql})", kind)
        raise QueryError(f"{node.kind} is not supported by the local PostHog")

    def _field(self, node: Node, scope: Scope) -> Printed:
        chain = node.chain()
        if chain in (["true"], ["false"]):
            return Printed(chain[0], BOOL)
        found = field_of(chain, scope, self.reading)
        if found is None and len(chain) == 1:
            written = scope.expression(chain[0])
            if written is not None:
                return self.expression(written, scope)
        if found is None:
            raise QueryError(f"Unable to resolve field: {chain[0]}")
        return found

    def _compare(self, node: Node, scope: Scope) -> Printed:
        op = node.text("op").lower()
        if op not in KNOWN:
            raise QueryError(f"Comparison '{op}' is not supported by the local PostHog")
        left = self.expression(node.node("left"), scope)
        right = self._right_side(op, node.node("right"), scope)
        return compare(op, left, right, in_join=scope.in_join)

    def _right_side(self, op: str, node: Node, scope: Scope) -> Printed:
        """The right side of a comparison: after IN also the name of a CTE."""
        if op.endswith("in") and node.kind == "Field" and len(node.chain()) == 1:
            named = scope.subquery(node.chain()[0])
            if named is not None:
                inner = hogql_select.query(self, named[0], named[1])
                return Printed(f"({inner.sql})")
        return self.expression(node, scope)

    def _arithmetic(self, node: Node, scope: Scope) -> Printed:
        op = node.text("op")
        left = self.expression(node.node("left"), scope)
        right = self.expression(node.node("right"), scope)
        name = {"+": "plus", "-": "minus", "*": "multiply", "/": "divide", "%": "modulo"}[op]
        kind = kind_of_sum(op, left.kind, right.kind)
        return Printed(f"{name}({left.sql}, {right.sql})", kind)

    def _alias(self, node: Node, scope: Scope) -> Printed:
        name = node.text("alias")
        if name in scope.aliases and not scope.is_lambda:
            raise QueryError(f"Cannot redefine an alias with the name: {name}")
        inner = self.expression(node.node("expr"), scope)
        scope.aliases[name] = inner.kind
        return Printed(f"{inner.sql} AS {identifier(name)}", inner.kind)

    def _tuple_access(self, node: Node, scope: Scope) -> Printed:
        whole = self.expression(node.node("tuple"), scope)
        index = int(node.value("index"))
        known = whole.kind.name == "tuple" and 0 < index <= len(whole.kind.of)
        kind = whole.kind.of[index - 1] if known else UNKNOWN
        return Printed(f"tupleElement({whole.sql}, {index})", kind)

    def _array_access(self, node: Node, scope: Scope) -> Printed:
        inside = node.node("property")
        whole = node.node("array")
        if inside.kind == "Constant" and isinstance(inside.value(), str) and whole.kind == "Field":
            chain = [*whole.chain(), str(inside.value())]
            return self._field(Node({"node": "Field", "chain": chain}), scope)
        outer = self.expression(whole, scope)
        index = self.expression(inside, scope)
        if outer.kind.name in ("json", "string"):
            sql = f"JSONExtract({outer.sql}, {index.sql}, 'Nullable(String)')"
            return Printed(sql, STRING.maybe())
        return Printed(f"arrayElement({outer.sql}, {index.sql})", outer.kind.element)

    def _array_slice(self, node: Node, scope: Scope) -> Printed:
        whole = self.expression(node.node("array"), scope)
        start, end = node.optional("start_expr"), node.optional("end_expr")
        first = self.expression(start, scope).sql if start else "1"
        if end is None:
            return Printed(f"arraySlice({whole.sql}, {first})", whole.kind)
        last = self.expression(end, scope).sql
        sql = f"arraySlice({whole.sql}, {first}, greatest(0, {last} - {first} + 1))"
        return Printed(sql, whole.kind)

    def _between(self, node: Node, scope: Scope) -> Printed:
        middle, low, high = (self.expression(node.node(part), scope) for part in ("expr", "low", "high"))
        above = compare(">=", middle, low, in_join=scope.in_join).sql
        below = compare("<=", middle, high, in_join=scope.in_join).sql
        sql = f"and({above}, {below})"
        return Printed(f"not({sql})" if node.flag("negated") else sql, BOOL)

    def _cast(self, node: Node, scope: Scope) -> Printed:
        name = _CASTS.get(node.text("type_name").lower())
        if name is None:
            raise QueryError(f"Unsupported type cast to '{node.text('type_name')}'")
        call = Node({"node": "Call", "name": name, "args": [node.raw["expr"]]})
        return hogql_calls.call(self, call, scope)


def constant(node: Node) -> Printed:
    """A constant; numbers the parser could only hold as text come with a mark."""
    value = node.value()
    if value is None:
        return Printed("NULL", NULL)
    if isinstance(value, bool):
        return Printed("true" if value else "false", BOOL)
    if isinstance(value, int):
        return Printed(str(value), INT)
    if isinstance(value, float):
        return Printed(repr(value), FLOAT)
    if node.value("value_type") == "number":
        names = {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}
        text = names.get(str(value), str(value))
        return Printed(text if text in names.values() or text.lstrip("-").isdigit() else "nan", FLOAT)
    return Printed(literal(str(value)), STRING)


def _frame(node: Node) -> str:
    kind = node.text("frame_type")
    if kind == "CURRENT ROW":
        return kind
    value = node.value("frame_value")
    return f"{'UNBOUNDED' if value is None else int(value)} {kind}"
