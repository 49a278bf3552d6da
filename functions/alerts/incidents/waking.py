"""When a rule must be looked at again although no run ends: what holds its incident back, and until when. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from functions.alerts.conditions.series import DAY, HOUR, Verdict
from functions.alerts.records import AlertRule, Incident, RuleState
from functions.alerts.spec import (
    BacklogSeries,
    DifferenceSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    RatioSeries,
    SeriesSpec,
    SyncSeries,
)

BACKLOG = timedelta(minutes=5)
WAITING = timedelta(minutes=30)
# An open incident's connection or rule may go without a run telling of it.
OPEN = timedelta(minutes=30)
OPEN_INSTANT = timedelta(minutes=5)

OF_CONNECTION = "connection_"
"""How the reason begins when a rule waits for its connection: only a run ends that, not time."""


def due(
    state: RuleState, rule: AlertRule, verdict: Verdict, now: datetime, incident: Incident | None
) -> datetime | None:
    """When time alone may change the verdict; None: only a run can."""
    candidates: list[datetime] = []
    if isinstance(rule.series, BacklogSeries):
        candidates.append(now + BACKLOG)
    if verdict.state == "waiting" and not verdict.reason.startswith(OF_CONNECTION):
        candidates.append(now + WAITING)
    if state.phase == "open":
        candidates.append(now + (OPEN if grain_of(rule.series) else OPEN_INSTANT))
        if incident is not None and incident.snoozed_until is not None and incident.snoozed_until > now:
            candidates.append(incident.snoozed_until)
    if state.phase == "pending" and (until := blocked_until(state, rule, now)) is not None:
        candidates.append(until)
    return min(candidates, default=None)


def blocked_until(state: RuleState, rule: AlertRule, now: datetime) -> datetime | None:
    """Until when nothing may open: cool-down, snooze, minimum duration. None: nothing is in the way."""
    policy = rule.policy
    reasons = [until for until in (state.snoozed_until, rule.snoozed_until) if until is not None and until > now]
    if state.resolved_at is not None:
        cool = state.resolved_at + timedelta(minutes=policy.cooldown_minutes)
        if cool > now:
            reasons.append(cool)
    minimum = timedelta(minutes=policy.minimum_minutes)
    if state.firing_since is not None and _known_until(state, rule, now) - state.firing_since < minimum:
        # Once the time has passed, what is missing is a newer bucket.
        reasons.append(max(state.firing_since + minimum, now + WAITING))
    return max(reasons, default=None)


def grain_of(spec: SeriesSpec) -> int:
    """Seconds that one bucket of the series stands for; 0 where a number is of an instant."""
    match spec:
        case SyncSeries() | BacklogSeries():
            return 0
        case FlagSeries():
            return DAY
        case RatioSeries() | DifferenceSeries():
            return grain_of(spec.of)
        case _:
            return HOUR if spec.grain == "hour" else DAY


def is_so_far(spec: SeriesSpec) -> bool:
    """Is its newest bucket a day under way, judged again with another number as it goes on?"""
    plain = spec.of if isinstance(spec, RatioSeries | DifferenceSeries) else spec
    return isinstance(plain, MetricSeries | EventSeries) and plain.grain == "so_far"


def _known_until(state: RuleState, rule: AlertRule, now: datetime) -> datetime:
    """Until when it is known to have been firing: the end of the newest bucket, never later than now."""
    grain = grain_of(rule.series)
    if not grain or not state.marks:
        return now
    return min(now, datetime.fromtimestamp(state.marks[-1].bucket, UTC) + timedelta(seconds=grain))
