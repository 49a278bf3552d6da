"""Every reference of a module held to what the module declares: nothing dangles, and nothing is declared for nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.infra import arguments
from tests.infra.expressions import Reference, references
from tests.infra.hcl import Block

META = {"count": {"index"}, "path": {"module", "root", "cwd"}, "each": {"key", "value"}, "terraform": {"workspace"}}


@dataclass(frozen=True)
class Declared:
    """One module's blocks, and what it declares. `inside` gives the blocks of another folder's module."""

    folder: Path
    blocks: tuple[Block, ...]
    inside: Mapping[Path, tuple[Block, ...]]

    def named(self, kind: str) -> dict[str, Block]:
        return {block.labels[0]: block for block in self.blocks if block.kind == kind}

    @cached_property
    def locals(self) -> dict[str, object]:
        return {
            name: value for block in self.blocks if block.kind == "locals" for name, value in block.attributes.items()
        }

    @cached_property
    def instances(self) -> dict[tuple[str, ...], Block]:
        """Resources by (type, name), data and ephemeral ones with their kind before."""
        found = {("resource", *block.labels): block for block in self.blocks if block.kind == "resource"}
        return found | {
            (block.kind, *block.labels): block for block in self.blocks if block.kind in ("data", "ephemeral")
        }

    @cached_property
    def written(self) -> tuple[tuple[Block, Reference], ...]:
        """Every reference, with the top-level block it stands in."""
        return tuple(
            (block, reference)
            for block in self.blocks
            for inner in block.all()
            for value in (*inner.attributes.values(), inner.made_for)
            for reference in references(value)
        )

    def called(self, name: str) -> tuple[Block, ...]:
        """The blocks of the module that is called by this name."""
        return self.inside[(self.folder / self.named("module")[name].text("source")).resolve()]


def dangling(module: Declared) -> Iterator[str]:
    """A sentence for every reference that leads nowhere, and for every call that does not fit its module."""
    for block, reference in module.written:
        why = _why(module, block, reference)
        if why:
            yield f"{block.file.name}, {block.name}: {reference}: {why}"
    for name, call in module.named("module").items():
        variables = {block.labels[0]: block for block in module.called(name) if block.kind == "variable"}
        given = call.attributes.keys() - {"source", "for_each", "count", "depends_on", "providers"}
        yield from (f"module.{name}: no variable {each}" for each in sorted(given - variables.keys()))
        needed = {each for each, variable in variables.items() if "default" not in variable.attributes}
        yield from (f"module.{name}: {each} is missing" for each in sorted(needed - given))


def doubled(module: Declared) -> Iterator[str]:
    """A sentence for everything that one module declares twice, whichever file it stands in."""
    names = [f"local {name}" for block in module.blocks if block.kind == "locals" for name in block.attributes]
    names += [block.name for block in module.blocks if block.labels and block.kind != "provider"]
    yield from (f"{name} is declared {count} times" for name, count in Counter(names).items() if count > 1)


def unused(module: Declared) -> Iterator[str]:
    """A sentence for every variable and local that nothing reads."""
    read = {
        (reference.head, reference.steps[0])
        for block, reference in module.written
        if not _asks_itself(block, reference)
    }
    yield from (f"variable {name} is never read" for name in module.named("variable") if ("var", name) not in read)
    yield from (f"local {name} is never read" for name in module.locals if ("local", name) not in read)


def _asks_itself(block: Block, reference: Reference) -> bool:
    return block.kind == "variable" and reference.head == "var" and reference.steps[0] == block.labels[0]


def _why(module: Declared, block: Block, reference: Reference) -> str | None:
    head, first = reference.head, reference.steps[0]
    match head:
        case "var":
            return None if first in module.named("variable") else "no such variable"
        case "local":
            return None if first in module.locals else "no such local"
        case "module":
            return _why_not_module(module, reference)
        case "each":
            if "for_each" not in block.attributes and block.kind in ("resource", "data", "ephemeral", "module"):
                return "the block has no for_each"
            return None if block.kind == "locals" or first in META["each"] else "each has key and value"
        case "self":
            return None
        case "count" | "path" | "terraform":
            return None if first in META[head] else "no such name"
        case "data" | "ephemeral":
            return _why_not_instance(module, (head, *reference.names[:2]), reference.steps[2:])
        case _:
            return _why_not_instance(module, ("resource", head, first), reference.steps[1:])


def _why_not_module(module: Declared, reference: Reference) -> str | None:
    name, rest = reference.steps[0], reference.steps[1:]
    calls = module.named("module")
    if name not in calls:
        return "no such module"
    if not rest:
        return None
    if ("for_each" in calls[name].attributes) != rest[0].startswith("["):
        return "a module with for_each is read with an index, another without"
    wanted = [step for step in rest if not step.startswith("[")]
    outputs = {block.labels[0] for block in module.called(name) if block.kind == "output"}
    return None if not wanted or wanted[0] in outputs else f"the module has no output {wanted[0]}"


def _why_not_instance(module: Declared, key: tuple[str, ...], rest: tuple[str, ...]) -> str | None:
    block = module.instances.get(key)
    if block is None:
        return "no such block"
    if not rest:
        return None
    many = bool({"for_each", "count"} & block.attributes.keys())
    if many != (rest[0].startswith("[") or rest[0] == "*"):
        return "a resource with for_each or count is read with an index, another without"
    wanted = [step for step in rest if not step.startswith("[") and step != "*"]
    if wanted and wanted[0] not in arguments.exported(block):
        return f"it has no {wanted[0]}"
    return None
