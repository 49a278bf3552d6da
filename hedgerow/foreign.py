"""Text of others made fit to show and to store: without control characters, line breaks and halves of characters."""

from __future__ import annotations

import re

# Half a surrogate pair is no character: JSON can carry one, UTF-8 cannot.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    """The text in one line; what cannot be shown is a space."""
    return UNPRINTABLE.sub(" ", text).strip()
