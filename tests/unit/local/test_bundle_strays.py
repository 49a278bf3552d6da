"""What keeps a zip from being written though every file of it can be read: strays, depth, half text."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hedgerow.errors import HedgerowError
from local import bundle
from tests.unit.local.test_bundle import TREE, refused, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository that can be deployed."""
    root = tmp_path / "tree"
    for name, text in TREE.items():
        write(root, name, text)
    return root


@pytest.fixture
def clone(tree: Path) -> Path:
    """The same, with everything in git."""
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tree, check=True)
    return tree


@pytest.mark.parametrize("name", ["functions/service-account.json", "functions/build/x.py"])
def test_a_file_that_git_does_not_know_is_refused(clone: Path, tmp_path: Path, name: str) -> None:
    write(clone, name, "{}" if name.endswith("json") else "x = 1\n")
    said = refused(clone, tmp_path, strays=False)
    assert said == f"git does not know {name}: a clone would make another zip. Remove it, or `git add {name}`."
    subprocess.run(["git", "add", name], cwd=clone, check=True)
    assert name in bundle.build(tmp_path / "functions.zip", clone, strays=False).names


def test_several_strays_are_counted(clone: Path, tmp_path: Path) -> None:
    for number in range(3):
        write(clone, f"functions/stray{number}.json", "{}")
    assert "git does not know functions/stray0.json, nor 2 more" in refused(clone, tmp_path, strays=False)


def test_without_git_the_zip_is_written(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(clone, "functions/stray.json", "{}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "functions/stray.json" in bundle.build(tmp_path / "functions.zip", clone, strays=False).names


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("tiers.json", "[" * 100_000, "tiers.json is nested too deeply"),
        ("functions/manifest.json", "[" * 100_000, "manifest.json is nested too deeply"),
        ("functions/deep.py", "x = " + "(" * 5_000 + ")" * 5_000, "functions/deep.py is"),
        ("functions/deep.py", "x = " + "-" * 50_000 + "1", "functions/deep.py is"),
        ("functions/manifest.json", TREE["functions/manifest.json"].replace('"http"', '"http", "paths": 5'), "`paths`"),
    ],
)
def test_what_python_cannot_take_apart_is_said_in_one_line(
    tree: Path, tmp_path: Path, name: str, text: str, says: str
) -> None:
    write(tree, name, text)
    assert says in refused(tree, tmp_path)


def test_requirements_that_are_no_text_are_said_in_one_line(tree: Path, tmp_path: Path) -> None:
    (tree / "requirements.txt").write_bytes(b"\xff")
    with pytest.raises(HedgerowError, match=r"requirements\.txt is not UTF-8 text"):
        bundle.build(tmp_path / "functions.zip", tree)
