"""Exports and imports by the command line, killed by a real SIGKILL, refused where they must be."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hedgerow.adapters.sqlite import SqliteStore
from hedgerow.models import Tenant
from hedgerow.ports import Add
from tests.cli_process import hedgerow
from tests.journeys.conftest import KEY
from tests.stage import NOW


def place(folder: Path, key: str = KEY) -> str:
    """An empty place with a sealing key."""
    folder.mkdir()
    (folder / "sealing.key").write_text(key + "\n")
    return str(folder)


def same(one: Path, two: Path) -> bool:
    return {f.name: f.read_bytes() for f in one.iterdir()} == {f.name: f.read_bytes() for f in two.iterdir()}


def test_there_and_back(export: Path, tmp_path: Path) -> None:
    there = place(tmp_path / "there")
    assert "40 records written" in hedgerow("import-data", str(export), "--data", there).stdout
    assert "0 records written and read back; 40" in hedgerow("import-data", str(export), "--data", there).stdout
    assert hedgerow("export-data", str(tmp_path / "second"), "--data", there).returncode == 0
    assert same(export, tmp_path / "second")


def test_files_are_their_owners_alone(export: Path) -> None:
    assert {stat.S_IMODE(file.stat().st_mode) for file in export.iterdir()} == {0o600}
    assert stat.S_IMODE(export.stat().st_mode) == 0o700


@pytest.mark.parametrize("broken", ["cut", "edited", "missing", "format", "schema", "collection", "no manifest"])
def test_what_is_not_whole_or_not_ours_is_refused_in_one_line(export: Path, tmp_path: Path, broken: str) -> None:
    runs, manifest = export / "sync_runs.ndjson", export / "manifest.json"
    said = json.loads(manifest.read_text())
    words = {"cut": "damaged_export", "edited": "damaged_export", "missing": "cannot be read"}
    match broken:
        case "cut":
            runs.write_bytes(runs.read_bytes()[:-5])
        case "edited":
            runs.write_bytes(runs.read_bytes().replace(b"succeeded", b"sucKeeded", 1))
        case "missing":
            runs.unlink()
        case "no manifest":
            manifest.unlink()
        case "format":
            manifest.write_text(json.dumps({**said, "format": 2}))
        case "schema":
            said["collections"]["sync_runs"]["schema_version"] = 2
            manifest.write_text(json.dumps(said))
        case "collection":
            said["collections"]["from_the_future"] = said["collections"]["sync_runs"]
            manifest.write_text(json.dumps(said))
    words |= {"format": "other_format", "schema": "newer_export", "collection": "newer_export"}
    refused = hedgerow("import-data", str(export), "--data", place(tmp_path / "there"))
    assert refused.returncode == 4, refused.stdout
    what, remedy = refused.stderr.strip().splitlines()
    assert words.get(broken, "There is no export") in what
    assert remedy.startswith("→")


def test_another_sealing_key_is_refused_and_secrets_may_be_left_out(export: Path, tmp_path: Path) -> None:
    there = place(tmp_path / "there", "11" * 32)
    refused = hedgerow("import-data", str(export), "--data", there)
    assert refused.returncode == 4
    assert "wrong_vault_key" in refused.stderr
    done = hedgerow("import-data", str(export), "--data", there, "--without-secrets")
    assert "36 records written" in done.stdout
    assert "secret_gone" in done.stdout


async def test_killed_again_and_again_both_end_as_if_nothing_had_happened(data: Path, tmp_path: Path) -> None:
    store = SqliteStore(data / "store.db")
    for begin in range(0, 12_000, 1_000):
        many = [
            Tenant(id=f"ten_{n:06}", name="n" * 99, tier="pro", created_at=NOW) for n in range(begin, begin + 1_000)
        ]
        await store.commit(*map(Add, many))
    await store.close()
    there = place(tmp_path / "there")
    whole = tmp_path / "whole"
    assert hedgerow("export-data", str(whole), "--data", str(data)).returncode == 0
    killed = _killed_until_it_ends(["export-data", str(tmp_path / "one"), "--data", str(data)], tmp_path / "one")
    assert killed >= 1
    assert same(whole, tmp_path / "one")
    killed = _killed_until_it_ends(["import-data", str(whole), "--data", there], Path(there))
    assert killed >= 1
    assert hedgerow("export-data", str(tmp_path / "two"), "--data", there).returncode == 0
    assert same(whole, tmp_path / "two")


def _killed_until_it_ends(arguments: list[str], changing: Path) -> int:
    """Run the command, killed a little later each time after it began to write; how often it was."""
    for turn in range(40):
        process = subprocess.Popen([sys.executable, "-m", "hedgerow.cli", *arguments], stderr=subprocess.DEVNULL)
        before = _size(changing)
        until = time.monotonic() + 60
        while process.poll() is None and _size(changing) == before and time.monotonic() < until:
            time.sleep(0.005)
        try:
            process.wait(0.05 * (turn + 1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            if (changing / "manifest.json").exists() and not (changing / "unfinished.json").exists():
                return turn  # The export was whole; only its last words were cut off.
        else:
            assert process.returncode == 0
            return turn
    raise AssertionError("it never came to its end")


def _size(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except FileNotFoundError:
        return 0
