"""The walk that writes records of an older schema anew, so that every index knows their new fields.

Reading lifts them anyway; a `find` by a field that a lift made finds them on Firestore only
after this. Killed and run again it has less left to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.errors import ConflictError
from hedgerow.lifting import FIRST
from hedgerow.ports import Swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.cli.operations.moving.exporting import Tell
    from hedgerow.ports import Store
    from hedgerow.records import Record

PAGE = 50


async def upgrade(store: Store, kinds: Sequence[type[Record]], tell: Tell) -> dict[str, int]:
    """How many records were written anew, by collection; those whose schema never changed are not looked at."""
    written: dict[str, int] = {}
    for kind in kinds:
        if kind.schema_version > FIRST:
            written[kind.collection] = await _walk(store, kind, tell)
    return written


async def _walk(store: Store, kind: type[Record], tell: Tell) -> int:
    number = seen = 0
    cursor: str | None = None
    while True:
        page = await store.find(kind, limit=PAGE, cursor=cursor)
        for record in page.items:
            number += await _anew(store, record) if record.version < 0 else 0
        seen += len(page.items)
        tell(kind.collection, seen)
        cursor = page.next_cursor
        if cursor is None:
            return number


async def _anew(store: Store, record: Record) -> bool:
    try:
        await store.commit(Swap(record))
    except ConflictError:
        # Somebody wrote it meanwhile, with today's schema, or removed it.
        return False
    return True
