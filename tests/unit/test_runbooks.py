"""The runbooks name codes, pages and drills that exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from local.drills.incidents import DRILLS

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = sorted((ROOT / "docs" / "operations").glob("*.md"))
CODE = re.compile(r"^\| (`[a-z]+_[a-z_]+`(?:, (?:`[a-z_]+`|…))*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+\.md)[^)]*\)")
DRILL = re.compile(r"make drill NAME=([a-z-]+)((?:`, `[a-z-]+)*)")


@cache
def source() -> str:
    """Everything that names codes."""
    return "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("hedgerow", "functions")
        for path in (ROOT / folder).rglob("*.py")
    )


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda path: path.name)
def test_codes_at_the_head_of_a_row_are_raised_somewhere(page: Path) -> None:
    named = {code for row in CODE.findall(page.read_text(encoding="utf-8")) for code in re.findall(r"`([a-z_]+)`", row)}
    assert {code for code in named if f'"{code}"' not in source()} == set()


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda path: path.name)
def test_links_lead_to_pages(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).is_file()]
    assert broken == []


def test_the_overview_names_every_runbook_and_every_drill() -> None:
    overview = (ROOT / "docs" / "operations" / "README.md").read_text(encoding="utf-8")
    assert {page.name for page in RUNBOOKS} - {"README.md"} == {
        Path(link).name for link in LINK.findall(overview) if not link.startswith("..")
    }
    played = {name for first, more in DRILL.findall(overview) for name in (first, *re.findall(r"[a-z-]+", more))}
    assert played == set(DRILLS)


@pytest.mark.parametrize("name", DRILLS)
def test_each_drill_leads_to_a_runbook(name: str) -> None:
    assert (ROOT / "docs" / "operations" / DRILLS[name].runbook).is_file()
