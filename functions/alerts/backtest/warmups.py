"""Which buckets could not be judged, and why: in a line for people. Pure; the numbers are the conditions' own."""

from __future__ import annotations

from bisect import bisect_left

from functions.alerts.backtest.histories import Judged, bucket_of
from functions.alerts.conditions.kinds import Anomaly, Change, NewValue, NoData, StaleFlag, Threshold
from functions.alerts.conditions.series import DAY


def begins_at(history: Judged, first: int, last: int) -> int | None:
    """The instant from which the places `first` to `last` are judged; None where none of them is."""
    at = bisect_left(history.places, first)
    found = at < len(history.places) and history.places[at] <= last
    return history.begins[history.places[at]] if found else None


def unjudged(history: Judged, first: int, last: int) -> tuple[str, ...]:
    """Why some of the places `first` to `last` were not judged; nothing where all were, or none."""
    start = begins_at(history, first, last)
    if start is None:
        return ()
    said = []
    warm = bisect_left(history.begins, start) - first
    if warm:
        until = bucket_of(start, history.series)
        said.append(
            f"Warm-up: the first {_buckets(warm)}, until {until}, only served to learn from; {needed(history)}."
        )
    within = bisect_left(history.places, last + 1) - bisect_left(history.places, first)
    left = last + 1 - first - warm - within
    if left and history.ends[last] > history.series.until:
        left -= 1
        said.append("The newest bucket is not over yet: it was not judged.")
    if left:
        said.append(f"{_buckets(left)} later on could not be judged: too little was known before.")
    return tuple(said)


def needed(history: Judged) -> str:
    """How much past the condition wants before it judges."""
    condition, grain = history.condition, history.series.seconds
    match condition:
        case Anomaly():
            return f"anomaly needs {_anomaly_needs(grain)} of history to say what is usual"
        case Change():
            return _change_needs(condition)
        case Threshold():
            from functions.alerts.backtest import thresholds

            return f"{thresholds.LEAST_POINTS} points and two days are needed to choose a threshold from"
        case NewValue():
            return f"new_value learns what is usual from {condition.days} days, or from a quarter of what there is"
        case NoData() | StaleFlag():
            return f"{condition.kind} needs a first point"


def _anomaly_needs(grain: int) -> str:
    from functions.alerts.conditions import anomaly, hours

    if grain >= DAY:
        return f"{anomaly.LEAST} {'days' if grain == DAY else 'buckets'}"
    return f"{hours.least_days(grain)} days"


def _change_needs(condition: Change) -> str:
    from functions.alerts.conditions import changes

    before = {
        "previous": "the bucket before",
        "same_weekday": "the same bucket a week before",
        "trailing_mean": f"the {condition.periods} buckets before",
    }[condition.against]
    if condition.percent is not None or condition.absolute is not None:
        return f"change needs {before} to compare with"
    return f"change needs {before}, and {changes.ENOUGH} earlier changes to say which size is usual"


def _buckets(number: int) -> str:
    return f"{number:,} bucket{'' if number == 1 else 's'}"
