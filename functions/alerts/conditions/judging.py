"""The way in: a condition and a series to a verdict, to the verdicts of its whole past, or of many series at once.

Decides which bucket is judged, and what is said while one must be waited for; how it is
judged is the kind's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from functions.alerts.conditions import absence, anomalies, changes, newest, sentences, thresholds
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NewValue, NoData, StaleFlag, Threshold
from functions.alerts.conditions.series import Series, Verdict
from hedgerow.errors import InvalidError

if TYPE_CHECKING:
    from functions.alerts.conditions.history import History

RISES = ("above_threshold", "rise", "above_usual")


def judge(condition: Condition, series: Series) -> Verdict:
    """The verdict on the newest bucket that may be judged at `series.until`."""
    if isinstance(condition, NoData):
        return absence.judge(condition, series)
    chosen = newest.newest(series)
    if chosen.awaited is not None and series.unit == "count":
        early = _judge_at(condition, series, chosen.awaited)
        # What is counted only grows: a part that is too much already will not be less when it is whole.
        if (
            early.state == "firing"
            and early.reason in RISES
            and early.high is not None
            and (early.observed or 0) > early.high
        ):
            return replace(
                early, is_incomplete=True, sentence=f"{early.sentence[:-1]}, and not all of it has arrived yet."
            )
    if chosen.place is None:
        return _waiting(series, chosen)
    verdict = _judge_at(condition, series, chosen.place)
    if not chosen.is_incomplete or series.arrived is None:
        return verdict
    share = series.arrived[chosen.place] * 100
    told = f"{verdict.sentence[:-1]}; {share:.0f} % of it had arrived when it was measured."
    return replace(verdict, is_incomplete=True, sentence=told, sureness=verdict.sureness * share / 100)


def judge_history(condition: Condition, series: Series) -> History:
    """What `judge` would have said at the end of every bucket, had all of it arrived by then."""
    match condition:
        case Threshold():
            return _over(thresholds.history(condition, series), series)
        case Change():
            return _over(changes.history(condition, series), series)
        case Anomaly():
            return _over(anomalies.history(condition, series), series)
        case NoData():
            return absence.history(condition, series)
        case NewValue() | StaleFlag():
            raise _not_of_one_series(condition)
        case _:
            assert_never(condition)


def judge_many(condition: Condition, many: Sequence[Series]) -> Sequence[Verdict]:
    """`judge` of each; the anomalies of days are worked out together, and told when they are looked at."""
    if isinstance(condition, Anomaly):
        from functions.alerts.conditions import batches

        return batches.judge(condition, many, judge)
    return [judge(condition, series) for series in many]


def _judge_at(condition: Condition, series: Series, place: int) -> Verdict:
    match condition:
        case Threshold():
            return thresholds.judge_at(condition, series, place)
        case Change():
            return changes.judge_at(condition, series, place)
        case Anomaly():
            return anomalies.judge_at(condition, series, place)
        case _:
            raise _not_of_one_series(condition)


def _over(history: History, series: Series) -> History:
    """Without the buckets that still run."""
    count = len(series.begins)
    running = count
    while running > 0 and newest.end_of(series, running - 1) > series.until:
        running -= 1
    if running == count:
        return history
    over = [place < running for place in range(count)]
    return replace(
        history, firing=history.firing & over, recovered=history.recovered & over, judged=history.judged & over
    )


def _waiting(series: Series, chosen: newest.Newest) -> Verdict:
    if chosen.awaited is None:
        return Verdict("errored", "no_points", f"{series.name} has no point yet.")
    begin, value = series.begins[chosen.awaited], series.values[chosen.awaited]
    named = sentences.bucket(series, begin)
    if chosen.is_running:
        return Verdict(
            "waiting", "running", f"{series.name}: {named} is the first bucket, and it is not over yet.", begin, value
        )
    share = (series.arrived[chosen.awaited] if series.arrived is not None else 1.0) * 100
    told = f"{series.name}: {sentences.number(value, series.unit)} for {named} so far; waiting for the rest, {share:.0f} % has arrived."
    return Verdict("waiting", "incomplete", told, begin, value, is_incomplete=True, numbers={"arrived": share / 100})


def _not_of_one_series(condition: Condition) -> InvalidError:
    return InvalidError(
        f"{condition.kind} looks at several series together.", hint="Use it on a breakdown, or on feature flags."
    )
