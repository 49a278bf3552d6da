"""The operator's commands given what cannot be used: one line and its exit code, no traceback, never the value itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from hedgerow.settings import Settings
from tests.cli_process import hedgerow

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ("xx", "AAAA", "!!!", "\u00e9", "A" * 43, "A" * 60)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A folder whose store.db is no database."""
    (tmp_path / "store.db").write_bytes(os.urandom(3_000))
    return tmp_path


@pytest.mark.parametrize("key", KEYS)
def test_a_sealing_key_that_is_none_is_refused_without_being_said(key: str) -> None:
    with pytest.raises(ValidationError) as error:
        Settings.model_validate({"sealing_key": key})
    assert "32 bytes in base64" in str(error.value)
    assert f"'{key}'" not in str(error.value)


def named(folder: Path, command: tuple[str, ...]) -> list[str]:
    """The command on a folder, what it writes beneath it."""
    return [*(str(folder / each) if each == "out" else each for each in command), "--data", str(folder)]


@pytest.mark.parametrize("command", [("dead", "list"), ("export-data", "out"), ("doctor",)])
def test_a_bad_sealing_key_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "store.db").touch()
    said = hedgerow(*named(tmp_path, command), HEDGEROW_SEALING_KEY="!!!")
    assert said.returncode in {1, 3, 4}
    assert "HEDGEROW_SEALING_KEY: must be 32 bytes in base64" in said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    assert "!!!" not in said.stdout + said.stderr


@pytest.mark.parametrize("command", [("dead", "list"), ("export-data", "out")])
def test_a_damaged_store_is_one_line_and_its_remedy(damaged: Path, command: tuple[str, ...]) -> None:
    said = hedgerow(*named(damaged, command))
    assert said.returncode == 3
    assert "is damaged: file is not a database. [damaged]" in said.stderr
    assert "restore.md" in said.stderr
    assert len(said.stderr.splitlines()) == 2


def test_the_laptops_server_does_not_start_on_a_damaged_store(damaged: Path) -> None:
    said = hedgerow("dev", "--port", "0", "--data", str(damaged))
    assert said.returncode == 1
    assert "is damaged" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_topic_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    said = hedgerow("dead", "list", "--topic", os.fsdecode(b"\xff"), "--data", str(tmp_path))
    assert (said.returncode, said.stdout) == (4, "")
    assert "Topics are written in ASCII." in said.stderr


def test_an_import_into_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    said = hedgerow("import-data", str(tmp_path), "--data", str(file))
    assert said.returncode == 4
    assert "is a file, not a folder." in said.stderr
    assert file.read_text() == "kept"
