"""Function calls: HogQL's null-safe conversions, its clock, its zones; everything else by the list.

Refuses what the list does not hold, with PostHog's sentence.
"""

import difflib
import re
from typing import TYPE_CHECKING

from local.posthog import hogql_functions as functions
from local.posthog.engine import literal
from local.posthog.errors import QueryError
from local.posthog.hogql_compare import compare, kind_of_sum
from local.posthog.hogql_kinds import (
    BOOL,
    DATE,
    DATETIME,
    STRING,
    UNKNOWN,
    Kind,
    Printed,
    array_of,
    common,
)
from local.posthog.hogql_parse import Node
from local.posthog.tables import written

if TYPE_CHECKING:
    from local.posthog.hogql_print import Printer
    from local.posthog.hogql_scope import Scope

_PLAIN_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2}(\.\d{1,6})?)?")
_NEEDS_NO_ARGUMENTS = {"today", "current_date", "yesterday"}


def call(printer: "Printer", node: Node, scope: "Scope") -> Printed:
    """A call of a function or an aggregate."""
    name = functions.spelling(node.text("name"))
    aggregate = functions.known_aggregate(name)
    if aggregate is None and node.flag("distinct"):
        raise QueryError(f"DISTINCT is only for aggregations, not for '{name}'")
    if name == "count" and node.raw.get("args") and node.nodes("args")[0].raw.get("chain") == ["*"]:
        node = Node({**node.raw, "args": []})
    arguments = [_argument(printer, part, scope) for part in node.nodes("args")]
    if aggregate is not None:
        return _aggregate(printer, node, name, arguments, scope)
    special = _special(printer, node, name, arguments)
    if special is not None:
        return special
    known = functions.known_function(name)
    if known is None:
        raise unsupported(name)
    parameters = [printer.expression(part, scope).sql for part in node.nodes("params")]
    with_parameters = f"({', '.join(parameters)})" if parameters else ""
    sql = f"{known}{with_parameters}({', '.join(part.sql for part in arguments)})"
    return Printed(sql, functions.kind_of_function(name, [part.kind for part in arguments]))


def unsupported(name: str) -> QueryError:
    """PostHog's refusal of an unknown function, with its guess at what was meant."""
    names = [*functions.FUNCTIONS, *functions.AGGREGATES, *functions.RENAMED]
    near = difflib.get_close_matches(name, names, 1)
    guess = f" Perhaps you meant '{near[0]}(...)'?" if near else ""
    return QueryError(f"Unsupported function call '{name}(...)'.{guess}")


def window_function(printer: "Printer", node: Node, scope: "Scope") -> Printed:
    """A call with OVER."""
    name = node.text("name")
    if functions.known_aggregate(name) is None:
        raise unsupported(name)
    first = [printer.expression(part, scope) for part in node.nodes("exprs")]
    second = [printer.expression(part, scope) for part in node.nodes("args")]
    # quantile(0.9)(x) OVER … has its parameters in `exprs` and its arguments in `args`.
    arguments, parameters = (second, first) if second else (first, [])
    sql = name
    if parameters:
        sql += f"({', '.join(part.sql for part in parameters)})"
    sql += f"({', '.join(part.sql for part in arguments)}) OVER "
    window = node.optional("over_expr")
    if window is not None:
        sql += f"({printer.window(window, scope)})"
    else:
        sql += printer.name(node.text("over_identifier"))
    return Printed(sql, functions.kind_of_aggregate(name, [part.kind for part in arguments]))


def _argument(printer: "Printer", node: Node, scope: "Scope") -> Printed:
    if node.kind == "Lambda":
        return printer.lambda_(node, scope)
    return printer.expression(node, scope)


def _aggregate(printer: "Printer", node: Node, name: str, arguments: list[Printed], scope: "Scope") -> Printed:
    if node.nodes("order_by"):
        raise QueryError(f"ORDER BY inside '{name}' is not supported")
    parameters = [printer.expression(part, scope).sql for part in node.nodes("params")]
    sql = name + (f"({', '.join(parameters)})" if parameters else "")
    distinct = "DISTINCT " if node.flag("distinct") else ""
    sql += f"({distinct}{', '.join(part.sql for part in arguments)})"
    kept = node.optional("filter_expr")
    if kept is not None:
        sql += f" FILTER (WHERE {printer.expression(kept, scope).sql})"
    return Printed(sql, functions.kind_of_aggregate(name, [part.kind for part in arguments]))


def _special(printer: "Printer", node: Node, name: str, arguments: list[Printed]) -> Printed | None:
    """The calls that are more than a name: None for all others."""
    if name in functions.COMPARISONS and len(arguments) == 2:
        op = functions.COMPARISONS[name]
        return compare(op, arguments[0], arguments[1], in_join=False)
    if name in ("now", "current_timestamp") or name in _NEEDS_NO_ARGUMENTS:
        return _clock(printer, name, arguments)
    if name in _CONVERSIONS and arguments:
        return _conversion(printer, node, name, arguments)
    if name in ("and", "or", "xor"):
        return Printed(f"{name}({', '.join(part.sql for part in arguments)})", _flag(arguments))
    if name == "not" and len(arguments) == 1:
        return Printed(f"not({arguments[0].sql})", _flag(arguments))
    if name in functions.ARITHMETIC and len(arguments) == 2:
        kind = kind_of_sum(functions.ARITHMETIC[name], arguments[0].kind, arguments[1].kind)
        return Printed(f"{name}({arguments[0].sql}, {arguments[1].sql})", kind)
    return _shaping(printer, name, arguments)


def _shaping(printer: "Printer", name: str, arguments: list[Printed]) -> Printed | None:
    """Branches, arrays and tuples, whose type is made of their arguments' types."""
    kinds = [part.kind for part in arguments]
    listed = ", ".join(part.sql for part in arguments)
    if name in ("coalesce", "ifNull"):
        kind = common(kinds)
        return Printed(f"{name}({listed})", kind.maybe(all(kind.nullable for kind in kinds)))
    if name == "if" and len(arguments) in (2, 3):
        tail = "" if len(arguments) == 3 else ", NULL"
        kind = common(kinds[1:]) if not tail else kinds[1].maybe()
        return Printed(f"if({listed}{tail})", kind)
    if name == "multiIf":
        return Printed(f"multiIf({listed})", common([*kinds[1::2], kinds[-1]]))
    if name == "_caseWithExpression":
        return Printed(f"caseWithExpression({listed})", UNKNOWN)
    if name == "array":
        return Printed(f"[{listed}]", array_of(common(kinds) if kinds else UNKNOWN))
    if name == "arrayJoin":
        return Printed(f"arrayJoin({listed})", kinds[0].element if kinds else UNKNOWN)
    if name == "tuple":
        return Printed(f"tuple({listed})", Kind("tuple", of=tuple(kinds)))
    if name == "arrayMap" and kinds:
        return Printed(f"arrayMap({listed})", array_of(kinds[0].of[0] if kinds[0].of else UNKNOWN))
    if name == "concat":
        return Printed(f"concat({', '.join(_as_text(part) for part in arguments)})", STRING)
    if name == "exists":
        return Printed(f"exists({listed})", BOOL)
    if name == "toStartOfWeek" and len(arguments) == 1:
        mode = 3 if printer.week_starts_on_monday else 0
        return Printed(f"toStartOfWeek({listed}, {mode})", DATE.maybe(kinds[0].nullable))
    return None


def _flag(arguments: list[Printed]) -> Kind:
    return BOOL.maybe(any(part.kind.nullable for part in arguments))


def _as_text(part: Printed) -> str:
    if part.kind.name == "null":
        return "''"
    if part.kind.name == "string" and not part.kind.nullable:
        return part.sql
    return f"ifNull(toString({part.sql}), '')"


def _clock(printer: "Printer", name: str, arguments: list[Printed]) -> Printed:
    if name in _NEEDS_NO_ARGUMENTS:
        # ClickHouse's own day, which on PostHog's servers is the UTC day.
        back = " - 1" if name == "yesterday" else ""
        return Printed(f"(toDate({literal(printer.now.strftime('%Y-%m-%d'))}){back})", DATE)
    instant = f"toDateTime64({literal(written(printer.now))}, 6, 'UTC')"
    zone = arguments[0].sql if arguments else literal(printer.reading.zone)
    return Printed(f"toTimeZone({instant}, {zone})", DATETIME)


_CASTS = {
    "toInt": ("Int64", "int"),
    "toFloat": ("Float64", "float"),
    "toUUID": ("UUID", "uuid"),
    "toNullableString": ("Nullable(String)", "string"),
}
_CONVERSIONS = frozenset(_CASTS) | {
    "toDate", "to_date", "toDateTime", "toDateTime64", "toDateTimeUS", "toTimeZone", "timezone",
    "parseDateTime", "parseDateTimeBestEffort", "toBool", "toDecimal", "_toDateTime",
}  # fmt: skip


def _conversion(printer: "Printer", node: Node, name: str, arguments: list[Printed]) -> Printed:
    first, zone = arguments[0], literal(printer.reading.zone)
    if name in _CASTS:
        target, kind = _CASTS[name]
        return Printed(f"accurateCastOrNull({first.sql}, '{target}')", Kind(kind, nullable=True))
    if name in ("toDate", "to_date"):
        return _to_date(first)
    if name == "toDateTime":
        return _to_datetime(node.nodes("args")[0], arguments, zone)
    if name == "toDateTime64":
        scale = arguments[1].sql if len(arguments) > 1 else "6"
        zone = arguments[2].sql if len(arguments) > 2 else zone
        sql = f"toDateTime64({first.sql}, {scale}, {zone})"
        return Printed(sql, DATETIME.maybe(first.kind.nullable))
    if name == "toTimeZone":
        zone = arguments[1].sql if len(arguments) > 1 else zone
        return Printed(f"toTimeZone({first.sql}, {zone})", DATETIME.maybe(first.kind.nullable))
    if name == "timezone" and len(arguments) == 2:
        return Printed(f"toTimeZone({arguments[1].sql}, {first.sql})", DATETIME.maybe())
    if name == "parseDateTime" and len(arguments) > 1:
        zone = arguments[2].sql if len(arguments) > 2 else zone
        sql = f"parseDateTimeOrNull({first.sql}, {arguments[1].sql}, {zone})"
        return Printed(sql, DATETIME.maybe())
    if name in ("parseDateTimeBestEffort", "toDateTimeUS"):
        american = "US" if name == "toDateTimeUS" else ""
        zone = arguments[1].sql if len(arguments) > 1 else zone
        sql = f"parseDateTime64BestEffort{american}OrNull({first.sql}, 6, {zone})"
        return Printed(sql, DATETIME.maybe())
    if name == "toDecimal" and len(arguments) == 2 and isinstance(_value(node, 1), int):
        target = literal(f"Decimal64({_value(node, 1)})")
        return Printed(f"accurateCastOrNull({first.sql}, {target})", Kind("decimal", nullable=True))
    if name == "toBool":
        return Printed(f"toBool({first.sql})", BOOL.maybe(first.kind.nullable))
    if name == "_toDateTime":
        listed = ", ".join(part.sql for part in arguments)
        return Printed(f"toDateTime({listed})", DATETIME.maybe(first.kind.nullable))
    raise QueryError(f"Function '{name}' got the wrong number of arguments")


def _value(node: Node, index: int) -> object:
    return node.nodes("args")[index].value()


def _to_date(first: Printed) -> Printed:
    if first.kind.name in ("datetime", "date"):
        return Printed(f"toDate({first.sql})", DATE.maybe(first.kind.nullable))
    if first.kind.name in ("string", "json"):
        return Printed(f"toDateOrNull({first.sql})", DATE.maybe())
    return Printed(f"accurateCastOrNull({first.sql}, 'Date')", DATE.maybe())


def _to_datetime(node: Node, arguments: list[Printed], zone: str) -> Printed:
    first = arguments[0]
    if len(arguments) > 1:
        zone = arguments[1].sql
    if first.kind.name in ("datetime", "date", "int"):
        return Printed(f"toDateTime({first.sql}, {zone})", DATETIME.maybe(first.kind.nullable))
    if node.kind == "Constant" and isinstance(node.value(), str):
        # A well-formed constant is never null, so that comparisons can use the index.
        well_formed = _PLAIN_INSTANT.fullmatch(node.value()) is not None
        parse = "parseDateTime64BestEffort" + ("" if well_formed else "OrNull")
        return Printed(f"{parse}({first.sql}, 6, {zone})", DATETIME.maybe(not well_formed))
    if first.kind.name in ("string", "json"):
        sql = f"parseDateTime64BestEffortOrNull({first.sql}, 6, {zone})"
        return Printed(sql, DATETIME.maybe())
    target = f"concat('DateTime64(6, \\'', {zone}, '\\')')"
    return Printed(f"accurateCastOrNull({first.sql}, {target})", DATETIME.maybe())
