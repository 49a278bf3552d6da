"""The incident machine: where a rule stood, a verdict and the time in; where it stands now and what that begins, out.

Pure, and the only place that decides whether an incident opens, gets worse or ends.
Verdicts may come late, doubled and in any order, and the rule may have been edited in
between: it never has two incidents open, and opens none inside its cool-down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from functions.alerts.conditions.series import Verdict, VerdictState
from functions.alerts.incidents import waking
from functions.alerts.records import AlertRule, Incident, LastVerdict, Mark, RuleState
from hedgerow.records import derived_id

Effect = Literal["open", "worse", "resolve"]

SPARE_MARKS = 12
"""Marks kept beyond what the policy looks at, so that late data can still correct an opening."""

ORDINARY = frozenset({"no_points", "warming_up"})
"""Reasons why nothing can be said yet that are no error: points come by themselves."""

MOST_WORSE = 3
CLEARLY = 1.5
"""How many times as far outside of its band a number must be to be called worse than the worst so far."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What a verdict changes. `sentence` tells of the effect; `is_edited`: the open incident is judged anew."""

    state: RuleState
    effect: Effect | None = None
    sentence: str = ""
    is_edited: bool = False
    is_corrected: bool = False


def fresh(rule: AlertRule, value: str | None = None) -> RuleState:
    """Where a rule stands before its first verdict."""
    return RuleState(
        id=state_id(rule.id, value),
        tenant_id=rule.tenant_id,
        connection_id=rule.connection_id,
        rule_id=rule.id,
        value=value,
        revision=rule.revision,
    )


def state_id(rule_id: str, value: str | None) -> str:
    """The one state of a rule and a value of its breakdown."""
    return derived_id("rst", rule_id) if value is None else derived_id("rst", rule_id, value)


def after(
    state: RuleState, rule: AlertRule, verdict: Verdict, now: datetime, incident: Incident | None = None
) -> Transition:
    """Where the rule stands after this verdict. `incident` is the one that is open, for how bad it has been."""
    is_edited = state.revision != rule.revision and state.phase == "open"
    state = _of_this_revision(state, rule)
    if verdict.state in ("waiting", "errored"):
        return _woken(
            Transition(_showing(state, rule, verdict, now), is_edited=is_edited), rule, verdict, now, incident
        )
    bucket = int(now.timestamp()) if verdict.bucket is None else verdict.bucket
    before = _marked(state, bucket)
    state = _showing(_with_mark(state, rule, verdict, bucket), rule, verdict, now)
    if state.phase == "open":
        was_firing = before is not None and before.firing
        is_void = was_firing and verdict.state == "not_firing" and _is_void(state, rule, bucket)
        transition = _voided(state, verdict, now) if is_void else _while_open(state, rule, verdict, now, incident)
    else:
        transition = _while_quiet(state, rule, verdict, now)
    changed = Transition(transition.state, transition.effect, transition.sentence, is_edited, transition.is_corrected)
    return _woken(changed, rule, verdict, now, incident)


def remembering(state: RuleState, rule: AlertRule, verdict: Verdict) -> RuleState:
    """With the mark of a bucket from before the rule was first judged: it counts, and begins nothing."""
    if verdict.state in ("waiting", "errored") or verdict.bucket is None:
        return state
    return _with_mark(_of_this_revision(state, rule), rule, verdict, verdict.bucket)


def closed(state: RuleState, now: datetime) -> RuleState:
    """The state once its incident is over, whatever ended it; what was marked is used up."""
    return state.model_copy(
        update={
            "phase": "quiet",
            "incident_id": None,
            "firing_since": None,
            "firing_before": None,
            "resolved_at": now,
            "marks": _tail(state.marks),
            "due_at": None,
        }
    )


def excess(observed: float | None, low: float | None, high: float | None) -> float:
    """How far a number lies outside of its band, upwards or downwards; 0 within it, or where it is not known."""
    if observed is None:
        return 0.0
    above = observed - high if high is not None else 0.0
    beneath = low - observed if low is not None else 0.0
    return max(above, beneath, 0.0)


def _of_this_revision(state: RuleState, rule: AlertRule) -> RuleState:
    """What was marked and said under other settings says nothing under these; an open incident stays open."""
    if state.revision == rule.revision:
        return state
    update: dict[str, object] = {"revision": rule.revision, "marks": (), "firing_before": None, "last": None}
    if state.phase != "open":
        update |= {"phase": "quiet", "firing_since": None}
    return state.model_copy(update=update)


def _while_quiet(state: RuleState, rule: AlertRule, verdict: Verdict, now: datetime) -> Transition:
    since = _firing_since(state, rule)
    if since is None:
        return Transition(state.model_copy(update={"phase": "quiet", "firing_since": None}))
    pending = state.model_copy(update={"phase": "pending", "firing_since": since})
    if waking.blocked_until(pending, rule, now) is not None:
        return Transition(pending)
    opened = pending.model_copy(
        update={
            "phase": "open",
            "opened": state.opened + 1,
            "incident_id": derived_id("inc", state.id, str(state.opened + 1)),
        }
    )
    return Transition(opened, "open", _sentence(state, verdict))


def _voided(state: RuleState, verdict: Verdict, now: datetime) -> Transition:
    sentence = f"Late data moved the number, which was not unusual after all. {verdict.sentence}"
    return Transition(closed(state, now), "resolve", sentence, is_corrected=True)


def _while_open(
    state: RuleState, rule: AlertRule, verdict: Verdict, now: datetime, incident: Incident | None
) -> Transition:
    wanted = rule.policy.recover_after
    newest = state.marks[-wanted:]
    if len(newest) == wanted and all(mark.recovered and not mark.firing for mark in newest):
        return Transition(closed(state, now), "resolve", verdict.sentence)
    is_newest = verdict.bucket is None or verdict.bucket == state.marks[-1].bucket
    if incident is None or verdict.state != "firing" or not is_newest:
        return Transition(state)
    if incident.snoozed_until is not None:
        if incident.snoozed_until > now:
            return Transition(state)
        return Transition(
            state.model_copy(update={"snoozed_until": None}), "worse", f"Still so after the snooze: {verdict.sentence}"
        )
    # What is unusual of a day under way grows with the day.
    is_going_on = waking.is_so_far(rule.series) and verdict.bucket == incident.bucket
    if not is_going_on and _is_worse(verdict, incident):
        return Transition(state, "worse", verdict.sentence)
    return Transition(state)


def _is_worse(verdict: Verdict, incident: Incident) -> bool:
    told = sum(step.kind == "worse" for step in incident.timeline)
    worst = excess(incident.peak, verdict.low, verdict.high)
    return told < MOST_WORSE and worst > 0 and excess(verdict.observed, verdict.low, verdict.high) >= CLEARLY * worst


def _firing_since(state: RuleState, rule: AlertRule) -> datetime | None:
    """Begin of the first firing bucket when enough of the last ones fire, the newest among them; else None."""
    looked_at = state.marks[-rule.policy.out_of :]
    firing = [mark for mark in looked_at if mark.firing]
    if len(firing) < rule.policy.fire_after or not looked_at[-1].firing:
        return None
    # A streak that goes back further than the policy looks began when it began.
    begun = firing[0].bucket
    for mark in reversed(state.marks[: len(state.marks) - len(looked_at)]):
        if not mark.firing:
            break
        begun = mark.bucket
    else:
        if state.firing_before is not None:
            return state.firing_before
    return datetime.fromtimestamp(begun, UTC)


def _is_void(state: RuleState, rule: AlertRule, bucket: int) -> bool:
    """Would what is marked not have opened the incident, now that this bucket does not fire any more?"""
    if state.firing_since is None or waking.is_so_far(rule.series):
        return False  # A day that goes on to be fine is no correction.
    begun = int(state.firing_since.timestamp())
    if not bucket >= begun >= state.marks[0].bucket:
        return False  # What opened it is beyond correction.
    marks = [mark for mark in state.marks if mark.bucket >= begun]
    streaks = (marks[at : at + rule.policy.out_of] for at in range(len(marks)))
    return all(sum(mark.firing for mark in streak) < rule.policy.fire_after for streak in streaks)


def _sentence(state: RuleState, verdict: Verdict) -> str:
    """The newest judged bucket's sentence, also when it was an older bucket's verdict that came last."""
    last = state.last
    if last is None or last.bucket == verdict.bucket or last.state in ("waiting", "errored"):
        return verdict.sentence
    return last.sentence


def _with_mark(state: RuleState, rule: AlertRule, verdict: Verdict, bucket: int) -> RuleState:
    """With this bucket's mark, in its place: a bucket that is judged again has one mark, the later one."""
    kept = max(rule.policy.out_of, rule.policy.recover_after) + SPARE_MARKS
    is_old = bool(state.marks) and bucket < state.marks[0].bucket
    is_forgotten = len(state.marks) >= kept or state.firing_before is not None
    if is_old and (state.resolved_at is not None or is_forgotten):
        return state
    mark = Mark(bucket=bucket, firing=verdict.state == "firing", recovered=verdict.recovered)
    others = [each for each in state.marks if each.bucket != bucket]
    marks = sorted([*others, mark], key=lambda each: each.bucket)
    before = state.firing_before
    # A minimum duration may be longer than the marks that are kept.
    for forgotten in marks[:-kept]:
        before = (before or datetime.fromtimestamp(forgotten.bucket, UTC)) if forgotten.firing else None
    return state.model_copy(update={"marks": tuple(marks[-kept:]), "firing_before": before})


def _marked(state: RuleState, bucket: int) -> Mark | None:
    return next((mark for mark in state.marks if mark.bucket == bucket), None)


def _tail(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """The marks behind the last one that fires, and at least the newest: what is older belongs to the ended incident."""
    last = max((number for number, mark in enumerate(marks) if mark.firing), default=-1)
    return marks[last + 1 :] or marks[-1:]


def _showing(state: RuleState, rule: AlertRule, verdict: Verdict, now: datetime) -> RuleState:
    """With the verdict as the API shows it, unless it says of the same bucket what is shown, or is of an older one."""
    last = state.last
    word: VerdictState = "waiting" if verdict.reason in ORDINARY else verdict.state
    if last is not None:
        is_same = (last.state, last.bucket, last.reason) == (word, verdict.bucket, verdict.reason)
        is_same = is_same and (last.observed == verdict.observed or not waking.is_so_far(rule.series))
        is_older = last.bucket is not None and verdict.bucket is not None and verdict.bucket < last.bucket
        if is_same or is_older:
            return state
    shown = LastVerdict(
        state=word,
        reason=verdict.reason,
        sentence=verdict.sentence,
        at=now,
        bucket=verdict.bucket,
        observed=verdict.observed,
        low=verdict.low,
        high=verdict.high,
    )
    return state.model_copy(update={"last": shown})


def _woken(
    transition: Transition, rule: AlertRule, verdict: Verdict, now: datetime, incident: Incident | None
) -> Transition:
    due_at = waking.due(transition.state, rule, verdict, now, incident)
    return replace(transition, state=transition.state.model_copy(update={"due_at": due_at}))
