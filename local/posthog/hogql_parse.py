"""HogQL text to a syntax tree, by PostHog's own parser.

The parser wants three of PostHog's modules at its own import; they are lent to it for that
moment only, so that the official `posthog` package can still be imported in the same process.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, cast

from local.posthog.errors import QueryError

_LENT = ("posthog", "posthog.hogql", "posthog.hogql.errors")
_WANTED_ERRORS = [
    "BaseHogQLError",
    "ExposedHogQLError",
    "SyntaxError",
    "QueryError",
    "NotImplementedError",
    "ParsingError",
    "ImpossibleASTError",
    "ResolutionError",
    "InternalHogQLError",
]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree: its kind, and typed ways to its parts."""

    raw: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.raw["node"])

    @property
    def span(self) -> tuple[int, int] | None:
        """Where the node stands in the text, when the parser says so."""
        start, end = self.raw.get("start"), self.raw.get("end")
        return (start["offset"], end["offset"]) if start and end else None

    def has(self, name: str) -> bool:
        return self.raw.get(name) is not None

    def text(self, name: str) -> str:
        return str(self.raw[name])

    def value(self, name: str = "value") -> Any:
        return self.raw.get(name)

    def flag(self, name: str) -> bool:
        return bool(self.raw.get(name))

    def node(self, name: str) -> "Node":
        return Node(self.raw[name])

    def optional(self, name: str) -> "Node | None":
        return Node(self.raw[name]) if self.has(name) else None

    def nodes(self, name: str) -> "list[Node]":
        return [Node(part) for part in self.raw.get(name) or []]

    def chain(self) -> list[str]:
        return [str(part) for part in self.raw["chain"]]


def constant(value: object) -> Node:
    """A node for a value."""
    return Node({"node": "Constant", "value": value})


def parse_select(text: str) -> Node:
    """The tree of a query; raises QueryError with the parser's words."""
    tree = json.loads(_parsed(text))
    if tree.get("error"):
        raise QueryError(str(tree.get("message")), "hogql_syntax_error")
    return Node(tree)


@lru_cache(maxsize=64)
def _parsed(text: str) -> str:
    # The parser takes half a second for a page of HogQL, and a client asks the same text again and again.
    return _parser("parse_select_json")(text)


def parse_expression(text: str) -> Node:
    """The tree of an expression; raises QueryError with the parser's words."""
    tree = json.loads(_parser("parse_expr_json")(text))
    if tree.get("error"):
        raise QueryError(str(tree.get("message")), "hogql_syntax_error")
    return Node(tree)


def walk(tree: object) -> Iterator[dict[str, Any]]:
    """Every node of a raw tree, outermost first."""
    pending = [tree]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if "node" in part:
                yield part
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)


def replace(tree: Any, swap: Callable[[dict[str, Any]], object | None]) -> Any:
    """The tree with every node for which `swap` gives something replaced by it."""
    if isinstance(tree, list):
        return [replace(part, swap) for part in tree]
    if not isinstance(tree, dict):
        return tree
    swapped = swap(tree) if "node" in tree else None
    if swapped is not None:
        return swapped
    return {name: replace(part, swap) for name, part in tree.items()}


@cache
def _parser(name: str) -> Callable[[str], str]:
    present = {module: sys.modules[module] for module in _LENT if module in sys.modules}
    if "hogql_parser" not in sys.modules:
        sys.modules.update(_lent_modules())
    try:
        import hogql_parser  # type: ignore[import-not-found,import-untyped,unused-ignore]
    finally:
        for module in _LENT:
            sys.modules.pop(module, None)
        sys.modules.update(present)
    return cast("Callable[[str], str]", getattr(hogql_parser, name))


def _lent_modules() -> dict[str, ModuleType]:
    modules = {name: ModuleType(name) for name in _LENT}
    for name in _WANTED_ERRORS:
        setattr(modules["posthog.hogql.errors"], name, type(name, (Exception,), {}))
    for name in _LENT[:2]:
        modules[name].__path__ = []
    return modules
