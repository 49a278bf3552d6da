"""Text of others made fit to show and to store: without control characters, line breaks and halves of characters."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# Marks that turn the direction of what follows show a name as another than it is.
DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Half a surrogate pair is no character: JSON can carry one, UTF-8 cannot.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    """The text in one line; what cannot be shown is a space."""
    return UNPRINTABLE.sub(" ", text).strip()


def refuse_unprintable(text: str) -> str:
    """The text as it is; `ValueError` with words for people where it could not be shown as it is."""
    if UNPRINTABLE.search(text):
        raise ValueError("control characters and line breaks are not allowed")
    if DIRECTIONS.search(text):
        raise ValueError("marks that turn the direction of writing are not allowed")
    return text


Shown = Annotated[str, AfterValidator(refuse_unprintable)]
"""Text that people read where they work: one line, as it is."""
