"""An import that may overwrite says what, warns of who else writes, and asks; a refused one leaves nothing behind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.models import Tenant
from hedgerow.ports import Swap
from tests.cli_process import hedgerow
from tests.journeys.conftest import KEY


async def renamed(data: Path, name: str) -> None:
    """Another name for every tenant, written after the export."""
    store = SqliteStore(data / "store.db")
    for tenant in (await store.find(Tenant)).items:
        await store.commit(Swap(tenant.model_copy(update={"name": name})))
    await store.close()


async def names(data: Path) -> set[str]:
    store = SqliteStore(data / "store.db")
    found = {tenant.name for tenant in (await store.find(Tenant)).items}
    await store.close()
    return found


@pytest.fixture
def served(data: Path) -> Iterator[None]:
    """A server has taken the folder, as `hedgerow dev` takes it."""
    with (data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@pytest.mark.parametrize(("typed", "code"), [("", 2), ("n\n", 1)])
async def test_nothing_is_replaced_without_a_yes(data: Path, export: Path, typed: str, code: int) -> None:
    await renamed(data, "Written since")
    asked = hedgerow("import-data", str(export), "--data", str(data), "--replace", stdin=typed)
    assert asked.returncode == code
    assert "would be overwritten: " in asked.stderr
    assert " of tenants" in asked.stderr
    assert "server runs" not in asked.stderr
    assert await names(data) == {"Written since"}


@pytest.mark.parametrize(("options", "typed"), [(("--yes",), ""), ((), "y\n")])
async def test_a_yes_replaces(data: Path, export: Path, options: tuple[str, ...], typed: str) -> None:
    await renamed(data, "Written since")
    done = hedgerow("import-data", str(export), "--data", str(data), "--replace", "--json", *options, stdin=typed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] >= 1
    assert "would be overwritten" in done.stderr
    assert "Written since" not in await names(data)


async def test_where_nothing_differs_nobody_is_asked(data: Path, export: Path) -> None:
    done = hedgerow("import-data", str(export), "--data", str(data), "--replace")
    assert (done.returncode, "overwritten" in done.stderr) == (0, False)


@pytest.mark.usefixtures("served")
async def test_a_server_on_the_folder_is_told_of_with_replace_alone(data: Path, export: Path) -> None:
    warned = hedgerow("import-data", str(export), "--data", str(data), "--replace", "--yes")
    assert warned.returncode == 0
    assert f"A server runs on {data}" in warned.stderr
    assert "A server runs" not in hedgerow("import-data", str(export), "--data", str(data)).stderr


@pytest.mark.parametrize("there", ["no folder", "an empty folder", "a folder with a key of another"])
def test_a_refused_import_leaves_the_place_as_it_was(export: Path, tmp_path: Path, there: str) -> None:
    place = tmp_path / "new" / "place"
    if there != "no folder":
        place.mkdir(parents=True)
    if "key" in there:
        (place / "sealing.key").write_text("11" * 32 + "\n")
    before = sorted(tmp_path.rglob("*"))
    refused = hedgerow("import-data", str(export), "--data", str(place))
    assert (refused.returncode, "wrong_vault_key" in refused.stderr) == (4, True)
    assert f"to {place / 'sealing.key'}" in refused.stderr
    assert sorted(tmp_path.rglob("*")) == before
    nowhere = hedgerow("import-data", str(tmp_path / "no-export"), "--data", str(place))
    assert (nowhere.returncode, "There is no export" in nowhere.stderr) == (4, True)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_without_its_key_gets_no_fresh_one_from_a_refused_import(data: Path, export: Path) -> None:
    (data / "sealing.key").unlink()
    refused = hedgerow("import-data", str(export), "--data", str(data))
    assert "sealing_key_missing" in refused.stderr
    assert not (data / "sealing.key").exists()
    (data / "sealing.key").write_text(KEY + "\n")
    assert hedgerow("import-data", str(export), "--data", str(data)).returncode == 0


def test_a_line_that_is_no_record_is_refused_before_the_first_is_written(export: Path, tmp_path: Path) -> None:
    file, manifest = export / "tenants.ndjson", export / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"tier":"', b'"tier":"no-', 1))
    said = json.loads(manifest.read_text())
    said["collections"]["tenants"] |= {
        "bytes": file.stat().st_size,
        "sha256": sha256(file.read_bytes()).hexdigest(),
    }
    manifest.write_text(json.dumps(said))
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(tmp_path / "data" / "sealing.key", place)
    refused = hedgerow("import-data", str(export), "--data", str(place))
    assert (refused.returncode, "no record of it" in refused.stderr) == (4, True)
    assert [file.name for file in place.iterdir()] == ["sealing.key"]


@pytest.mark.parametrize("there", [True, False])
def test_of_two_imports_at_once_one_is_refused_and_takes_nothing_away(
    export: Path, tmp_path: Path, there: bool
) -> None:
    """The one that is refused used to remove the store that the other wrote, which then reported success."""
    place = tmp_path / "place"
    place.mkdir()
    if there:
        (place / "store.db").touch()
    folder = os.open(place, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    refused = hedgerow("import-data", str(export), "--data", str(place))
    os.close(folder)
    assert (refused.returncode, "import_under_way" in refused.stderr) == (4, True)
    assert [file.name for file in place.iterdir()] == (["store.db"] if there else [])


def rewritten(export: Path, collection: str, lines: bytes, records: int) -> None:
    """Another file of a collection, and a manifest that knows of it."""
    (export / f"{collection}.ndjson").write_bytes(lines)
    said = json.loads((export / "manifest.json").read_text())
    said["collections"][collection] |= {"records": records, "bytes": len(lines), "sha256": sha256(lines).hexdigest()}
    (export / "manifest.json").write_text(json.dumps(said))


def test_secrets_that_this_key_does_not_open_replace_none_of_the_same_id(data: Path, export: Path) -> None:
    lines = [json.loads(line) for line in (export / "sealed_secrets.ndjson").read_bytes().splitlines()]
    for line in lines:
        line["nonce"] = line["nonce"][:-4] + "AAAA"
    rewritten(export, "sealed_secrets", b"".join(json.dumps(line).encode() + b"\n" for line in lines), len(lines))
    before = (data / "store.db").read_bytes()
    refused = hedgerow("import-data", str(export), "--data", str(data), "--replace", "--yes")
    assert (refused.returncode, "wrong_vault_key" in refused.stderr) == (4, True)
    assert (data / "store.db").read_bytes() == before


def test_an_export_may_name_a_file_of_secrets_without_one(data: Path, export: Path) -> None:
    rewritten(export, "sealed_secrets", b"", 0)
    assert hedgerow("import-data", str(export), "--data", str(data)).returncode == 0


def test_a_place_that_cannot_be_a_folder_is_said_in_a_line(export: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = hedgerow("import-data", str(export), "--data", str(tmp_path / "file" / "place"))
    assert (refused.returncode, "Traceback" in refused.stderr) == (4, False)
    assert "cannot be a folder" in refused.stderr
