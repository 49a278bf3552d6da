"""What a secret may be called: the rule of Secret Manager, kept by every vault."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")


def check_name(name: str) -> str:
    """The name itself; `ValueError` when some vault could not keep a secret under it."""
    if not _NAME.fullmatch(name):
        raise ValueError("a secret's name has letters, digits, _ and - only, 200 at most")
    return name
