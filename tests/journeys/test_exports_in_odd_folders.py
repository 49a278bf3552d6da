"""Exports and imports whose folder is open, shared, edited or no folder: one line each, and no secret left open."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from hedgerow.cli.operations.moving import exporting, importing
from hedgerow.cli.operations.moving.folder import UNFINISHED, Folder, Unfinished
from hedgerow.cli.operations.moving.importing import Choices
from hedgerow.errors import InvalidError, StateConflictError
from tests.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as built:
        await built.tenant()
        yield built


def quiet(_: str, __: int) -> None:
    return


async def exported(stage: Stage, path: Path) -> Folder:
    folder = Folder(path)
    await exporting.export(stage.app, folder, None, quiet)
    return folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def rewritten(folder: Folder, lines: bytes) -> None:
    """Other tenants, and a manifest that says so."""
    folder.of("tenants").write_bytes(lines)
    manifest = folder.path / "manifest.json"
    said = json.loads(manifest.read_text())
    said["collections"]["tenants"] |= {
        "bytes": len(lines),
        "sha256": hashlib.sha256(lines).hexdigest(),
        "records": lines.count(b"\n"),
    }
    manifest.write_text(json.dumps(said))


async def test_an_export_resumed_in_a_copied_folder_is_its_owners_alone(stage: Stage, tmp_path: Path) -> None:
    folder = await exported(stage, tmp_path / "made")
    # As a kill before the manifest leaves it, copied by somebody whose files are open to all.
    (folder.path / "manifest.json").unlink()
    copy = Folder(tmp_path / "copy")
    shutil.copytree(folder.path, copy.path)
    note = Unfinished(tenant_id=None, source=exporting._source(stage.app.settings), owned=exporting._digest(None))
    (copy.path / UNFINISHED).write_text(note.model_dump_json())
    for file in copy.path.glob("*.ndjson"):
        file.chmod(0o644)
    await exporting.export(stage.app, copy, None, quiet)
    assert {mode(file) for file in copy.path.glob("*.ndjson")} == {0o600}


async def test_a_folder_that_anybody_may_write_into_is_refused(stage: Stage, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(InvalidError, match="Anybody on this machine"):
        await exported(stage, open_to_all)
    assert list(open_to_all.iterdir()) == []


async def test_of_two_exports_into_one_folder_the_second_is_refused(stage: Stage, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "both")
    folder.make()
    with folder.held(), pytest.raises(StateConflictError, match="Another export") as error:
        await exporting.export(stage.app, folder, None, quiet)
    assert error.value.code == "export_under_way"
    await exporting.export(stage.app, folder, None, quiet)
    assert folder.manifest() is not None


@pytest.mark.parametrize("what", ["device", "pipe", "folder"])
@pytest.mark.parametrize("name", ["tenants.ndjson", "manifest.json"])
async def test_what_is_no_file_is_refused_and_never_read(stage: Stage, tmp_path: Path, what: str, name: str) -> None:
    folder = await exported(stage, tmp_path / "made")
    file = folder.path / name
    file.unlink()
    if what == "device":
        file.symlink_to("/dev/zero")
    elif what == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(InvalidError, match="cannot be read"):
        await importing.bring_in(stage.app, folder, Choices(), quiet)


@pytest.mark.parametrize("id", ["", "../../x", "ten_\0", "x" * 3_000_000])
async def test_an_id_that_no_store_can_hold_is_refused(stage: Stage, tmp_path: Path, id: str) -> None:
    folder = await exported(stage, tmp_path / "made")
    first = json.loads(folder.of("tenants").read_bytes())
    rewritten(folder, json.dumps({**first, "id": id}).encode() + b"\n")
    with pytest.raises(InvalidError):
        await importing.bring_in(stage.app, folder, Choices(), quiet)


async def test_an_id_that_is_twice_in_a_file_is_refused(stage: Stage, tmp_path: Path) -> None:
    folder = await exported(stage, tmp_path / "made")
    line = folder.of("tenants").read_bytes()
    rewritten(folder, line + line.replace(b"Acme", b"Acmi"))
    async with staged() as other:
        with pytest.raises(InvalidError, match="twice in the export"):
            await importing.bring_in(other.app, folder, Choices(), quiet)


async def test_a_folder_that_takes_no_file_is_said_in_a_line_and_the_export_goes_on_once_it_does(
    stage: Stage, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "made" / f".{UNFINISHED}.new"
    in_the_way.mkdir(parents=True)
    with pytest.raises(InvalidError, match="cannot be written") as refused:
        await exported(stage, tmp_path / "made")
    assert "it goes on" in refused.value.hint
    in_the_way.rmdir()
    assert (await exported(stage, tmp_path / "made")).manifest() is not None
