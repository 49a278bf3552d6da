"""Blocks held to the argument tables of arguments.json: what is unknown and what is missing.

The tables are written from Google's reference; no provider is asked. `source` of an entry
says where it was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict

from tests.infra.hcl import Block

FILE = Path(__file__).with_name("arguments.json")


class Entry(TypedDict):
    """Arguments in one line, `!` behind those that must be written; nested blocks; for resources what they export."""

    arguments: str
    blocks: NotRequired[dict[str, Entry]]
    required: NotRequired[bool]
    exports: NotRequired[str]
    source: NotRequired[str]


class Tables(TypedDict):
    """The file: every block by its type, `data.` and `ephemeral.` before those of these kinds."""

    notation: str
    meta: str
    meta_blocks: list[str]
    blocks: dict[str, Entry]


@cache
def tables() -> Tables:
    read: Tables = json.loads(FILE.read_text("utf-8"))
    return read


def complaints(block: Block) -> tuple[str, ...]:
    """What is wrong with a resource, data or ephemeral block, a sentence each."""
    entry = entry_of(block)
    if entry is None:
        return (f"{block.name}: no table for {block.labels[0]}",)
    return tuple(_wrong(block, entry, block.name, outermost=True))


def entry_of(block: Block) -> Entry | None:
    prefix = "" if block.kind == "resource" else f"{block.kind}."
    return tables()["blocks"].get(prefix + block.labels[0])


def exported(block: Block) -> frozenset[str]:
    """What others may read of it: its arguments, its nested blocks and what it exports."""
    entry = entry_of(block)
    if entry is None:
        return frozenset()
    return frozenset((*_names(entry), *entry.get("blocks", {}), *entry.get("exports", "").split()))


def _wrong(block: Block, entry: Entry, place: str, *, outermost: bool) -> Iterator[str]:
    inner = entry.get("blocks", {})
    free = frozenset(tables()["meta"].split()) if outermost else frozenset()
    for name in block.attributes.keys() - _names(entry) - free:
        yield (
            f"{place}: unknown argument {name}" if name not in inner else f"{place}: {name} is a block, not an argument"
        )
    for name in entry["arguments"].split():
        if name.endswith("!") and name[:-1] not in block.attributes:
            yield f"{place}: {name[:-1]} is missing"
    for each in block.blocks:
        if each.kind in inner:
            yield from _wrong(each, inner[each.kind], f"{place}.{each.kind}", outermost=False)
        elif not (outermost and each.kind in tables()["meta_blocks"]):
            yield f"{place}: unknown block {each.kind}"
    for name, within in inner.items():
        if within.get("required") and not block.inner(name):
            yield f"{place}: block {name} is missing"


def _names(entry: Entry) -> frozenset[str]:
    return frozenset(name.rstrip("!") for name in entry["arguments"].split())
