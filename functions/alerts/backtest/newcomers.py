"""Values of a column or of a breakdown that were not seen for so many days before. Pure.

The first `days` only say what is usual; of a history that is shorter than four times as
many, its first quarter does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from functions.alerts.conditions.series import DAY

MOST_NAMED = 3
WARM_UP_PART = 4


def newcomers(seen: Mapping[str, Sequence[int]], days: int) -> dict[int, list[str]]:
    """The new values by the instant at which they come. `seen` has the ascending instants of each value."""
    first = min((instants[0] for instants in seen.values() if instants), default=0)
    usual_until = first + warm_up(seen, days)
    found: dict[int, list[str]] = defaultdict(list)
    for value, instants in seen.items():
        before: int | None = None
        for instant in instants:
            is_new = before is None or instant - before > days * DAY
            if is_new and instant >= usual_until:
                found[instant].append(value)
            before = instant
    return dict(found)


def warm_up(seen: Mapping[str, Sequence[int]], days: int) -> int:
    """For how many seconds from the first instant nothing is called new."""
    ends = [(instants[0], instants[-1]) for instants in seen.values() if instants]
    if not ends:
        return 0
    whole = max(last for _, last in ends) - min(first for first, _ in ends)
    return min(days * DAY, whole // WARM_UP_PART)


def sentence(values: Sequence[str], days: int) -> str:
    """What came, and since when it had not been seen."""
    shown = ", ".join(repr(value[:60]) for value in values[:MOST_NAMED])
    more = f" and {len(values) - MOST_NAMED} more" if len(values) > MOST_NAMED else ""
    return f"{shown}{more} had not been seen in the {days} days before."
