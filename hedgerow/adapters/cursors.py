"""The opaque cursor of a page: where the last record stood in the order of its index.

It carries values, not a position, so that records written or removed between two pages
neither repeat nor hide others. Callers get it from users, so everything in it is checked.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hedgerow.errors import InvalidError
from hedgerow.records import is_possible_id

if TYPE_CHECKING:
    from hedgerow.adapters.index_choice import IndexChoice
    from hedgerow.records import Record


@dataclass(frozen=True, slots=True)
class Place:
    """The values of the ordered fields of one record, and its id."""

    values: tuple[object, ...]
    id: str


def encode_cursor(record: Record, choice: IndexChoice) -> str:
    """The cursor that stands behind `record`."""
    values = [_encode(getattr(record, field.name)) for field in choice.order]
    text = json.dumps([_order_of(type(record), choice), values, record.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type[Record], choice: IndexChoice) -> Place:
    """The place a cursor names; `InvalidError` when it is broken or of another question."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        order, values, id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if order != _order_of(kind, choice) or len(values) != len(choice.order):
            raise ValueError
        place = Place(values=tuple(_decode(value) for value in values), id=id)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        raise _broken() from None
    if not isinstance(id, str) or not is_possible_id(id):
        raise _broken()
    return place


def _order_of(kind: type[Record], choice: IndexChoice) -> str:
    fields = ["-" * field.descends + field.name for field in choice.order]
    return " ".join([kind.collection, *fields, "-id" if choice.id_descends else "id"])


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    return value if isinstance(value, str | int | float) else str(value)


def _decode(value: object) -> object:
    if isinstance(value, dict):
        instant = datetime.fromisoformat(value["at"])
        if instant.tzinfo is None:
            raise ValueError("an instant without a zone")
        # Here, where it is still the cursor's fault: close to the calendar's ends UTC may have no such instant.
        return instant.astimezone(UTC)
    if isinstance(value, str):
        value.encode()
        return value
    if isinstance(value, int | float) and abs(value) < 2**63:
        return value
    raise ValueError("not a value of an index")


def _broken() -> InvalidError:
    return InvalidError(
        "The cursor is broken or belongs to another list.",
        code="invalid_cursor",
        hint="Start again without a cursor.",
    )
