"""Where the command line takes keys from: the environment, standard input, a hidden prompt. Never an argument.

Arguments are seen by every user of a machine and kept in the shell's history.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hedgerow.cli.environment import environment
from hedgerow.cli.stops import USAGE, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY_SHAPED = re.compile(r"(?:^|[^A-Za-z0-9])(ph[cxsa]_|hdg_)[A-Za-z0-9_-]{6,}")
_KEY_OPTIONS = ("--api-key", "--admin-key", "--personal-api-key", "--project-token", "--token", "--key", "--password")


@dataclass(frozen=True, slots=True)
class PostHogKeys:
    """The two credentials of a PostHog project; either may be missing."""

    personal_api_key: str | None = field(default=None, repr=False)
    project_token: str | None = field(default=None, repr=False)

    def fields(self) -> dict[str, str]:
        """The fields of a request body, without the missing ones."""
        named = {"personal_api_key": self.personal_api_key, "project_token": self.project_token}
        return {name: key for name, key in named.items() if key}


def refuse_on_command_line(arguments: Sequence[str]) -> None:
    """Stop before anything reads, echoes or logs a key that was typed as an argument."""
    for argument in arguments:
        if _KEY_SHAPED.search(argument) or argument.split("=")[0] in _KEY_OPTIONS:
            raise Stop(
                USAGE,
                "A key does not belong on the command line: other users and the shell's history see it there.",
                hint="Leave it out to be asked for it, or set HEDGEROW_POSTHOG_PERSONAL_API_KEY, "
                "HEDGEROW_POSTHOG_PROJECT_TOKEN, HEDGEROW_API_KEY or HEDGEROW_ADMIN_KEY. "
                "If the key was real, consider it seen: make a new one.",
            )


def posthog_keys() -> PostHogKeys:
    """PostHog's keys, from the environment if either is there; else from standard input; else asked for.

    On standard input each word is a key; a `phc_…` is the project token, the first
    other word the personal API key.
    """
    there = environment()
    if there.personal_api_key or there.project_token:
        return PostHogKeys(there.personal_api_key or None, there.project_token or None)
    if not sys.stdin.isatty():
        try:
            return _from_words(sys.stdin.read(65_536).split())
        except UnicodeDecodeError:
            raise Stop(
                USAGE, "Standard input holds no key: it is not text.", hint="Keys are words: phx_… and phc_…."
            ) from None
    personal_api_key = _ask("PostHog personal API key (phx_…; empty: capture only)")
    project_token = _ask("PostHog project token (phc_…; may be empty)")
    return PostHogKeys(personal_api_key or None, project_token or None)


def hedgerow_key(variable: str, found: str) -> str:
    """Hedgerow's own key: from the environment, or asked for at a terminal."""
    if not found and sys.stdin.isatty() and sys.stderr.isatty():
        found = _ask(variable)
    if found and not (found.isascii() and found.isprintable()):
        raise Stop(
            USAGE, f"{variable} is not a key of Hedgerow's.", hint="Copy it again: it has only ASCII characters."
        )
    if found:
        return found
    raise Stop(
        USAGE, f"{variable} is not set.", hint=f"export {variable}=… (the key that was shown once), then call again."
    )


def _from_words(words: list[str]) -> PostHogKeys:
    tokens = [word for word in words if word.startswith("phc_")]
    others = [word for word in words if not word.startswith("phc_")]
    return PostHogKeys(others[0] if others else None, tokens[0] if tokens else None)


def _ask(prompt: str) -> str:
    from getpass import getpass

    return getpass(f"{prompt}: ", stream=sys.stderr).strip()
