"""docs/settings.md, written from the settings themselves: `python -m local.settings_page`."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from hedgerow.settings import Settings

FILE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
BEGIN = """# Settings

Environment variables, read once at the start. Written by `python -m local.settings_page` from `hedgerow/settings.py`.

| variable | default | what |
|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    prefix = Settings.model_config.get("env_prefix", "")
    lines = []
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or f"{prefix}{name}").upper()
        default = field.default
        unset = default is PydanticUndefined or default is None or default in ("", ())
        lines.append(f"| `{variable}` | {'' if unset else f'`{default}`'} | {field.description} |")
    return BEGIN + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
