"""docs/metrics.md says of every metric what the catalogue says, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from functions.metrics import listing
from hedgerow.settings import Settings

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/metrics.md"


def test_the_table_is_the_catalogue() -> None:
    wanted = [
        f"| `{entry.name}` | {entry.description} | {entry.unit} | {entry.definition} |"
        for entry in listing.catalog(Settings.model_fields["new_users_days"].default).items
    ]
    table = DOCUMENT.read_text(encoding="utf-8").split("## ", 1)[0]
    assert re.findall(r"^\| `.*$", table, flags=re.MULTILINE) == wanted
