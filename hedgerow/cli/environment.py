"""What the command line reads from the environment; keys come from here, a prompt or standard input only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Environment:
    """The server and the keys, empty where a variable is unset."""

    url: str
    api_key: str = field(repr=False)
    admin_key: str = field(repr=False)
    personal_api_key: str = field(repr=False)
    project_token: str = field(repr=False)
    channel_url: str = field(repr=False)
    no_color: bool


def environment() -> Environment:
    """The variables as they stand now."""
    return Environment(
        url=os.environ.get("HEDGEROW_URL", "").rstrip("/") or DEFAULT_URL,
        api_key=os.environ.get("HEDGEROW_API_KEY", "").strip(),
        admin_key=os.environ.get("HEDGEROW_ADMIN_KEY", "").strip(),
        personal_api_key=os.environ.get("HEDGEROW_POSTHOG_PERSONAL_API_KEY", "").strip(),
        project_token=os.environ.get("HEDGEROW_POSTHOG_PROJECT_TOKEN", "").strip(),
        channel_url=os.environ.get("HEDGEROW_CHANNEL_URL", "").strip(),
        no_color=bool(os.environ.get("NO_COLOR", "")),
    )


def names_beginning(prefix: str) -> tuple[str, ...]:
    """The variables that are set and begin so: their names only."""
    return tuple(sorted(name for name in os.environ if name.startswith(prefix)))


def variable(name: str) -> str:
    """One variable that a file of the user's names for a secret; empty where it is unset."""
    return os.environ.get(name, "").strip()
