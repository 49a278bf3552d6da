"""What the code of a target can reach: which ports, with which verbs, read from the source alone.

From a target's function it follows every name that a body mentions, called or handed on,
through imports of modules and of functions. A method counts where its class is mentioned
and anything so called is used: more than really happens, never less, because the code
reaches ports by no other way (`test_rights_follow_the_code` holds it to that).
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.infra.rights import Rights, prefixes_of

ROOT = Path(__file__).resolve().parents[2]
# What implements the ports, or runs on an operator's machine, is none of a target's own code.
OUTSIDE = ("hedgerow.adapters", "hedgerow.cli", "hedgerow.wiring")

Node = tuple[str, str]
"""A module and a name in it: a function, a class, `Class.method`, a constant."""


@dataclass(frozen=True)
class Source:
    """A module: what its names stand for, and the trees that using one of them runs."""

    name: str
    imports: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))
    methods: dict[str, dict[str, ast.AST]] = field(default_factory=lambda: defaultdict(dict))


def source_of(name: str, text: str) -> Source:
    """Read one module."""
    source = Source(name)
    for statement in _flat(ast.parse(text).body):
        _enter(source, statement)
    return source


def sources(changed: Mapping[str, str] | None = None) -> dict[str, Source]:
    """Every module of the functions and the core; `changed` replaces the text of some, by module."""
    return _as_written() | {name: source_of(name, text) for name, text in (changed or {}).items()}


@cache
def _as_written() -> dict[str, Source]:
    found: dict[str, Source] = {}
    for path in sorted(each for folder in ("functions", "hedgerow") for each in (ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(OUTSIDE):
            found[name] = source_of(name, path.read_text(encoding="utf-8"))
    return found


def reached(modules: Mapping[str, Source], root: Node) -> tuple[Rights, set[Node]]:
    """What a function can do, and every name it gets to on the way."""
    return _Walk(modules).run(root)


def _flat(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those of its conditions too, but for what only the type checker reads."""
    for statement in statements:
        if isinstance(statement, ast.If):
            if "TYPE_CHECKING" not in ast.unparse(statement.test):
                yield from _flat([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            yield from _flat([*statement.body, *statement.orelse, *statement.finalbody])
        else:
            yield statement


def _enter(source: Source, statement: ast.stmt) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        source.imports.update(_imported(source.name, statement))
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        source.bodies[statement.name].append(statement)
        for decorator in statement.decorator_list:
            # `@router.get(...)`: whoever uses the router runs this.
            if (owner := _leftmost(decorator)) is not None:
                source.bodies[owner].append(ast.Name(statement.name, ast.Load()))
    elif isinstance(statement, ast.ClassDef):
        _enter_class(source, statement)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for name in (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)):
            source.bodies[name].append(statement)
    elif isinstance(statement, ast.Expr | ast.For):
        # `router.include_router(...)`, and the same for each of several.
        for call in (each for each in ast.walk(statement) if isinstance(each, ast.Call)):
            if (owner := _leftmost(call)) is not None:
                source.bodies[owner].append(statement)


def _enter_class(source: Source, statement: ast.ClassDef) -> None:
    at_once: list[ast.AST] = [*statement.bases, *statement.decorator_list, *(each.value for each in statement.keywords)]
    for each in statement.body:
        if isinstance(each, ast.AnnAssign):
            at_once += [each.annotation, *([each.value] if each.value is not None else [])]
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not (
            each.decorator_list or each.name.startswith("__")
        ):
            source.methods[statement.name][each.name] = each
        else:
            at_once.append(each)
    source.bodies[statement.name] += at_once


def _imported(module: str, statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(statement, ast.ImportFrom):
        if statement.level:
            raise ValueError(f"{module}: imports are absolute here")
        return {each.asname or each.name: f"{statement.module}.{each.name}" for each in statement.names}
    return {
        each.asname or each.name.split(".")[0]: (each.asname and each.name) or each.name.split(".")[0]
        for each in statement.names
    }


def _leftmost(expression: ast.expr) -> str | None:
    """`router` of `@router.get("/")`; None for a plain decorator, which gets the function and keeps nothing."""
    call = expression.func if isinstance(expression, ast.Call) else expression
    if not isinstance(call, ast.Attribute):
        return None
    while isinstance(call, ast.Attribute):
        call = call.value
    return call.id if isinstance(call, ast.Name) else None


class _Walk:
    """One search. Bodies wait in `_open`; methods wait until their class and their name are both known."""

    def __init__(self, modules: Mapping[str, Source]) -> None:
        self._modules = modules
        self._seen: set[Node] = set()
        self._open: list[tuple[Node, ast.AST]] = []
        self._classes: set[Node] = set()
        self._used: set[str] = set()
        self._rights = Rights()

    def run(self, root: Node) -> tuple[Rights, set[Node]]:
        self._reach(root)
        while self._open:
            node, tree = self._open.pop()
            self._scan(node, tree)
            if not self._open:
                self._wake()
        return self._rights, self._seen

    def _reach(self, node: Node) -> None:
        if node in self._seen or node[0] not in self._modules:
            return
        source = self._modules[node[0]]
        if node[1] not in source.bodies:
            if node[1] in source.imports:  # A module hands on what it imported.
                self._reach_dotted(source.imports[node[1]])
            return
        self._seen.add(node)
        if node[1] in source.methods:
            self._classes.add(node)
        self._open += [(node, tree) for tree in source.bodies[node[1]]]

    def _wake(self) -> None:
        """Methods of the classes in sight that something in sight calls by name."""
        for module, name in sorted(self._classes):
            for method, tree in self._modules[module].methods[name].items():
                node = (module, f"{name}.{method}")
                if method in self._used and node not in self._seen:
                    self._seen.add(node)
                    self._open.append((node, tree))

    def _scan(self, node: Node, tree: ast.AST) -> None:
        scope = dict(self._modules[node[0]].imports)
        for each in ast.walk(tree):
            if isinstance(each, ast.Import | ast.ImportFrom):
                scope.update(_imported(node[0], each))
        for each in _run(tree):
            if isinstance(each, ast.Attribute):
                self._used.add(each.attr)
                self._rights.note_attribute(each, prefixes_of(node))
            dotted = _dotted(each, scope, node[0])
            if dotted is None:
                continue
            if dotted in self._modules:
                # A module as a value: of it whatever is used hereabouts.
                for attribute in (one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)):
                    self._reach((dotted, attribute))
            elif dotted.startswith("hedgerow.ports."):
                self._rights.note_change(dotted.rpartition(".")[2])
            elif dotted.startswith("hedgerow.messages.") and isinstance(each, ast.Name):
                continue  # Named, not made; a call is seen as one.
            else:
                self._reach_dotted(dotted)
        for call in (each for each in _run(tree) if isinstance(each, ast.Call)):
            dotted = _dotted(call.func, scope, node[0]) or ""
            if dotted.startswith("hedgerow.messages."):
                self._rights.publish.add(topic_of(self._modules["hedgerow.messages"], dotted.rpartition(".")[2]))

    def _reach_dotted(self, dotted: str) -> None:
        """`hedgerow.closing.settle`, `functions.alerts.records.Channel.model_fields`: as far as the tree goes."""
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            module = ".".join(parts[:cut])
            if module in self._modules:
                self._reach((module, parts[cut]))
                return


def topic_of(messages: Source, name: str) -> str:
    """The topic that a message's class declares."""
    for tree in messages.bodies[name]:
        if isinstance(tree, ast.Assign) and ast.unparse(tree.targets[0]) == "topic":
            return str(ast.literal_eval(tree.value))
    raise ValueError(f"{name} declares no topic")


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree that run: without annotations, but for those of a decorated function, which a framework reads."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "isinstance":
            waiting.append(each.args[0])
            continue
        if isinstance(each, ast.MatchClass):
            waiting += [*each.patterns, *each.kwd_patterns]
            continue
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.decorator_list:
            waiting += [*each.body, *each.args.defaults, *(one for one in each.args.kw_defaults if one is not None)]
            continue
        if isinstance(each, ast.AnnAssign):
            waiting += [each.target, *([each.value] if each.value is not None else [])]
            continue
        waiting += ast.iter_child_nodes(each)


def _dotted(each: ast.AST, scope: Mapping[str, str], module: str) -> str | None:
    """What a name or a chain of attributes stands for, from the root of the tree; None for anything else."""
    names: list[str] = []
    while isinstance(each, ast.Attribute):
        names.append(each.attr)
        each = each.value
    if not isinstance(each, ast.Name) or not isinstance(each.ctx, ast.Load):
        return None
    begin = scope.get(each.id, f"{module}.{each.id}")
    return ".".join([begin, *reversed(names)])
