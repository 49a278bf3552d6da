"""The one lease: who works on a record, and until when. Pure; the caller commits the Swap."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

Claim = Literal["mine", "busy"]


def claim(holder: str | None, until: datetime | None, me: str, now: datetime) -> Claim:
    """May `me` take the lease? An expired lease is nobody's; one's own may be taken again."""
    if holder is None or holder == me or until is None or until <= now:
        return "mine"
    return "busy"
