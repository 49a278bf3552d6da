"""What every store asks of a commit before it touches anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.errors import ConflictError
from hedgerow.ports import Delete, Swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.ports import Change
    from hedgerow.records import Record

LONGEST_ID = 1500
"""Bytes of a document id; Firestore's limit, kept everywhere."""


def check_changes(changes: Sequence[Change]) -> None:
    """Raise `ValueError` for a partial view, an id no store can hold or a record named twice.

    A swap of a record that was never read is a `ConflictError`: nothing has version 0.
    """
    seen: set[tuple[str, str]] = set()
    for change in changes:
        kind, id = subject(change)
        if kind.partial:
            raise ValueError(f"{kind.__name__} is a partial view of {kind.collection}: it is read, never written")
        if not is_possible_id(id):
            raise ValueError(f"{kind.__name__} cannot have the id {id!r}")
        if (kind.collection, id) in seen:
            raise ValueError(f"{kind.__name__} {id} appears twice in one commit")
        seen.add((kind.collection, id))
    for change in changes:
        if isinstance(change, Swap) and change.record.version == 0:
            raise conflict(change)


def subject(change: Change) -> tuple[type[Record], str]:
    """The class and the id of the record that a change is about."""
    if isinstance(change, Delete):
        return change.kind, change.id
    return type(change.record), change.record.id


def conflict(change: Change) -> ConflictError:
    """The error for a change that found the record otherwise than expected."""
    kind, id = subject(change)
    return ConflictError(f"{type(change).__name__} of {kind.collection}/{id}: somebody else wrote first.")


def is_possible_id(id: str) -> bool:
    """Whether a record could have this id on every store: the rules of Firestore, the strictest."""
    if not id or id in {".", ".."} or "/" in id or "\x00" in id or (id.startswith("__") and id.endswith("__")):
        return False
    try:
        return len(id.encode()) <= LONGEST_ID
    except UnicodeEncodeError:
        return False
