from __future__ import annotations

import ast
from collections import Counter
from importlib import import_module
from pathlib import Path

from hedgerow.cli.operations.collections import every_record, views
from hedgerow.records import Record

ROOT = Path(__file__).parents[3]


def written() -> set[type[Record]]:
    """Every subclass of Record that the code writes down, found in the source and not by what happens to be imported."""
    for file in (
        *(ROOT / "hedgerow").rglob("*.py"),
        *(ROOT / "functions").rglob("*.py"),
        *(ROOT / "local").glob("*.py"),
    ):
        classes = [each for each in ast.walk(ast.parse(file.read_bytes())) if isinstance(each, ast.ClassDef)]
        if any(each.bases for each in classes):
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    return {kind for kind in _below(Record) if kind.__module__.split(".")[0] in {"hedgerow", "functions", "local"}}


def _below(kind: type[Record]) -> set[type[Record]]:
    return {found for child in kind.__subclasses__() for found in (child, *_below(child))}


def test_every_record_class_of_the_code_is_listed() -> None:
    there = written()
    assert {kind for kind in there if not kind.partial} == set(every_record())
    assert {kind for kind in there if kind.partial} == set(views())


def test_each_collection_has_one_full_class() -> None:
    assert max(Counter(kind.collection for kind in every_record()).values()) == 1
    assert {kind.collection for kind in views()} <= {kind.collection for kind in every_record()}
