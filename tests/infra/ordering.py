"""What waits for what: a module's blocks as a graph, and the circles Terraform would refuse to walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from tests.infra.expressions import Reference, references
from tests.infra.hcl import Block


def circle(blocks: tuple[Block, ...]) -> list[str]:
    """The names along one circle; empty where there is none. A module counts as one block, though Terraform is finer."""
    try:
        TopologicalSorter(_waits(blocks)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _waits(blocks: tuple[Block, ...]) -> Mapping[str, set[str]]:
    waits: dict[str, set[str]] = {}
    for block in blocks:
        if block.kind == "locals":
            for name, value in block.attributes.items():
                waits[f"local.{name}"] = set(_named(references(value)))
        elif block.kind in ("resource", "data", "ephemeral", "module"):
            name = ".".join(block.labels) if block.kind == "resource" else block.name
            values = (value for inner in block.all() for value in (*inner.attributes.values(), inner.made_for))
            waits[name] = {each for value in values for each in _named(references(value))}
    return waits


def _named(found: Iterator[Reference]) -> Iterator[str]:
    for reference in found:
        match reference.head:
            case "local" | "module":
                yield f"{reference.head}.{reference.steps[0]}"
            case "data" | "ephemeral":
                yield ".".join((reference.head, *reference.names[:2]))
            case "var" | "each" | "count" | "path" | "self" | "terraform":
                continue
            case _:
                yield f"{reference.head}.{reference.steps[0]}"
