"""Comparisons as HogQL means them: null equals null, and null differs from everything else."""

from local.posthog.hogql_kinds import BOOL, UNKNOWN, Kind, Printed

_FUNCTIONS = {
    "==": "equals",
    "!=": "notEquals",
    "<": "less",
    ">": "greater",
    "<=": "lessOrEquals",
    ">=": "greaterOrEquals",
    "like": "like",
    "ilike": "ilike",
    "not like": "notLike",
    "not ilike": "notILike",
    "in": "in",
    "not in": "notIn",
    "global in": "in",
    "global not in": "notIn",
    "=~": "match",
}
_EQUAL = frozenset(["==", "like", "ilike", "=~", "=~*"])
_UNEQUAL = frozenset(["!=", "not like", "not ilike", "!~", "!~*"])
KNOWN = frozenset(_FUNCTIONS) | {"=~*", "!~", "!~*"}


def compare(op: str, left: Printed, right: Printed, *, in_join: bool) -> Printed:
    """One comparison, wrapped against nulls where either side may be one."""
    if not in_join and "null" in (left.kind.name, right.kind.name):
        with_null = _with_null(op, left, right)
        if with_null is not None:
            return Printed(with_null, BOOL)
    bare = _bare(op, left.sql, right.sql)
    if op.endswith("in"):
        return Printed(bare, BOOL)
    nullable = left.kind.nullable or right.kind.nullable
    if in_join or not nullable:
        return Printed(bare, BOOL)
    return Printed(_guarded(op, bare, left, right), BOOL)


def _bare(op: str, left: str, right: str) -> str:
    if op in ("=~*", "!~*"):
        right = f"concat('(?i)', {right})"
    if op in ("!~", "!~*"):
        return f"not(match({left}, {right}))"
    return f"{_FUNCTIONS.get(op, 'match')}({left}, {right})"


def _with_null(op: str, left: Printed, right: Printed) -> str | None:
    other = left if right.kind.name == "null" else right
    if op == "==":
        return f"isNull({other.sql})"
    if op == "!=":
        return f"isNotNull({other.sql})"
    if op.endswith("in"):
        return None
    return "true" if op in _UNEQUAL else "false"


def _guarded(op: str, bare: str, left: Printed, right: Printed) -> str:
    one_sided = not (left.kind.nullable and right.kind.nullable)
    if op in _EQUAL:
        both = "0" if one_sided else f"isNull({left.sql}) AND isNull({right.sql})"
        return f"ifNull({bare}, {both})"
    if op in _UNEQUAL:
        either = "1" if one_sided else f"isNotNull({left.sql}) OR isNotNull({right.sql})"
        return f"ifNull({bare}, {either})"
    return f"ifNull({bare}, 0)"


def kind_of_sum(op: str, left: Kind, right: Kind) -> Kind:
    """The type of an arithmetic operation, where it is certain."""
    nullable = left.nullable or right.nullable
    numbers = {"int", "float", "bool"}
    if left.name in numbers and right.name in numbers:
        whole = op != "/" and "float" not in (left.name, right.name)
        return Kind("int" if whole else "float", nullable)
    if op in "+-" and left.name in ("date", "datetime") and right.name == "int":
        return left.maybe(nullable)
    if op in "+-" and left.name == "datetime" and right.name == "interval":
        return left.maybe(nullable)
    return UNKNOWN
