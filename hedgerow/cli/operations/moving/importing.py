"""An import: the records of an export into a store, each read again and compared with its line.

Nothing is written before the whole export was checked and the store holds no other record
under the same id. Killed anywhere and run again, it passes over what is there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from hedgerow.cli.operations.collections import every_record
from hedgerow.cli.operations.moving.belonging import moved
from hedgerow.cli.operations.moving.folder import AGAIN
from hedgerow.cli.operations.moving.lines import line_of, record_of
from hedgerow.errors import ConflictError, HedgerowError, InvalidError, MissingError, StateConflictError
from hedgerow.ports import Add, Swap
from hedgerow.sealed_secrets import Opener, SealedSecret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hedgerow.app import App
    from hedgerow.cli.operations.moving.exporting import Tell
    from hedgerow.cli.operations.moving.folder import Folder, Manifest
    from hedgerow.ports import Change, Store
    from hedgerow.records import Record

PAGE, PAGE_BYTES = 100, 4_000_000
"""Of one commit: Firestore takes 10 MB."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: records written, records that were there already, secrets that were left out."""

    written: int
    there: int
    secrets_left_out: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """An export that may come in: what of it, and how many records by collection it would take the place of."""

    manifest: Manifest
    kinds: tuple[type[Record], ...]
    secrets_left_out: int
    overwritten: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Choices:
    """How to import. `replace`: over records of the same id; `secrets`: sealed ones too."""

    replace: bool = False
    secrets: bool = True


def checked(folder: Folder) -> Manifest:
    """The manifest of an export that is whole and that this release can read, to the byte."""
    manifest = folder.manifest()
    if manifest is None:
        if folder.unfinished() is not None:
            raise StateConflictError(
                f"The export in {folder.path} is not finished.",
                code="unfinished_export",
                hint="Run hedgerow export-data on that folder again; it goes on where it stopped.",
            )
        raise MissingError(f"There is no export in {folder.path}.", hint="Name the folder that holds manifest.json.")
    known = {kind.collection: kind for kind in every_record()}
    for collection, entry in manifest.collections.items():
        if collection not in known or entry.schema_version > known[collection].schema_version:
            version = known[collection].schema_version if collection in known else "none"
            raise StateConflictError(
                f"The export's {collection} have schema version {entry.schema_version}; this release knows {version}.",
                code="newer_export",
                hint="Deploy the release that made the export, or a newer one, then import.",
            )
        if folder.size_and_digest(collection) != (entry.bytes, entry.sha256):
            raise InvalidError(
                f"{folder.of(collection)} is not what the manifest says: it was cut short or edited.",
                code="damaged_export",
                hint=AGAIN,
            )
    return manifest


async def bring_in(app: App, folder: Folder, choices: Choices, tell: Tell) -> Imported:
    """Import the folder's export."""
    return await write(app, folder, await prepared(app, folder, choices), choices, tell)


async def prepared(app: App, folder: Folder, choices: Choices) -> Prepared:
    """Check all that can be refused, every line included; nothing is written, and a sealed secret is tried."""
    manifest = checked(folder)
    kinds = [kind for kind in moved(None) if kind.collection in manifest.collections]
    left_out = 0
    if SealedSecret in kinds and not (choices.secrets and app.settings.vault == "sealed"):
        kinds.remove(SealedSecret)
        left_out = manifest.collections[SealedSecret.collection].records
    overwritten: dict[str, int] = {}
    for kind in kinds:
        if number := await _compare(app.store, folder, manifest, kind, choices):
            overwritten[kind.collection] = number
    if SealedSecret in kinds and isinstance(app.vault, Opener):
        _check_key(app, app.vault, folder, manifest)
    return Prepared(manifest, tuple(kinds), left_out, overwritten)


async def write(app: App, folder: Folder, export: Prepared, choices: Choices, tell: Tell) -> Imported:
    """Write what was prepared, page by page."""
    written = total = 0
    for kind in export.kinds:
        done = 0
        for page in _pages(folder, export.manifest, kind):
            written += await _write(app.store, kind, page, choices)
            done += len(page)
            tell(kind.collection, done)
        total += done
    return Imported(written, total - written, export.secrets_left_out)


def _check_key(app: App, vault: Opener, folder: Folder, manifest: Manifest) -> None:
    """A vault with another key would open none of the secrets, and every sync would fail for a reason of ours."""
    secret = next(chain.from_iterable(_pages(folder, manifest, SealedSecret)), None)
    if not isinstance(secret, SealedSecret):
        return  # There is none.
    try:
        vault.opened(secret)
    except HedgerowError as error:
        if error.code != "wrong_vault_key":
            raise
        raise StateConflictError(
            "The sealing key of this installation does not open the export's secrets.",
            code=error.code,
            hint=f"{_key_wanted(app)}; or say --without-secrets and give each connection its personal API key again.",
        ) from error


def _key_wanted(app: App) -> str:
    if app.settings.sealing_key is None and app.settings.store == "sqlite":
        return f"Copy the sealing.key of the installation they come from to {app.settings.data / 'sealing.key'}"
    return "Set HEDGEROW_SEALING_KEY to the key of the installation they come from"


async def _compare(store: Store, folder: Folder, manifest: Manifest, kind: type[Record], choices: Choices) -> int:
    """How many records of the store differ from the export's of the same id; refused unless they may be replaced."""
    is_empty = not await store.count(kind)
    different = 0
    for page in _pages(folder, manifest, kind):
        there = [None] * len(page) if is_empty else await store.get_many(kind, [record.id for record in page])
        for record, held in zip(page, there, strict=True):
            if held is not None and line_of(held) != line_of(record):
                if not choices.replace:
                    raise _other(held)
                different += 1
    return different


async def _write(store: Store, kind: type[Record], page: list[Record], choices: Choices) -> int:
    """How many records of the page were written; whoever writes to them at the same time is asked again."""
    for _ in range(TRIES):
        changes: list[Change] = []
        there = await store.get_many(kind, [record.id for record in page])
        for record, held in zip(page, there, strict=True):
            if held is None:
                changes.append(Add(record))
            elif line_of(held) != line_of(record):
                if not choices.replace:
                    raise _other(held)
                changes.append(Swap(record.model_copy(update={"version": held.version})))
        try:
            await store.commit(*changes)
        except ConflictError:
            continue
        if changes:
            await _read_back(store, kind, page)
        return len(changes)
    raise StateConflictError(
        f"Somebody else keeps writing to {kind.collection}.",
        hint="Pause the schedules (hedgerow schedules pause) and run the import again; it goes on.",
    )


async def _read_back(store: Store, kind: type[Record], page: list[Record]) -> None:
    for record, held in zip(page, await store.get_many(kind, [record.id for record in page]), strict=True):
        if held is None or line_of(held) != line_of(record):
            raise StateConflictError(
                f"{kind.collection}/{record.id} is not in the store as it was written.",
                code="not_as_written",
                hint="Pause the schedules (hedgerow schedules pause), then import again with --replace.",
            )


def _pages(folder: Folder, manifest: Manifest, kind: type[Record]) -> Iterator[list[Record]]:
    """The records of a collection's file, in pages that one commit takes."""
    page: list[Record] = []
    size = 0
    for line in folder.lines(kind.collection):
        if page and (len(page) == PAGE or size + len(line) > PAGE_BYTES):
            yield page
            page, size = [], 0
        record = record_of(kind, line, manifest.collections[kind.collection].schema_version)
        if any(record.id == each.id for each in page):
            raise InvalidError(f"{kind.collection}/{record.id} is twice in the export.", hint=AGAIN)
        page.append(record)
        size += len(line)
    if page:
        yield page


def _other(held: Record) -> StateConflictError:
    return StateConflictError(
        f"The store holds another {type(held).collection}/{held.id} than the export.",
        code="other_record",
        hint="Import into an empty store, or say --replace: the export's record then takes its place.",
    )
