"""`python -m local.firestore_indexes`: writes the indexes Terraform declares from those the record classes do.

Nothing is indexed by itself, so what is missing here is refused by the real service, while
the emulator would answer. A test holds the file to the classes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from hedgerow.cli.operations.collections import every_record, views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hedgerow.records import Record

FILE = Path(__file__).resolve().parent.parent / "infra" / "terraform" / "firestore" / "indexes.json"


class IndexedField(TypedDict):
    """One field of a composite index, with `ASCENDING` or `DESCENDING`."""

    path: str
    order: str


class Composite(TypedDict):
    """An index over several fields; the document's name follows by itself, in the last one's direction."""

    collection: str
    fields: list[IndexedField]


class Single(TypedDict):
    """What is indexed of one field alone; `expires`: Google's TTL reads it."""

    collection: str
    path: str
    orders: list[str]
    expires: bool


class Indexes(TypedDict):
    """The file. `collections`: all of them, because each one's automatic indexes are switched off."""

    collections: list[str]
    composite: list[Composite]
    single: list[Single]


def declared(kinds: Iterable[type[Record]]) -> Indexes:
    """Every index of these classes, once; partial views add theirs to their collection's."""
    kinds = tuple(kinds)
    expiring = {(kind.collection, kind.expires_by) for kind in kinds if kind.expires_by is not None}
    composite: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    orders: dict[tuple[str, str], set[str]] = {key: set() for key in expiring}
    for kind in kinds:
        for index in kind.indexes:
            fields = tuple(_directed(field) for field in index.fields)
            if len(fields) > 1:
                composite.add((kind.collection, fields))
            else:
                # Firestore keeps one field's index as a setting of that field.
                orders.setdefault((kind.collection, fields[0][0]), set()).add(fields[0][1])
    return {
        "collections": sorted({kind.collection for kind in kinds}),
        "composite": [
            {"collection": collection, "fields": [{"path": path, "order": order} for path, order in fields]}
            for collection, fields in sorted(composite)
        ],
        "single": [
            {
                "collection": collection,
                "path": path,
                "orders": sorted(wanted),
                "expires": (collection, path) in expiring,
            }
            for (collection, path), wanted in sorted(orders.items())
        ],
    }


def text() -> str:
    """The file as the classes want it today."""
    return json.dumps(declared((*every_record(), *views())), indent=2) + "\n"


def _directed(field: str) -> tuple[str, str]:
    """A declared field as its name and Firestore's word for its direction."""
    return (field.removeprefix("-"), "DESCENDING" if field.startswith("-") else "ASCENDING")


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"Wrote {FILE}.")
