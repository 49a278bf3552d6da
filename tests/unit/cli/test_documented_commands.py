"""Every `hedgerow …` that a document or a hint tells people to type is one the command understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from hedgerow.cli.main import command

ROOT = Path(__file__).resolve().parents[3]
PLACES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "hedgerow").rglob("*.py")),
    *sorted((ROOT / "functions").rglob("*.py")),
    *sorted((ROOT / "infra").rglob("*.tf")),
]
SPAN = re.compile(r"`(hedgerow(?: [^`\n]*)?)`")
LINE = re.compile(r"^\$ (?:[A-Z_]+=\S+ )*(hedgerow [^#\n|>]*)", re.MULTILINE)


def understood(words: list[str], top: Any) -> str | None:
    """What is wrong with a command line; None when each verb and option is known."""
    at = top
    for word in words:
        name = word.split("=")[0].rstrip(",.;:")
        if isinstance(at, TyperGroup) and not name.startswith("-"):
            if re.fullmatch(r"[a-z][a-z-]*", name) is None:
                return None
            found = at.commands.get(name)
            if found is None:
                return f"`{at.name}` has no verb `{name}`"
            at = found
        elif re.fullmatch(r"--[a-z][a-z-]*", name) and name not in options(at):
            return f"`{at.name}` has no option `{name}`"
    return None


def options(of: Any) -> set[str]:
    known = {"--help"}
    for parameter in of.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    return known


def lines(text: str) -> list[str]:
    return [*SPAN.findall(text), *LINE.findall(text)]


def words(line: str) -> list[str]:
    try:
        return shlex.split(line)[1:]
    except ValueError:
        return line.split()[1:]


@pytest.fixture(scope="module")
def top() -> Any:
    return typer.main.get_command(command())


@pytest.mark.parametrize("place", PLACES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_people_are_told_to_type_is_understood(place: Path, top: Any) -> None:
    wrong = {
        line: why
        for line in lines(place.read_text(encoding="utf-8"))
        if (why := understood(words(line), top)) is not None
    }
    assert wrong == {}


@pytest.mark.parametrize("line", ["hedgerow sinc", "hedgerow tenants lst", "hedgerow sync --form 2026-01-01"])
def test_a_command_of_nobody_is_found(line: str, top: Any) -> None:
    assert understood(words(line), top) is not None
