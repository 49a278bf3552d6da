"""An installation of a release before, and its export: what journeys of moved data begin with."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli_process import hedgerow

RELEASE = Path(__file__).parents[1] / "upgrade" / "releases" / "3-alerts.db.gz"
KEY = "00" * 32


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation of somebody."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "store.db").write_bytes(gzip.decompress(RELEASE.read_bytes()))
    (folder / "sealing.key").write_text(KEY + "\n")
    return folder


@pytest.fixture
def export(data: Path, tmp_path: Path) -> Path:
    made = hedgerow("export-data", str(tmp_path / "export"), "--data", str(data))
    assert made.returncode == 0, made.stderr
    return tmp_path / "export"
