"""Instants, spans and people in the words of a message, the same wherever an incident is told of. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

BY_API = "somebody by API"
_KEY = re.compile(r"key_[0-9a-f]+")


def span_words(begin: datetime, end: datetime) -> str:
    """How long, as people say it: 40 min, 2 h 10 min, 3 days."""
    minutes = max(0, int((end - begin).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} days"


def at_words(at: datetime, zone: str) -> str:
    """An instant in a zone: Fri 20 Nov, 15:30 (Europe/Berlin)."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M} ({zone})"


def who(by: str | None) -> str:
    """Who did something: a name as it was written down; a key's id says nothing to anybody."""
    if not by:
        return "somebody"
    return BY_API if _KEY.fullmatch(by) else by
