"""A record as a Firestore document and back: native maps, so that Google's console shows what is there.

Dates are ISO strings, spans of time whole seconds or else ISO 8601 durations; everything
else has a type of Firestore's own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from hedgerow.adapters.index_choice import indexed_fields
from hedgerow.lifting import FIRST, SCHEMA, check_schema, lifted

if TYPE_CHECKING:
    from google.cloud.firestore_v1.types import Document

    from hedgerow.records import Record

R = TypeVar("R", bound="Record")

MARK = "_mark"
"""A random field of every write: Firestore keeps the update time of a write that changes nothing,
and two equal swaps would then both win."""

MICROSECONDS = 1_000_000


def encode_record(record: Record, name: str) -> Any:
    """The protobuf document of a record, to be stored under the full document `name`.

    An indexed field that is None is left out: Firestore would sort it first.
    """
    document = _document(type(record), record.model_dump(exclude={"id"}), name)
    if record.schema_version > FIRST:
        document.fields[SCHEMA].integer_value = record.schema_version
    return document


def encode_values(kind: type[Record], values: Mapping[str, object], name: str) -> Any:
    """The protobuf document with some fields of a record, to be written over those of the document `name`."""
    fields: dict[str, Any] = dict(values)
    return _document(kind, kind.model_construct(**fields).model_dump(include=set(values)), name)


def _document(kind: type[Record], fields: Mapping[str, object], name: str) -> Any:
    from google.cloud.firestore_v1.types import Document

    indexed = indexed_fields(kind)
    document = Document.pb()(name=name)
    for field, value in fields.items():
        if value is not None or field not in indexed:
            _fill(document.fields[field], value)
    document.fields[MARK].string_value = secrets.token_hex(4)
    return document


def decode_record(kind: type[R], document: Document) -> R:
    """The record in a document, with the document's update time as its version, negative when it was lifted."""
    from google.cloud.firestore_v1.types import Document

    stored = Document.pb(document)
    fields = {name: _read(value) for name, value in stored.fields.items() if name not in {MARK, SCHEMA}}
    fields["id"] = id = stored.name.rsplit("/", 1)[1]
    version = to_version(stored.update_time)
    schema = stored.fields[SCHEMA].integer_value if SCHEMA in stored.fields else FIRST
    if schema != kind.schema_version:
        check_schema(kind, id, schema)
        return lifted(kind, fields, schema).model_copy(update={"version": -version})
    for name in indexed_fields(kind):
        if kind.model_fields[name].is_required():
            fields.setdefault(name, None)
    return kind.model_validate({**fields, "version": version})


def encode_value(value: object) -> Any:
    """One value as Firestore's protobuf `Value`."""
    from google.cloud.firestore_v1.types import Value

    encoded = Value.pb()()
    _fill(encoded, value)
    return encoded


def to_version(update_time: Any) -> int:
    """An update time as an integer: microseconds since 1970, as fine as Firestore's preconditions are."""
    return int(update_time.seconds) * MICROSECONDS + int(update_time.nanos) // 1000


def to_update_time(version: int) -> dict[str, int]:
    """The update time that a version stands for, as the fields of a protobuf `Timestamp`."""
    seconds, microseconds = divmod(abs(version), MICROSECONDS)
    return {"seconds": seconds, "nanos": microseconds * 1000}


def _fill(target: Any, value: object) -> None:
    match value:
        case None:
            target.null_value = 0
        case Enum():
            _fill(target, value.value)
        case bool():
            target.boolean_value = value
        case int():
            target.integer_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case bytes():
            target.bytes_value = value
        case datetime():
            target.timestamp_value.FromDatetime(value.astimezone(UTC))
        case date():
            target.string_value = value.isoformat()
        case timedelta():
            _fill_span(target, value)
        case Mapping():
            _fill_map(target, value)
        case list() | tuple() | set() | frozenset():
            _fill_array(target, value)
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be stored")


def _fill_span(target: Any, span: timedelta) -> None:
    from pydantic_core import to_jsonable_python

    # A fraction as a float would lose microseconds on its way through pydantic.
    if span.microseconds:
        target.string_value = to_jsonable_python(span)
    else:
        target.integer_value = span // timedelta(seconds=1)


def _fill_map(target: Any, entries: Mapping[object, object]) -> None:
    target.map_value.SetInParent()
    for key, entry in entries.items():
        _fill(target.map_value.fields[key.isoformat() if isinstance(key, date) else str(key)], entry)


def _fill_array(target: Any, entries: list[object] | tuple[object, ...] | set[object] | frozenset[object]) -> None:
    target.array_value.SetInParent()
    for entry in entries:
        if isinstance(entry, list | tuple | set | frozenset):
            raise TypeError("Firestore takes no array inside an array: put a model between them")
        _fill(target.array_value.values.add(), entry)


def _read(value: Any) -> object:
    match value.WhichOneof("value_type"):
        case "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "map_value":
            return {key: _read(entry) for key, entry in value.map_value.fields.items()}
        case "array_value":
            return [_read(entry) for entry in value.array_value.values]
        case str(name):
            stored: object = getattr(value, name)
            return stored
    raise ValueError("a value of no type was stored")
