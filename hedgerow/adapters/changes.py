"""What every store asks of a commit before it touches anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.errors import ConflictError
from hedgerow.ports import Delete, Patch, Swap
from hedgerow.records import is_possible_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hedgerow.ports import Change
    from hedgerow.records import Record


def check_changes(changes: Sequence[Change]) -> None:
    """Raise `ValueError` for a partial view, an unknown field, an id no store can hold or a record named twice.

    A swap or a patch of a record that was never read is a `ConflictError`: nothing has version 0.
    """
    seen: set[tuple[str, str]] = set()
    for change in changes:
        kind, id = subject(change)
        if kind.partial and not isinstance(change, Delete):
            raise ValueError(f"{kind.__name__} is a partial view of {kind.collection}: it is read, never written")
        if not is_possible_id(id):
            raise ValueError(f"{kind.__name__} cannot have the id {id!r}")
        if (kind.collection, id) in seen:
            raise ValueError(f"{kind.__name__} {id} appears twice in one commit")
        seen.add((kind.collection, id))
    checked: Mapping[str, object] | None = None
    for change in changes:
        match change:
            case Patch(kind, id, version, values):
                # Nearly always the same mapping as the one before.
                if values is not checked:
                    _check_values(kind, values)
                    checked = values
                if version == 0:
                    raise conflict(change)
            case Swap(record) if record.version == 0:
                raise conflict(change)


def subject(change: Change) -> tuple[type[Record], str]:
    """The class and the id of the record that a change is about."""
    if isinstance(change, Delete | Patch):
        return change.kind, change.id
    return type(change.record), change.record.id


def conflict(*changes: Change) -> ConflictError:
    """The error for a change that found the record otherwise than expected, or for one of several that did."""
    about = ", ".join(f"{kind.collection}/{id}" for kind, id in map(subject, changes))
    if len(changes) > 1:
        return ConflictError(f"Of {about} at least one was written by somebody else first.")
    return ConflictError(f"{type(changes[0]).__name__} of {about}: somebody else wrote first.")


def _check_values(kind: type[Record], values: Mapping[str, object]) -> None:
    unknown = values.keys() - (kind.model_fields.keys() - {"id", "version"})
    if unknown or not values:
        raise ValueError(f"{kind.__name__} has no fields to patch named {', '.join(sorted(unknown)) or 'nothing'}")
