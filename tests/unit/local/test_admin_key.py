"""The admin key of a folder survives restarts, and a file that holds none is not taken for one."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from local.admin_key import FILE_NAME, kept_admin_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = kept_admin_key(tmp_path)
    assert key.startswith("hdg_admin_")
    assert len(key) > 40
    assert kept_admin_key(tmp_path) == key
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("left", ["", "\n"])
def test_a_file_without_a_key_is_replaced(tmp_path: Path, left: str) -> None:
    (tmp_path / FILE_NAME).write_text(left)
    key = kept_admin_key(tmp_path)
    assert key
    assert (tmp_path / FILE_NAME).read_text() == key
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
