"""The incident machine, example by example: N of M, recovery, cool-down, snooze, minimum, corrections, edits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import Verdict
from functions.alerts.incidents import chronicle, machine
from functions.alerts.incidents.machine import Transition
from functions.alerts.records import AlertRule, Incident, RuleState
from functions.alerts.spec import BacklogSeries, MetricSeries, Policy
from hedgerow.models import Connection

HOUR = 3_600
START = 1_795_000_800 // HOUR * HOUR
BEGIN = datetime.fromtimestamp(START, UTC)
Said = Literal["F", "R", "N", "W", "E"]

CONNECTION = Connection(
    id="con_1",
    tenant_id="ten_1",
    name="Shop",
    host="https://us.posthog.com",
    state="connected",
    state_since=BEGIN,
    tier="scale",
    created_at=BEGIN,
)


def rule_of(**policy: object) -> AlertRule:
    return AlertRule(
        id="rule_1",
        tenant_id="ten_1",
        connection_id="con_1",
        name="Failures",
        series=MetricSeries(name="posthog_events", grain="hour"),
        condition=Threshold(above=10, recover_below=8),
        policy=Policy.model_validate({"cooldown_minutes": 0, **policy}),
        created_at=BEGIN,
        updated_at=BEGIN,
    )


def verdict_of(said: Said, hour: int, observed: float | None = None) -> Verdict:
    bucket = START + hour * HOUR
    match said:
        case "F":
            return Verdict(
                "firing", "above_threshold", f"{observed or 20:g} at {hour}.", bucket, observed or 20, high=10
            )
        case "R":
            return Verdict("not_firing", "ok", f"Fine at {hour}.", bucket, observed or 2, high=10, recovered=True)
        case "N":
            return Verdict("not_firing", "ok", f"Nearly fine at {hour}.", bucket, observed or 9, high=10)
        case "W":
            return Verdict("waiting", "incomplete", "Not all of it has arrived.")
    return Verdict("errored", "too_short", "Too short to judge.")


@dataclass
class Room:
    """A rule, where it stands, and the incidents there were."""

    rule: AlertRule = field(default_factory=rule_of)
    state: RuleState | None = None
    incident: Incident | None = None
    past: list[Incident] = field(default_factory=list)

    def say(self, said: Said, hour: int, at: datetime | None = None, observed: float | None = None) -> Transition:
        return self.judge(verdict_of(said, hour, observed), at or BEGIN + timedelta(hours=hour + 1, minutes=5))

    def judge(self, verdict: Verdict, now: datetime) -> Transition:
        done = machine.after(self.state or machine.fresh(self.rule), self.rule, verdict, now, self.incident)
        self.state = done.state
        if done.effect == "open":
            assert self.incident is None
            self.incident = chronicle.opened(done, self.rule, CONNECTION, verdict, now)
        elif self.incident is not None:
            self.incident = chronicle.after(self.incident, done, self.rule, verdict, now)
        if self.incident is not None and self.incident.state == "resolved":
            self.past.append(self.incident)
            self.incident = None
        return done

    def effects(self, *said: Said) -> list[str | None]:
        return [self.say(each, hour).effect for hour, each in enumerate(said)]


def test_one_firing_verdict_opens_and_a_recovered_one_resolves() -> None:
    room = Room()
    assert room.effects("R", "F", "F", "R", "R") == [None, "open", None, "resolve", None]
    (only,) = room.past
    assert only.since == BEGIN + timedelta(hours=1)
    assert [step.kind for step in only.timeline] == ["opened", "resolved"]
    assert (only.peak, only.was_corrected) == (20, False)


def test_below_the_threshold_but_not_recovered_stays_open() -> None:
    assert Room().effects("F", "N", "N", "R") == ["open", None, None, "resolve"]


def test_n_of_m_counts_buckets_and_needs_the_newest() -> None:
    room = Room(rule_of(fire_after=2, out_of=3))
    assert room.effects("F", "N", "N", "F", "N", "F") == [None, None, None, None, None, "open"]
    assert room.incident is not None
    assert room.incident.since == BEGIN + timedelta(hours=3)


def test_the_same_bucket_judged_again_is_one_evaluation() -> None:
    room = Room(rule_of(fire_after=2, out_of=2))
    assert [room.say("F", 0).effect for _ in range(5)] == [None] * 5
    assert room.say("F", 1).effect == "open"


def test_a_doubled_verdict_changes_nothing_at_all() -> None:
    room = Room()
    for hour, said in enumerate("RFFNR"):
        at = BEGIN + timedelta(hours=hour + 1)
        room.say(said, hour, at)  # type: ignore[arg-type]
        before = room.state
        assert room.say(said, hour, at).effect is None  # type: ignore[arg-type]
        assert room.state == before


def test_recover_after_wants_them_in_a_row() -> None:
    assert Room(rule_of(recover_after=2)).effects("F", "R", "N", "R", "R") == ["open", None, None, None, "resolve"]


def test_nothing_opens_inside_the_cool_down_and_it_is_looked_at_when_that_ends() -> None:
    room = Room(rule_of(cooldown_minutes=150))
    assert room.effects("F", "R", "F") == ["open", "resolve", None]
    assert room.state is not None
    resolved_at = BEGIN + timedelta(hours=2, minutes=5)
    assert (room.state.phase, room.state.due_at) == ("pending", resolved_at + timedelta(minutes=150))
    assert room.say("F", 2, resolved_at + timedelta(minutes=149)).effect is None
    assert room.say("F", 2, resolved_at + timedelta(minutes=150)).effect == "open"
    assert room.state.incident_id != room.past[0].id


def test_marks_of_an_ended_incident_do_not_open_the_next() -> None:
    room = Room(rule_of(fire_after=2, out_of=3))
    assert room.effects("F", "F", "R", "F", "F") == [None, "open", "resolve", None, "open"]


def test_minimum_duration_waits_for_buckets_not_for_the_clock() -> None:
    room = Room(rule_of(minimum_minutes=120))
    assert room.say("F", 0).effect is None
    assert room.say("F", 0, BEGIN + timedelta(hours=5)).effect is None, "no newer bucket has come"
    assert room.say("F", 1, BEGIN + timedelta(hours=5)).effect == "open"


def test_an_instant_series_fires_for_as_long_as_the_clock_says() -> None:
    rule = rule_of(minimum_minutes=10).model_copy(update={"series": BacklogSeries()})
    room = Room(rule)
    assert room.say("F", 0, BEGIN + timedelta(minutes=1)).effect is None
    assert room.say("F", 0, BEGIN + timedelta(minutes=10)).effect == "open"


def test_waiting_and_errored_change_nothing_but_are_shown() -> None:
    room = Room()
    room.say("F", 0)
    marks = room.state.marks if room.state else ()
    for said in ("W", "E"):
        assert room.say(said, 1).effect is None
        assert room.state is not None
        assert (room.state.marks, room.state.phase) == (marks, "open")
        assert room.state.last is not None
        assert room.state.last.state == {"W": "waiting", "E": "errored"}[said]


def test_a_corrected_opening_resolves_and_says_so() -> None:
    room = Room()
    room.judge(replace(verdict_of("F", 3), is_incomplete=True), BEGIN + timedelta(hours=4))
    done = room.say("N", 3, BEGIN + timedelta(hours=6))
    assert (done.effect, done.is_corrected) == ("resolve", True)
    (only,) = room.past
    assert (only.on_incomplete, only.was_corrected) == (True, True)
    assert [step.kind for step in only.timeline] == ["opened", "corrected", "resolved"]
    assert "incomplete data" in only.timeline[1].sentence
    assert "Late data" in only.timeline[2].sentence


def test_a_correction_of_one_of_several_firing_buckets_keeps_it_open() -> None:
    room = Room()
    assert room.effects("F", "F") == ["open", None]
    assert room.say("N", 0, BEGIN + timedelta(hours=3)).effect is None
    assert room.say("N", 1, BEGIN + timedelta(hours=3)).is_corrected


def test_too_few_left_for_n_of_m_is_a_correction() -> None:
    room = Room(rule_of(fire_after=2, out_of=2))
    assert room.effects("F", "F") == [None, "open"]
    assert room.say("N", 0, BEGIN + timedelta(hours=3)).is_corrected


def test_a_bucket_out_of_order_takes_its_place() -> None:
    room = Room(rule_of(fire_after=2, out_of=2))
    assert room.say("F", 5).effect is None
    assert room.say("F", 4, BEGIN + timedelta(hours=6)).effect == "open"
    assert room.incident is not None
    assert room.incident.since == BEGIN + timedelta(hours=4)
    assert "at 5" in room.incident.sentence


def test_an_old_recovery_does_not_resolve_what_fires_now() -> None:
    room = Room()
    assert room.say("F", 5).effect == "open"
    assert room.say("R", 4, BEGIN + timedelta(hours=7)).effect is None
    assert room.state is not None
    assert room.state.last is not None
    assert room.state.last.bucket == START + 5 * HOUR, "the newest is shown"


def test_an_edit_drops_the_marks_and_keeps_the_incident() -> None:
    room = Room(rule_of(fire_after=2, out_of=2))
    room.effects("F", "F")
    room.rule = room.rule.model_copy(update={"revision": 2})
    done = room.say("N", 1, BEGIN + timedelta(hours=3))
    assert (done.is_edited, done.effect) == (True, None), "another setting is no correction"
    assert room.incident is not None
    assert [step.kind for step in room.incident.timeline] == ["opened", "edited"]
    assert room.say("R", 2).effect == "resolve"


def test_an_edit_while_quiet_begins_anew() -> None:
    room = Room(rule_of(fire_after=2, out_of=2))
    room.say("F", 0)
    room.rule = room.rule.model_copy(update={"revision": 2})
    assert room.say("F", 1).effect is None
    assert room.say("F", 2).effect == "open"


def test_worse_is_told_when_clearly_beyond_the_peak_and_not_for_ever() -> None:
    room = Room()
    seen = [room.say("F", hour, observed=10 + 10 * 1.6**hour).effect for hour in range(8)]
    assert seen == ["open", "worse", "worse", "worse", None, None, None, None]
    assert room.incident is not None
    assert room.incident.peak == pytest.approx(10 + 10 * 1.6**7)


def test_a_little_beyond_the_peak_is_not_worse() -> None:
    room = Room()
    assert [room.say("F", hour, observed=20 + hour).effect for hour in range(4)] == ["open", None, None, None]


def test_a_snoozed_rule_opens_nothing_until_the_snooze_ends() -> None:
    room = Room()
    until = BEGIN + timedelta(hours=3)
    room.rule = room.rule.model_copy(update={"snoozed_until": until})
    assert room.effects("F", "F") == [None, None]
    assert room.state is not None
    assert room.state.due_at == until
    assert room.say("F", 1, until).effect == "open"


def test_a_snoozed_incident_is_told_again_when_it_is_still_so() -> None:
    room = Room()
    room.say("F", 0)
    assert room.incident is not None
    until = BEGIN + timedelta(hours=4)
    room.incident = room.incident.model_copy(update={"snoozed_until": until})
    assert room.say("F", 1, observed=900).effect is None
    assert room.state is not None
    done = room.say("F", 2, until)
    assert done.effect == "worse"
    assert "after the snooze" in done.sentence
    assert room.incident.snoozed_until is None
    assert room.say("F", 2, until + timedelta(hours=1)).effect is None


def test_an_open_incident_is_looked_at_again_without_any_run() -> None:
    room = Room()
    room.say("F", 0)
    assert room.state is not None
    assert room.state.due_at is not None
    assert room.state.due_at <= BEGIN + timedelta(hours=2)


def test_a_bucket_of_an_ended_incident_judged_again_opens_no_other() -> None:
    room = Room(rule_of(fire_after=2, out_of=3))
    assert room.effects("F", "F", "R") == [None, "open", "resolve"]
    assert room.say("F", 1, BEGIN + timedelta(hours=4)).effect is None
    assert room.say("F", 3).effect is None


def test_an_opening_under_other_settings_is_beyond_correction() -> None:
    room = Room()
    assert room.say("F", 3).effect == "open"
    room.rule = room.rule.model_copy(update={"revision": 2})
    assert room.say("F", 5).effect is None
    assert room.say("N", 5, BEGIN + timedelta(hours=7)).effect is None
    assert room.incident is not None


@pytest.mark.parametrize(
    ("reason", "shown"), [("no_points", "waiting"), ("warming_up", "waiting"), ("no_threshold", "errored")]
)
def test_too_little_to_judge_is_shown_as_waiting_not_as_an_error(reason: str, shown: str) -> None:
    rule = rule_of()
    verdict = Verdict("errored", reason, "Nothing can be said.")
    stood = machine.after(machine.fresh(rule), rule, verdict, BEGIN)
    assert stood.state.last is not None
    assert stood.state.last.state == shown
    again = machine.after(stood.state, rule, verdict, BEGIN + timedelta(hours=1))
    assert again.state == stood.state, "the same again is no news"
    assert stood.state.due_at is None, "points come with a run, not with time"


def test_what_was_said_under_other_settings_is_not_shown_after_an_edit() -> None:
    rule = rule_of()
    early = replace(verdict_of("F", 7), is_incomplete=True)
    stood = machine.after(machine.fresh(rule), rule, early, BEGIN + timedelta(hours=7)).state
    edited = rule.model_copy(update={"revision": 2})
    # Under a higher threshold the bucket that still runs is not judged early: the verdict is of an older one.
    anew = machine.after(stood, edited, verdict_of("N", 6), BEGIN + timedelta(hours=7)).state
    assert anew.last is not None
    assert (anew.last.state, anew.last.bucket) == ("not_firing", START + 6 * HOUR)
    waits = machine.after(stood, edited, verdict_of("W", 6), BEGIN + timedelta(hours=7)).state
    assert waits.last is not None
    assert waits.last.state == "waiting"
