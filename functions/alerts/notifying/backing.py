"""When to try again, and when to give up. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST = timedelta(seconds=30)
LONGEST = timedelta(minutes=15)
MOST_ATTEMPTS = 100
"""By the backoff alone, a whole day: what is older tells nobody anything."""


def next_try(attempts: int, retry_after: float | None, now: datetime) -> datetime | None:
    """When the attempt after `attempts` failed ones is due, never before Retry-After (seconds); None: no more."""
    if attempts >= MOST_ATTEMPTS:
        return None
    # Doubled only as often as it takes to reach the longest.
    backoff: timedelta = min(FIRST * 2.0 ** min(attempts - 1, 10), LONGEST)
    return now + max(backoff, timedelta(seconds=retry_after or 0.0))
