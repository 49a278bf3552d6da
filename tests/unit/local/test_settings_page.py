"""The page about settings says what the settings say."""

from __future__ import annotations

from hedgerow.settings import Settings
from local.settings_page import FILE, page


def test_the_page_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "stale: python -m local.settings_page"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
