"""Placeholders of a query: `{name}` from `values`, `{variables.x}`, and `{filters}`.

Refuses a placeholder without a value, and filters it cannot express.
"""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local.posthog.errors import QueryError
from local.posthog.hogql_parse import Node, constant, parse_expression, replace, walk

_SPAN = re.compile(r"-(\d+)([hdwmqy])(Start|End)?")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}
_OPERATORS = {
    "exact": "==",
    "is_not": "!=",
    "icontains": "ilike",
    "not_icontains": "not ilike",
    "regex": "=~",
    "not_regex": "!~",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
}


def fill(
    tree: Node,
    values: dict[str, Any],
    variables: dict[str, Any],
    filters: dict[str, Any] | None,
    *,
    now: datetime,
    zone: str,
) -> Node:
    """The tree with every placeholder replaced."""

    def swap(raw: dict[str, Any]) -> object | None:
        if raw["node"] != "Placeholder":
            return None
        inner = raw["expr"]
        if inner.get("node") != "Field":
            raise QueryError("Placeholders must be names")
        chain = [str(part) for part in inner["chain"]]
        if chain == ["filters"]:
            return _filters(filters, now, zone)
        if chain[0] == "variables" and len(chain) == 2:
            if chain[1] not in variables:
                raise QueryError(f"Variable {chain[1]} is missing from query")
            return _constants(variables[chain[1]])
        found: Any = values
        for part in chain:
            if not isinstance(found, dict) or part not in found:
                raise QueryError(f"Unresolved placeholder: {{{'.'.join(chain)}}}")
            found = found[part]
        return _constants(found)

    return Node(replace(tree.raw, swap))


def has_offset(tree: Node) -> bool:
    """Whether rows are skipped anywhere; SAMPLE … OFFSET does not count."""
    return any(
        (raw["node"] in ("SelectQuery", "SelectSetQuery") and raw.get("offset") is not None)
        or (raw["node"] == "LimitByExpr" and raw.get("offset_value") is not None)
        for raw in walk(tree.raw)
    )


def _constants(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"node": "Array", "exprs": [_constants(part) for part in value]}
    if isinstance(value, dict):
        raise QueryError("A placeholder's value must be a constant or a list")
    return constant(value).raw


def _filters(filters: dict[str, Any] | None, now: datetime, zone: str) -> dict[str, Any]:
    conditions = []
    span = (filters or {}).get("dateRange") or {}
    for end, op in (("date_from", ">="), ("date_to", "<=")):
        bound = _bound(span.get(end), now, zone, is_end=end == "date_to")
        if bound is not None:
            seconds = parse_expression(f"fromUnixTimestamp({int(bound.timestamp())})").raw
            conditions.append(_compare(op, _field(["timestamp"]), seconds))
    conditions += [_property(wanted) for wanted in (filters or {}).get("properties") or []]
    if not conditions:
        return constant(value=True).raw
    return _joined("And", conditions)


def _bound(text: object, now: datetime, zone: str, *, is_end: bool) -> datetime | None:
    if not isinstance(text, str) or text == "all":
        return None
    local = now.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    found = _SPAN.fullmatch(text)
    if text == "dStart":
        return midnight
    if found is not None and found[2] in _HOURS:
        span = timedelta(hours=int(found[1]) * _HOURS[found[2]])
        return local - span if found[2] == "h" else midnight - span
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"Date '{text}' is not supported in filters") from None
    if is_end and len(text) == len("2025-05-01"):
        written = written.replace(hour=23, minute=59, second=59)
    return written if written.tzinfo else written.replace(tzinfo=ZoneInfo(zone))


def _property(wanted: dict[str, Any]) -> dict[str, Any]:
    key, operator = str(wanted.get("key")), str(wanted.get("operator") or "exact")
    owner = {"event": ["properties"], "person": ["person", "properties"]}.get(str(wanted.get("type") or "event"))
    if owner is None:
        raise QueryError(f"Property filter of type '{wanted.get('type')}' is not supported")
    field = _field([*owner, key])
    if operator in ("is_set", "is_not_set"):
        return _compare("!=" if operator == "is_set" else "==", field, constant(None).raw)
    if operator not in _OPERATORS:
        raise QueryError(f"Property filter operator '{operator}' is not supported")
    value, op = wanted.get("value"), _OPERATORS[operator]
    if isinstance(value, list) and op in ("==", "!="):
        parts = [_compare(op, field, constant(part).raw) for part in value]
        return _joined("Or" if op == "==" else "And", parts) if parts else constant(op == "!=").raw
    if op.endswith("ilike"):
        value = f"%{value}%"
    return _compare(op, field, constant(value).raw)


def _joined(word: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"node": word, "exprs": parts} if len(parts) > 1 else parts[0]


def _field(chain: list[str]) -> dict[str, Any]:
    return {"node": "Field", "chain": chain}


def _compare(op: str, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {"node": "CompareOperation", "op": op, "left": left, "right": right}
