"""A record as a line of an export and back: JSON with sorted keys, the same bytes on every store.

Left out is what only the store it came from can use: versions, and marks made of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import orjson
from pydantic import ValidationError

from hedgerow.errors import InvalidError
from hedgerow.lifting import lifted
from hedgerow.models import Connection
from hedgerow.records import Record, is_possible_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

R = TypeVar("R", bound=Record)

_HINT = "Import with the release that made the export, or a newer one."
_MARKS: Mapping[type[Record], Any] = {Connection: {"progress": {"slot_version", "slot_shared"}}}


def line_of(record: Record) -> bytes:
    """The record's line, with its line break."""
    shown = record.model_dump(mode="json", exclude=_MARKS.get(type(record)))
    return orjson.dumps(shown, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def record_of(kind: type[R], line: bytes, schema: int) -> R:
    """The record of a line that was written with this schema version; `InvalidError` when it cannot be whole."""
    try:
        fields = orjson.loads(line)
        record = lifted(kind, fields, schema)
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        # Pydantic's own words would show what the record holds.
        raise InvalidError(f"A line of {kind.collection} is no record of it.", hint=_HINT) from error
    if not is_possible_id(record.id):
        raise InvalidError(f"A line of {kind.collection} has an id that no store can hold.", hint=_HINT)
    if schema == kind.schema_version and not _holds(orjson.loads(line_of(record)), fields):
        raise InvalidError(f"{kind.collection}/{record.id} holds something this release would drop.", hint=_HINT)
    return record


def _holds(now: object, before: object) -> bool:
    """Is everything of `before` in `now`? There may be more: optional fields that came since."""
    if isinstance(now, dict) and isinstance(before, dict):
        return all(name in now and _holds(now[name], entry) for name, entry in before.items())
    if isinstance(now, list) and isinstance(before, list):
        return len(now) == len(before) and all(map(_holds, now, before))
    return now == before
