"""An export: every record of a tenant, or of the whole store, into a folder, page by page.

Killed anywhere and run again it goes on after the last page that was on the disk. It is no
snapshot: what is written meanwhile may be in it or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from hedgerow.cli.operations.collections import every_record
from hedgerow.cli.operations.moving.belonging import moved, owned_by, questions
from hedgerow.cli.operations.moving.folder import FileEntry, Manifest, Unfinished
from hedgerow.cli.operations.moving.lines import line_of
from hedgerow.errors import StateConflictError

if TYPE_CHECKING:
    from hedgerow.app import App
    from hedgerow.cli.operations.moving.belonging import Owned
    from hedgerow.cli.operations.moving.folder import Folder
    from hedgerow.records import Record
    from hedgerow.settings import Settings

PAGE, FIRST_PAGE, PAGE_BYTES = 200, 5, 4_000_000
"""Records in memory at a time: a few to see how long they are, then as many as are so many bytes, for one may be 1 MB."""

Tell = Callable[[str, int], None]
"""How far it is: a collection, and how many of its records are done."""


async def export(app: App, folder: Folder, tenant_id: str | None, tell: Tell) -> Manifest:
    """The manifest of the export, once it is whole."""
    manifest = folder.manifest()
    if manifest is not None:
        return _ended(folder, manifest)
    folder.make()
    with folder.held():
        return await _exported(app, folder, tenant_id, tell)


async def _exported(app: App, folder: Folder, tenant_id: str | None, tell: Tell) -> Manifest:
    owned = await owned_by(app.store, tenant_id) if tenant_id is not None else None
    note = _begun(folder, Unfinished(tenant_id=tenant_id, source=_source(app.settings), owned=_digest(owned)))
    for kind in moved(tenant_id):
        if kind.collection not in note.collections:
            note = await _collection(app, folder, kind, owned, note, tell)
    whole = {name: entry for name, entry in sorted(note.collections.items()) if entry.records}
    manifest = Manifest(tenant_id=tenant_id, collections=whole)
    folder.finish(manifest)
    return manifest


async def _collection(
    app: App, folder: Folder, kind: type[Record], owned: Owned | None, note: Unfinished, tell: Tell
) -> Unfinished:
    """The note once this collection's file is whole."""
    if note.at != kind.collection:
        note = note.model_copy(update={"at": kind.collection, "question": 0, "cursor": None, "records": 0, "bytes": 0})
    asked = questions(kind, owned)
    limit = FIRST_PAGE
    while note.question < len(asked):
        question = asked[note.question]
        page = await app.store.find(kind, *question.where, limit=limit, cursor=note.cursor)
        found = [(line_of(record), question.wanted(record)) for record in page.items]
        lines = [line for line, is_wanted in found if is_wanted]
        if found:
            limit = max(1, min(PAGE, PAGE_BYTES // max(len(line) for line, _ in found)))
        if lines:
            folder.append(kind.collection, note.bytes, b"".join(lines))
        ends = page.next_cursor is None
        note = note.model_copy(
            update={
                "question": note.question + ends,
                "cursor": page.next_cursor,
                "records": note.records + len(lines),
                "bytes": note.bytes + sum(map(len, lines)),
            }
        )
        # A question that found nothing is asked again sooner than it is noted.
        if lines:
            folder.keep(note)
            tell(kind.collection, note.records)
    entry = _finished(folder, kind, note)
    note = note.model_copy(update={"collections": {**note.collections, kind.collection: entry}, "at": None})
    folder.keep(note)
    return note


def _finished(folder: Folder, kind: type[Record], note: Unfinished) -> FileEntry:
    if not note.records:
        folder.of(kind.collection).unlink(missing_ok=True)
        return FileEntry(schema_version=kind.schema_version, records=0, bytes=0, sha256="")
    # A page may have been written that a killed process did not come to note.
    folder.append(kind.collection, note.bytes, b"")
    size, digest = folder.size_and_digest(kind.collection)
    return FileEntry(schema_version=kind.schema_version, records=note.records, bytes=size, sha256=digest)


def _begun(folder: Folder, wanted: Unfinished) -> Unfinished:
    """The note to go on from; a new one where nothing was begun or what is asked for has changed since."""
    held = folder.unfinished()
    if held is None and any(folder.path.glob("*.ndjson")):
        raise StateConflictError(
            f"{folder.path} holds files of something else.", code="folder_in_use", hint="Name an empty folder."
        )
    if held is not None and (held.tenant_id, held.source) != (wanted.tenant_id, wanted.source):
        raise StateConflictError(
            f"{folder.path} holds an unfinished export of {held.tenant_id or 'everything'} from {held.source}.",
            code="other_export",
            hint="Name another folder, or remove it.",
        )
    if held is not None and held.owned == wanted.owned:
        return held
    # Before any file: files without a note are somebody else's.
    folder.keep(wanted)
    return wanted


def _ended(folder: Folder, manifest: Manifest) -> Manifest:
    """A killed export may have come as far as its manifest; any other is one that nobody asks for twice."""
    if folder.unfinished() is None:
        raise StateConflictError(
            f"{folder.path} holds a finished export.", code="export_is_there", hint="Name another folder, or remove it."
        )
    folder.finish(manifest)
    return manifest


def _source(settings: Settings) -> str:
    if settings.store == "firestore":
        return f"{settings.project}/{settings.database}"
    return str(settings.data.resolve())


def _digest(owned: Owned | None) -> str:
    """Of what the questions are made from, and of what their answers are written as."""
    schemas = [(kind.collection, kind.schema_version) for kind in every_record()]
    return hashlib.sha256(repr((owned, schemas)).encode()).hexdigest()
