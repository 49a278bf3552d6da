"""The process dies before or after every read, commit and file of an export or an import.

Run again, each goes on: the folder is the same to the byte as of an export that nobody
disturbed, the store holds every record once, and nothing else.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from pydantic import SecretStr

from hedgerow.adapters.firestore import FirestoreStore
from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.cli.operations.moving import importing
from hedgerow.cli.operations.moving.exporting import export
from hedgerow.cli.operations.moving.folder import Folder
from hedgerow.cli.operations.moving.importing import Choices, bring_in
from hedgerow.models import Tenant
from hedgerow.ports import Add
from tests.crash import Crash, Fuse, armed, every_fuse
from tests.moving_stage import everything
from tests.stage import NOW, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from hedgerow.cli.operations.moving.folder import Manifest, Unfinished
    from hedgerow.ports import Store
    from hedgerow.records import Record

Held = dict["type[Record]", dict[str, "Record"]]
TENANTS, OWNER = importing.PAGE + 5, 7


class DyingFolder(Folder):
    """A folder behind a fuse. A process that dies before it has noted its lines may have written half of them."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path)
        self._fuse = fuse

    def append(self, collection: str, begin: int, lines: bytes) -> None:
        """Write half of the lines, then the whole."""
        super().append(collection, begin, lines[: len(lines) // 2]) if not self._fuse.blown else None
        here = self._fuse.reach(f"folder.append {collection}")
        super().append(collection, begin, lines)
        if here:
            self._fuse.blow(collection)

    def keep(self, note: Unfinished) -> None:
        """Remember how far the export came."""
        here = self._fuse.reach("folder.keep")
        super().keep(note)
        if here:
            self._fuse.blow("keep")

    def finish(self, manifest: Manifest) -> None:
        """Say that the export is whole; a process may die between the manifest and the note's removal."""
        note = self.unfinished()
        here = self._fuse.reach("folder.finish")
        super().finish(manifest)
        if here:
            if note is not None:
                super().keep(note)
            self._fuse.blow("finish")


def silent(collection: str, done: int) -> None:
    """Nobody listens."""


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(params=["sqlite", "firestore"])
async def stage(request: pytest.FixtureRequest, project: str) -> AsyncIterator[Stage]:
    """Enough records for two commits of an import, and a tenant with two connections and their secrets."""
    store: Store
    if request.param == "sqlite":
        store = SqliteStore(":memory:")
    else:
        store = FirestoreStore(project, emulator_host=request.getfixturevalue("firestore_host"))
    async with staged(store=store) as made:
        some = [Tenant(id=f"ten_{number:04}", name="n", tier="pro", created_at=NOW) for number in range(TENANTS)]
        await store.commit(*map(Add, some))
        for project_id in ("1", "2"):
            await made.connection(some[OWNER], project=project_id)
        yield made
    await store.close()


@pytest.fixture
def empty(request: pytest.FixtureRequest, stage: Stage) -> Callable[[], Store]:
    """Makes an empty store of the same kind."""
    if isinstance(stage.store, SqliteStore):
        return lambda: SqliteStore(":memory:")
    host: str = request.getfixturevalue("firestore_host")
    return lambda: FirestoreStore(f"moved-{uuid4().hex[:12]}", emulator_host=host)


def fuses(counted: Fuse) -> Iterator[Fuse]:
    """Between two numbered calls nothing is written, so after one is before the next; only the last has an after."""
    return (fuse for fuse in every_fuse(len(counted.calls)) if not fuse.after or fuse.at == len(counted.calls))


async def dies(flow: Awaitable[object], fuse: Fuse) -> None:
    with pytest.raises(Crash):
        await flow
    assert fuse.blown


@pytest.mark.parametrize("whose", [None, f"ten_{OWNER:04}"])
async def test_an_export_that_dies_anywhere_goes_on_to_the_same_folder(
    stage: Stage, tmp_path: Path, whose: str | None
) -> None:
    """Of everything, and of a tenant, which asks more than one question of a collection."""
    counted = Fuse()
    await export(armed(stage.app, counted), DyingFolder(tmp_path / "whole", counted), whose, silent)
    whole = contents(tmp_path / "whole")
    assert len(whole["sealed_secrets.ndjson"].splitlines()) == 2
    assert len(whole["tenants.ndjson"].splitlines()) == (1 if whose else TENANTS)
    for fuse in fuses(counted):
        folder = tmp_path / f"{fuse.at}{fuse.after}"
        await dies(export(armed(stage.app, fuse), DyingFolder(folder, fuse), whose, silent), fuse)
        await export(stage.app, Folder(folder), whose, silent)
        assert contents(folder) == whole, (counted.calls[(fuse.at or 1) - 1], fuse.after)


async def test_an_export_that_dies_again_and_again_comes_to_its_end(stage: Stage, tmp_path: Path) -> None:
    await export(stage.app, Folder(tmp_path / "whole"), None, silent)
    deaths = 0
    for at in itertools.count(5):
        fuse = Fuse(at, after=bool(at % 2))
        try:
            await export(armed(stage.app, fuse), DyingFolder(tmp_path / "one", fuse), None, silent)
        except Crash:
            deaths += 1
        else:
            break
    assert deaths >= 3
    assert contents(tmp_path / "one") == contents(tmp_path / "whole")


@pytest.mark.parametrize("over", ["nothing", "others"])
async def test_an_import_that_dies_anywhere_goes_on_to_the_same_store(
    stage: Stage, tmp_path: Path, empty: Callable[[], Store], over: str
) -> None:
    """Into an empty store, and with --replace over other records of the same ids."""
    await export(stage.app, Folder(tmp_path / "one"), None, silent)
    choices = Choices(replace=over == "others")
    counted = Fuse()
    wanted = await moved_with(empty(), counted, tmp_path / "one", choices)
    assert sum(len(held) for held in wanted.values()) > 3
    for fuse in fuses(counted):
        held = await moved_with(empty(), fuse, tmp_path / "one", choices)
        assert held == wanted, (counted.calls[(fuse.at or 1) - 1], fuse.after)


async def moved_with(store: Store, fuse: Fuse, folder: Path, choices: Choices) -> Held:
    """What a store holds after an import that this fuse cut short and that was run again, twice."""
    async with staged(store=store) as there:
        if choices.replace:
            await there.add(Tenant(id="ten_0007", name="Another", tier="scale", created_at=NOW))
            await there.app.vault.write("con_other", SecretStr("phx_other"))
        before = await everything(store)
        imported = bring_in(armed(there.app, fuse), Folder(folder), choices, silent)
        if fuse.at is None:
            await imported
        else:
            await dies(imported, fuse)
            await bring_in(there.app, Folder(folder), choices, silent)
        again = await bring_in(there.app, Folder(folder), choices, silent)
        assert again.written == 0
        held = await everything(store)
        own = {kind: set(before[kind]) - {"ten_0007"} for kind in before}
    await store.close()
    return {
        kind: {id: record for id, record in records.items() if id not in own[kind]} for kind, records in held.items()
    }
