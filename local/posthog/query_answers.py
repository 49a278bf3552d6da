"""ClickHouse's answer as PostHog's JSON: values by their type, errors by their name.

Instants leave ClickHouse in UTC and are written here in their column's zone, so that the hour
repeated in autumn keeps its two offsets.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.posthog.errors import ApiError, ClickHouseError

Convert = Callable[[Any], Any]

# Faults PostHog shows to the person who wrote the query; all others it hides.
_SHOWN = frozenset(
    [
        "ILLEGAL_TYPE_OF_ARGUMENT",
        "NO_COMMON_TYPE",
        "NOT_AN_AGGREGATE",
        "UNKNOWN_FUNCTION",
        "TYPE_MISMATCH",
        "ILLEGAL_AGGREGATION",
        "NUMBER_OF_ARGUMENTS_DOESNT_MATCH",
        "TOO_MANY_BYTES",
        "CANNOT_PARSE_UUID",
        "CANNOT_PARSE_BOOL",
        "UNKNOWN_TABLE",
        "INVALID_JOIN_ON_EXPRESSION",
        "CANNOT_PARSE_DATETIME",
        "CANNOT_PARSE_TEXT",
        "CANNOT_PARSE_NUMBER",
        "ILLEGAL_COLUMN",
        "BAD_ARGUMENTS",
        "ARGUMENT_OUT_OF_BOUND",
        "MULTIPLE_EXPRESSIONS_FOR_ALIAS",
        "CYCLIC_ALIASES",
        "AMBIGUOUS_IDENTIFIER",
        "CANNOT_CONVERT_TYPE",
        "ILLEGAL_DIVISION",
        "ZERO_ARRAY_OR_TUPLE_INDEX",
        "SIZES_OF_ARRAYS_DONT_MATCH",
        "UNION_ALL_RESULT_STRUCTURES_MISMATCH",
        "INVALID_LIMIT_EXPRESSION",
        "UNEXPECTED_EXPRESSION",
        "TOO_LARGE_ARRAY_SIZE",
        "PARAMETER_OUT_OF_BOUND",
        "UNSUPPORTED_METHOD",
        "SET_SIZE_LIMIT_EXCEEDED",
        "TOO_FEW_ARGUMENTS_FOR_FUNCTION",
        "TOO_MANY_ARGUMENTS_FOR_FUNCTION",
        "AGGREGATE_FUNCTION_THROW",
    ]
)
_ZONE = re.compile(r"'((?:[^'\\]|\\.)+)'")
TOO_LONG = (
    "Query has hit the max execution time before completing. See our docs for how to improve "
    "your query performance. You may need to materialize."
)
TOO_MUCH_MEMORY = (
    "Query has reached the max memory limit before completing. See our docs for how to improve "
    "your query memory footprint. You may need to narrow date range or materialize."
)
TOO_SLOW = "Estimated query execution time is too long. Try reducing its scope by changing the time range."
TOO_BUSY = "Queries are a little too busy right now. We're working to free up resources. Please try again later."


@dataclass(frozen=True, slots=True)
class Rows:
    """What ClickHouse found: type names and converted rows."""

    types: list[str]
    rows: list[list[Any]]


def read_rows(answer: bytes) -> Rows:
    """Convert a JSONCompactEachRowWithNamesAndTypes answer."""
    lines = answer.splitlines()
    if not lines:
        return Rows([], [])
    types = [str(name) for name in json.loads(lines[1])]
    converts = [_convert(parse_type(name)) for name in types]
    rows = [
        [
            value if convert is None else convert(value)
            for value, convert in zip(json.loads(line), converts, strict=True)
        ]
        for line in lines[2:]
    ]
    return Rows(types, rows)


@dataclass(frozen=True, slots=True)
class TypeTree:
    """A type name of ClickHouse, taken apart."""

    name: str
    arguments: tuple["TypeTree", ...] = ()
    zone: str = "UTC"


def parse_type(text: str) -> TypeTree:
    """A ClickHouse type name, taken apart.

    >>> parse_type("Array(Nullable(DateTime64(6, 'Asia/Tokyo')))").arguments[0].name
    'Nullable'
    """
    name, _, inside = text.partition("(")
    inside = inside.removesuffix(")")
    if name in ("DateTime", "DateTime64"):
        zone = _ZONE.search(inside)
        return TypeTree(name, zone=zone[1] if zone else "UTC")
    if name in ("Array", "Nullable", "LowCardinality", "Tuple", "Map"):
        parts = [_unnamed(part) for part in _split(inside)]
        return TypeTree(name, tuple(parse_type(part) for part in parts))
    return TypeTree(name)


def _split(text: str) -> list[str]:
    parts, depth, start, quoted = [], 0, 0, False
    for index, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif not quoted and letter in "()":
            depth += 1 if letter == "(" else -1
        elif not quoted and letter == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()] if text.strip() else parts


def _unnamed(part: str) -> str:
    """A tuple's element without its name, if it has one."""
    name, _, rest = part.partition(" ")
    return rest if rest and "(" not in name and "'" not in name else part


def _convert(tree: TypeTree) -> Convert | None:
    if tree.name in ("DateTime", "DateTime64"):
        return _in_zone(ZoneInfo(tree.zone))
    inner = [_convert(argument) for argument in tree.arguments]
    if not any(inner):
        return None
    if tree.name in ("Nullable", "LowCardinality"):
        return _maybe(inner[0])
    if tree.name == "Array":
        return _each(inner[0])
    if tree.name == "Tuple":
        return _side_by_side(inner)
    return None


def _in_zone(zone: ZoneInfo) -> Convert:
    def convert(value: Any) -> str:
        written = datetime.fromisoformat(str(value)).astimezone(zone).isoformat()
        return written.removesuffix("+00:00") + "Z" if written.endswith("+00:00") else written

    return convert


def _maybe(inner: Convert | None) -> Convert:
    return lambda value: value if value is None or inner is None else inner(value)


def _each(inner: Convert | None) -> Convert:
    return lambda values: [value if inner is None else inner(value) for value in values]


def _side_by_side(inner: list[Convert | None]) -> Convert:
    return lambda values: [
        value if convert is None else convert(value) for value, convert in zip(values, inner, strict=True)
    ]


def api_error(fault: ClickHouseError) -> ApiError:
    """ClickHouse's refusal as PostHog passes it on."""
    if fault.name == "TIMEOUT_EXCEEDED":
        return ApiError(504, "server_error", "clickhouse_timeout", TOO_LONG)
    if fault.name == "MEMORY_LIMIT_EXCEEDED":
        return ApiError(504, "server_error", "clickhouse_memory", TOO_MUCH_MEMORY)
    if fault.name in _SHOWN:
        detail = fault.detail.split("Stack trace:")[0].strip()
        return ApiError(400, "validation_error", fault.name.lower(), detail)
    return ApiError(500, "server_error", "error", "ClickHouse error while executing query.")
