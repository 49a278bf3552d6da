"""Which declared index serves a `find`, and in what order: decided once, for every store.

Refuses what no index of the class serves, because Google's emulator would answer it and
the real service would not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.ports import Where
    from hedgerow.records import Index, Record


@dataclass(frozen=True, slots=True)
class OrderedField:
    """A field the answer is ordered by."""

    name: str
    descends: bool


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """How a question will be answered. `index` is None when it is answered in the order of ids."""

    index: Index | None
    equal: tuple[Where, ...]
    ranged: tuple[Where, ...]
    order: tuple[OrderedField, ...]
    id_descends: bool


def choose_index(kind: type[Record], where: Sequence[Where]) -> IndexChoice:
    """The shortest index of `kind` that serves the conditions; `ValueError` when none does."""
    for condition in where:
        _check_value(kind, condition)
    if not where:
        return IndexChoice(index=None, equal=(), ranged=(), order=(), id_descends=False)
    for index in sorted(kind.indexes, key=lambda declared: len(declared.fields)):
        choice = _fit(index, where)
        if choice is not None:
            return choice
    asked = ", ".join(f"{condition.field} {condition.operator}" for condition in where)
    raise ValueError(f"{kind.__name__} declares no index for ({asked})")


def indexed_fields(kind: type[Record]) -> tuple[str, ...]:
    """Every field that some index of `kind` uses, once, in the order of declaration."""
    seen: dict[str, None] = {}
    for index in kind.indexes:
        for field in index.fields:
            seen[_ordered(field).name] = None
    unknown = [name for name in seen if name not in kind.model_fields]
    if unknown:
        raise ValueError(f"{kind.__name__} declares an index over unknown fields: {', '.join(unknown)}")
    return tuple(seen)


def ordered_fields(index: Index) -> tuple[OrderedField, ...]:
    """The fields of an index with their directions."""
    return tuple(_ordered(field) for field in index.fields)


def _ordered(field: str) -> OrderedField:
    return OrderedField(name=field.removeprefix("-"), descends=field.startswith("-"))


def _fit(index: Index, where: Sequence[Where]) -> IndexChoice | None:
    fields = ordered_fields(index)
    equal = tuple(condition for condition in where if condition.operator == "==")
    ranged = tuple(condition for condition in where if condition.operator != "==")
    leading = {field.name for field in fields[: len(equal)]}
    if len(equal) > len(fields) or leading != {condition.field for condition in equal}:
        return None
    order = fields[len(equal) :]
    if ranged and (not order or len(ranged) > 2 or any(each.field != order[0].name for each in ranged)):
        return None
    return IndexChoice(index=index, equal=equal, ranged=ranged, order=order, id_descends=fields[-1].descends)


def _check_value(kind: type[Record], condition: Where) -> None:
    value = condition.value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{kind.__name__}.{condition.field} is compared with an instant without a zone")
    elif not isinstance(value, str | int | float | date):
        raise TypeError(f"{kind.__name__}.{condition.field} cannot be compared with {type(value).__name__}")
