"""Terraform's files as blocks: parsed, nothing evaluated. `dynamic` blocks appear under the name they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeGuard

import hcl2

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = REPOSITORY / "infra" / "terraform"
OURS = ("__is_block__", "__comments__", "__inline_comments__")
"""What the parser adds to a block."""


@dataclass(frozen=True)
class Block:
    """One block. Expressions stay text, as `${…}`; quoted text keeps its quotes."""

    kind: str
    labels: tuple[str, ...]
    file: Path
    attributes: Mapping[str, object] = field(hash=False)
    blocks: tuple[Block, ...] = ()
    made_for: object = None
    """The `for_each` of a dynamic block."""

    @property
    def name(self) -> str:
        return ".".join((self.kind, *self.labels))

    def inner(self, kind: str) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.kind == kind)

    def all(self) -> Iterator[Block]:
        """This block and all within it."""
        yield self
        for block in self.blocks:
            yield from block.all()

    def text(self, attribute: str) -> str:
        """An attribute as it is written, without quotes; empty where it is not."""
        return str(self.attributes.get(attribute, "")).strip('"')


@cache
def module(folder: Path) -> tuple[Block, ...]:
    """Every top-level block of a folder's files."""
    return tuple(block for file in sorted(folder.glob("*.tf")) for block in parse(file.read_text("utf-8"), file))


def modules() -> tuple[Path, ...]:
    """The root and every folder of modules below it."""
    return (ROOT, *sorted({file.parent for file in ROOT.rglob("*.tf")} - {ROOT}))


def resources(folder: Path = ROOT) -> tuple[Block, ...]:
    return tuple(block for block in module(folder) if block.kind == "resource")


def everywhere() -> tuple[Block, ...]:
    """Every resource of every module."""
    return tuple(block for folder in modules() for block in resources(folder))


def parse(text: str, file: Path = Path("text.tf")) -> tuple[Block, ...]:
    """The top-level blocks of one text."""
    return _blocks(hcl2.loads(text), file)


def _blocks(body: Mapping[str, object], file: Path) -> tuple[Block, ...]:
    return tuple(
        _dynamic(each, file) if key == "dynamic" else _block(key, each, file)
        for key, value in body.items()
        if _are_blocks(value)
        for each in value
    )


def _are_blocks(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) and _is_block(each) for each in value)


def _is_block(value: Mapping[str, object]) -> bool:
    if "__is_block__" in value:
        return True
    inner = list(value.values())
    return len(inner) == 1 and isinstance(inner[0], dict) and _is_block(inner[0])


def _block(kind: str, body: Mapping[str, object], file: Path) -> Block:
    labels: list[str] = []
    while "__is_block__" not in body:
        ((label, inner),) = body.items()
        assert isinstance(inner, dict)
        labels.append(label.strip('"'))
        body = inner
    return Block(
        kind=kind,
        labels=tuple(labels),
        file=file,
        attributes={key: value for key, value in body.items() if key not in OURS and not _are_blocks(value)},
        blocks=_blocks(body, file),
    )


def _dynamic(body: Mapping[str, object], file: Path) -> Block:
    written = _block("dynamic", body, file)
    (content,) = written.inner("content")
    return Block(
        kind=written.labels[0],
        labels=(),
        file=file,
        attributes=content.attributes,
        blocks=content.blocks,
        made_for=written.attributes["for_each"],
    )
