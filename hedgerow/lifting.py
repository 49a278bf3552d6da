"""Reading what another release wrote: older fields are lifted, newer ones refused. Pure; knows no store.

Stores write a record's schema version beside its fields, under `SCHEMA`, unless it is 1:
what the first release wrote has none.
"""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic_core import to_jsonable_python

from hedgerow.errors import NewerRecordError
from hedgerow.records import Fields, Record

R = TypeVar("R", bound=Record)

SCHEMA = "_schema"
FIRST = 1


def check_schema(kind: type[Record], id: str, stored: int) -> None:
    """Raise `NewerRecordError` for a schema version that this release does not know."""
    if stored > kind.schema_version:
        raise NewerRecordError(kind.collection, id, stored=stored, known=kind.schema_version)


def lifted(kind: type[R], fields: Fields, stored: int) -> R:
    """The record of fields that were written with an older schema version; `id` is among them.

    Values may be as JSON holds them or as Firestore does.
    """
    now: Fields = to_jsonable_python(fields, bytes_mode="base64")
    for version in range(stored, kind.schema_version):
        now = kind.lifts[version].change(now)
    return kind.model_validate_json(json.dumps(now))
