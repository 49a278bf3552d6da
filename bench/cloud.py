"""A Python environment with the packages the cloud has and no other: those of requirements.txt.

Made of links into the environment at hand, so nothing is fetched. It matters: some
libraries look whether others are there (structlog and httpx load `rich` where they find
it, which the laptop's command line brings), and a start would measure that.
"""

from __future__ import annotations

import re
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from bench.children import ROOT

_NAMED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)


def environment(folder: Path) -> Path:
    """Make the environment in `folder`; the path of its Python."""
    venv.create(folder, symlinks=True, with_pip=False)
    owned = [
        (tuple(file.parts), found)
        for name in _NAMED.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
        if (found := _installed(name)) is not None
        for file in found.files or ()
        if ".." not in file.parts
    ]
    (packages,) = (folder / "lib").glob("python*/site-packages")
    _link(packages, owned, ())
    return folder / "bin" / "python"


def _installed(name: str) -> Distribution | None:
    """None for what only another platform needs."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _link(into: Path, owned: list[tuple[tuple[str, ...], Distribution]], above: tuple[str, ...]) -> None:
    """Link what one distribution owns alone; a folder that several share is made and filled."""
    entries: dict[str, list[tuple[tuple[str, ...], Distribution]]] = {}
    for parts, owner in owned:
        entries.setdefault(parts[0], []).append((parts[1:], owner))
    for name, below in entries.items():
        if len({id(owner) for _, owner in below}) == 1:
            (into / name).symlink_to(Path(str(below[0][1].locate_file("/".join((*above, name))))))
            continue
        (into / name).mkdir()
        _link(into / name, [(parts, owner) for parts, owner in below if parts], (*above, name))
