"""How much of a bucket had arrived when PostHog was asked for it: late is not low.

Events reach PostHog after they happened: seconds later as a rule, hours later from a phone
that was offline, or when ingestion itself is behind. Pure; what PostHog said about it is
kept in a connection's progress, and what an incomplete bucket means to a rule is not said
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

SHARES = (0.5, 0.9, 0.99, 0.999)
# Seconds by which each of SHARES has come, where PostHog could not be asked: slower than most projects.
UNASKED = (60.0, 600.0, 3_600.0, 21_600.0)
# Nothing newer for so long is a project without events and no ingestion that is behind: its buckets fill no more.
LONGEST_DELAY = timedelta(hours=12)


def arrived(
    end: datetime, asked_at: datetime, newest_event_at: datetime | None, arrivals: Sequence[float] = ()
) -> float:
    """The share, from 0 to 1, of a bucket ending at `end` that had come when it was asked for at `asked_at`.

    `newest_event_at` is the newest event PostHog held then, None where that is not known.
    A bucket that ends after it waits, however long ago it ended: ingestion stands still or
    is behind; only after `LONGEST_DELAY` without anything newer is the silence believed.
    `arrivals` are the seconds after which each of `SHARES` has come, `UNASKED` where empty.
    The share counts from the bucket's end, so that of its earlier events rather more has
    come. It never falls as `asked_at` grows, and is 1.0 only once twice the time of the
    last share has passed.
    """
    late = _rising(arrivals or UNASKED)
    reached = asked_at
    if newest_event_at is not None:
        reached = max(min(asked_at, newest_event_at), asked_at - LONGEST_DELAY)
    waited = (reached - end).total_seconds()
    if waited < 0:
        return 0.0
    return _share(waited, late)


def _rising(arrivals: Sequence[float]) -> list[float]:
    """As many seconds as there are shares, none below the one before it."""
    rising: list[float] = []
    for seconds in (*arrivals, *UNASKED[len(arrivals) :])[: len(SHARES)]:
        rising.append(max(seconds, rising[-1] if rising else 0.0))
    return rising


def _share(waited: float, late: Sequence[float]) -> float:
    """Straight lines through the known shares, from none at no time to all at twice the last one's."""
    before_at, before = 0.0, 0.0
    for at, share in zip((*late, 2 * late[-1]), (*SHARES, 1.0), strict=True):
        if waited < at:
            return before + (share - before) * (waited - before_at) / (at - before_at)
        before_at, before = at, share
    return 1.0
