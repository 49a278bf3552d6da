"""docs/settings.md, written from the settings themselves, and what commands read besides: `python -m local.settings_page`."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from hedgerow.settings import PREFIX, Settings

FILE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
BEGIN = """# Settings

## The server

Environment variables, read once at the start. Written by `python -m local.settings_page` from `hedgerow/settings.py`.

| variable | default | what |
|---|---|---|
"""
COMMANDS = """
## The commands

Read by `hedgerow` and by `make`, at each call. Keys that are unset are asked for at a terminal.

| variable | default | what |
|---|---|---|
| `HEDGEROW_URL` | `http://127.0.0.1:8080` | Where the server is that commands speak to. |
| `HEDGEROW_API_KEY` |  | The tenant's key, `hdg_…`, shown once by `hedgerow tenants create`. |
| `HEDGEROW_ADMIN_KEY` |  | The operator's key, for `hedgerow tenants` and `hedgerow tick`: the one the server has. |
| `HEDGEROW_POSTHOG_PERSONAL_API_KEY` |  | PostHog's `phx_…`, for `hedgerow connect` and `hedgerow connections rotate`. |
| `HEDGEROW_POSTHOG_PROJECT_TOKEN` |  | PostHog's `phc_…`, for the same two. With either of them set, neither is asked for. |
| `HEDGEROW_CHANNEL_URL` |  | A chat's webhook address, or a Slack bot token, for `hedgerow channels add`. Unset, it is asked for. |
| `NO_COLOR` |  | Anything: no colours, no bold. |
| `SERVE` |  | `SERVE=1 make demo` leaves both servers running, connected, and prints how to use and stop them. |
| `REQUIRE_EMULATORS` |  | `REQUIRE_EMULATORS=1 make test` fails where Google's emulators are missing. |
"""


def page() -> str:
    """The page as it should be."""
    lines = []
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or f"{PREFIX}{name}").upper()
        default = field.default
        unset = default is PydanticUndefined or default is None or default in ("", ())
        lines.append(f"| `{variable}` | {'' if unset else f'`{default}`'} | {field.description} |")
    return BEGIN + "\n".join(lines) + "\n" + COMMANDS


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
