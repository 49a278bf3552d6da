"""The page about settings says what the settings say."""

from __future__ import annotations

import re
from pathlib import Path

from hedgerow.cli import environment
from hedgerow.settings import Settings
from local.settings_page import FILE, page


def test_the_page_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "stale: python -m local.settings_page"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_every_variable_the_commands_read_is_described() -> None:
    read = re.findall(r'environ\.get\("(\w+)"', Path(environment.__file__).read_text(encoding="utf-8"))
    assert len(read) == 7
    assert all(f"| `{name}` |" in page() for name in read)
