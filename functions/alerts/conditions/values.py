"""New values: those of a breakdown that were not seen in so many days before they came."""

from __future__ import annotations

from collections.abc import Mapping

from functions.alerts.conditions import sentences
from functions.alerts.conditions.kinds import NewValue
from functions.alerts.conditions.series import DAY, Series, Verdict

NAMED = 3
WARM_UP_PART = 4
"""Of a history shorter than four times the days looked at, the first quarter only says what is usual."""


def judge_new_values(condition: NewValue, seen: Mapping[str, Series], until: int) -> Verdict:
    """The verdict on the newest day (or bucket) any value came in, by its values' series.

    A bucket that still runs counts: a value that came will not have stayed away when it is over.
    """
    came = {value: found for value, series in seen.items() if (found := _came(series, until))}
    if not came:
        return Verdict("errored", "no_points", "No value has been seen yet, so none can be new.")
    first = min(instants[0] for instants in came.values())
    newest = max(instants[-1] for instants in came.values())
    warm = min(condition.days * DAY, max(DAY, (newest - first) // WARM_UP_PART))
    have, needed = (newest - first) // DAY, -(-warm // DAY)
    if newest - first < warm:
        told = f"{sentences.buckets(have, DAY)} of history, {sentences.buckets(needed, DAY)} are needed to call a value new."
        return Verdict("errored", "warming_up", told, newest, numbers={"have": have, "needed": needed})
    new = [value for value, instants in came.items() if _is_new(instants, newest, condition.days)]
    known = sum(instants[0] < newest for instants in came.values())
    if not new:
        told = f"No new value among {len(came):,}; each was seen in the {condition.days} days before."
        return Verdict("not_firing", "no_new_value", told, newest, 0.0, recovered=True, numbers={"known": known})
    shown = ", ".join(repr(value[:60]) for value in new[:NAMED])
    more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
    told = f"{shown}{more} had not been seen in the {condition.days} days before, in which {known:,} other values were."
    return Verdict(
        "firing", "new_value", told, newest, float(len(new)), score=float(len(new)), numbers={"known": known}
    )


def _came(series: Series, until: int) -> list[int]:
    points = zip(series.begins, series.values, strict=True)
    return [begin for begin, value in points if value != 0 and begin < until]


def _is_new(instants: list[int], newest: int, days: int) -> bool:
    if instants[-1] != newest:
        return False
    return len(instants) == 1 or newest - instants[-2] > days * DAY
