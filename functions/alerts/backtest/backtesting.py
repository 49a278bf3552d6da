"""A rule tried on the past: its condition judges every bucket with what was before it, its policy makes incidents. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from functions.alerts.backtest.doubting import Ordinary
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.histories import Judged, bucket_of, judged, shown
from functions.alerts.backtest.marking import marks_of
from functions.alerts.backtest.reports import PastIncident, Report
from functions.alerts.backtest.scoring import Span, meets, score
from functions.alerts.backtest.walking import Stretch, walk
from functions.alerts.backtest.warmups import begins_at, needed, unjudged
from functions.alerts.conditions.kinds import Condition, NewValue, NoData
from functions.alerts.conditions.series import Series
from functions.alerts.spec import Policy

# A sentence costs a verdict of its own, and nobody reads a thousand.
MOST_SENTENCES = 200


def backtest(
    condition: Condition,
    policy: Policy,
    series: Series,
    *,
    labels: Sequence[Label] = (),
    begin: int | None = None,
    to: int | None = None,
) -> Report:
    """What the rule would have told between two instants in epoch seconds, both included.

    What lies before `begin` is history to judge by; it opens nothing. Labels outside of the
    time tried, or that end in its warm-up, are left out, and that is remarked.
    """
    history = judged(condition, series)
    return in_words(history, walked(history, policy, labels=labels, begin=begin, to=to))


def walked(
    history: Judged,
    policy: Policy,
    *,
    labels: Sequence[Label] = (),
    begin: int | None = None,
    to: int | None = None,
) -> Report:
    """The report of a judged history under a policy, its incidents not yet in words."""
    begins = history.begins
    first = bisect_left(begins, begin) if begin is not None else 0
    last = (bisect_right(begins, to) if to is not None else len(begins)) - 1
    series = history.series
    is_empty = last < first
    tried = Span(begin or 0, begin or 0) if is_empty else Span(begins[first], begins[last])
    stretches = [] if is_empty else walk(policy, marks_of(history, policy, last), tried.begin)
    ordinary = Ordinary.of(history) if stretches else Ordinary(0.0)
    incidents = tuple(_incident(history, stretch, ordinary) for stretch in stretches)
    tries = [] if is_empty else [each for each in labels if each.begin < history.ends[last] and each.to >= tried.begin]
    start = begins_at(history, first, last)
    within = [each for each in tries if start is not None and each.to >= start]
    spans = [Span(each.begin, _last_second(history, each.to)) for each in incidents]
    return Report(
        name=series.name,
        value=series.value,
        unit=series.unit,
        zone=series.zone,
        grain=series.seconds,
        begin=tried.begin,
        to=tried.to,
        buckets=max(0, last + 1 - first),
        judged=max(0, bisect_right(history.places, last) - bisect_left(history.places, first)),
        condition=history.condition,
        policy=policy,
        incidents=incidents,
        labels=score(spans, within),
        right=frozenset(span.begin for span in spans if meets(span, within)),
        remarks=(
            *history.remarks,
            *unjudged(history, first, last),
            *_left_out(len(labels) - len(tries), "outside of the time tried"),
            *_left_out(len(tries) - len(within), f"in the warm-up ({needed(history)})"),
        ),
        scored=tuple(within),
    )


def in_words(history: Judged, report: Report) -> Report:
    """The report with reason and sentence of each incident, as the rule would have said them."""
    told = []
    for number, incident in enumerate(report.incidents):
        reason, sentence = (
            history.told(bisect_left(history.begins, incident.begin)) if number < MOST_SENTENCES else ("", "")
        )
        sentence += _peak(history, incident) if sentence else ""
        told.append(replace(incident, reason=reason or history.condition.kind, sentence=sentence))
    if report.buckets and not report.judged:
        return replace(report, why_not=_why_not(history))
    return replace(report, incidents=tuple(told))


def _incident(history: Judged, stretch: Stretch, ordinary: Ordinary) -> PastIncident:
    """Its peak is the number farthest outside of what was expected; its score the greatest, which may be of another bucket."""
    places = [place for place in range(stretch.since, stretch.last + 1) if history.firing[place]]
    scores = [score for place in places if (score := history.scores[place]) is not None]
    buckets = stretch.last + 1 - stretch.opened
    worst = max(places, key=lambda place: _farness(history, place), default=stretch.opened)
    return PastIncident(
        since=history.begins[stretch.since],
        begin=history.begins[stretch.opened],
        to=history.begins[stretch.last],
        told_at=stretch.opened_at,
        peak=history.values[worst],
        peak_at=history.begins[worst],
        score=max(scores, key=abs, default=None),
        reason=history.condition.kind,
        sentence="",
        buckets=buckets,
        is_open=stretch.is_open,
        is_doubtful=not stretch.is_open and ordinary.doubts(scores, buckets),
    )


def _farness(history: Judged, place: int) -> float:
    outside, score = history.outside[place], history.scores[place]
    return outside if outside is not None else abs(score or 0.0)


def _peak(history: Judged, incident: PastIncident) -> str:
    """The farthest number, where it came after what the sentence tells."""
    if incident.peak is None or incident.peak_at == incident.begin or isinstance(history.condition, NoData | NewValue):
        return ""
    at = bucket_of(incident.peak_at, history.series)
    return f" Farthest outside: {shown(incident.peak)}, at {at}."


def _last_second(history: Judged, begin: int) -> int:
    """A label may begin within a bucket, which then overlaps it."""
    return history.ends[bisect_left(history.begins, begin)] - 1


def _why_not(history: Judged) -> str:
    """What the condition says of the newest bucket, when it can judge none."""
    return history.told(len(history.begins) - 1)[1]


def _left_out(labels: int, where: str) -> tuple[str, ...]:
    if not labels:
        return ()
    return (f"{labels} label{'' if labels == 1 else 's'} {where}: left out.",)
