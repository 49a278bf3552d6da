"""An event's uuid: read in any spelling PostHog reads, or given once.

Knows no clock: the time inside a given one is the caller's.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta

from functions.capture.wire.timestamps import EPOCH

_AS_WRITTEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ANY_SPELLING = re.compile(
    r"(?:urn:uuid:)?(\{)?(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?(1)\})",
    re.IGNORECASE,
)
is_as_written = _AS_WRITTEN.fullmatch
_MILLISECOND = timedelta(milliseconds=1)


def canonical(text: object) -> str | None:
    """Lower case with hyphens; None when it is no uuid."""
    if type(text) is not str:
        return None
    if is_as_written(text):
        return text
    return str(uuid.UUID(text.lower())) if _ANY_SPELLING.fullmatch(text) else None


def given(now: datetime) -> str:
    """A new one, of version 7: its first 48 bits are the milliseconds of `now`."""
    milliseconds = (now - EPOCH) // _MILLISECOND & 0xFFFF_FFFF_FFFF
    chance = uuid.uuid4().int & ((1 << 74) - 1)
    number = milliseconds << 80 | 0x7 << 76 | (chance >> 62) << 64 | 0b10 << 62 | chance & ((1 << 62) - 1)
    return str(uuid.UUID(int=number))
