"""Is every declared index there, and may we read by it? Asks each for one record, so that no tick finds out first.

Meets on the way whatever a newer release wrote.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, get_args

from hedgerow.cli.operations.collections import every_record
from hedgerow.cli.operations.doctor.case import DAMAGED
from hedgerow.cli.operations.doctor.findings import fine, found
from hedgerow.errors import HedgerowError, NewerRecordError, TransientError
from hedgerow.ports import Where

if TYPE_CHECKING:
    from hedgerow.cli.operations.doctor.case import Case
    from hedgerow.cli.operations.doctor.findings import Finding
    from hedgerow.records import Index, Record

AT_ONCE = 8
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


async def check(case: Case) -> list[Finding]:
    """One finding for each index that fails."""
    places = asyncio.Semaphore(AT_ONCE)
    declared = [(kind, index) for kind in every_record() for index in kind.indexes]

    async def ask(kind: type[Record], index: Index) -> Finding | None:
        async with places:
            return await _ask(case, kind, index)

    answers = await asyncio.gather(*(ask(kind, index) for kind, index in declared))
    wrong = list({(each.code, each.subject): each for each in answers if each is not None}.values())
    return wrong or [fine("indexes", f"{len(declared)} declared queries answer")]


async def _ask(case: Case, kind: type[Record], index: Index) -> Finding | None:
    name = f"{kind.collection} ({', '.join(index.fields)})"
    try:
        await case.app.store.find(kind, *conditions(kind, index), limit=1)
    except NewerRecordError as error:
        return found("records.newer", kind.collection, error.detail, command=error.hint)
    except TransientError as error:
        if error.code == DAMAGED:
            return found("store.unreachable", case.settings.store, error.detail, command=error.hint)
        code = "store.index_missing" if error.code == "index_missing" else "store.refused"
        return found(code, name if code == "store.index_missing" else error.code, error.detail, command=error.hint)
    except HedgerowError as error:
        return found("store.refused", name, error.detail, command=error.hint)
    return None


def conditions(kind: type[Record], index: Index) -> tuple[Where, ...]:
    """Conditions that this index alone serves: equality on all fields but the last, a range on that."""
    *equal, last = (field.removeprefix("-") for field in index.fields)
    return (
        *(Where(field, "==", _value(kind, field)) for field in equal),
        Where(last, ">=", _value(kind, last)),
    )


def _value(kind: type[Record], field: str) -> object:
    types = _types(kind.model_fields[field].annotation)
    if datetime in types:
        return FIRST
    if bool in types or int in types:
        return 0
    return FIRST.date() if date in types else ""


def _types(annotation: object) -> set[object]:
    found: set[object] = {annotation}
    for inner in get_args(annotation):
        found |= _types(inner)
    return found
