"""A minimum duration longer than the marks that are kept: the firing's true begin is known all the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import HOUR, Verdict
from functions.alerts.incidents import machine
from functions.alerts.records import AlertRule, RuleState
from functions.alerts.spec import MetricSeries, Policy

BEGIN = datetime(2026, 11, 18, tzinfo=UTC)
RULE = AlertRule(
    id="rule_1",
    tenant_id="ten_1",
    connection_id="con_1",
    name="Failures",
    series=MetricSeries(name="posthog_events", grain="hour"),
    condition=Threshold(above=10),
    policy=Policy(minimum_minutes=1_440, cooldown_minutes=0),
    created_at=BEGIN,
    updated_at=BEGIN,
)


@dataclass
class Standing:
    """Where the rule stands, and at which hours what began."""

    rule: AlertRule = RULE
    state: RuleState = field(default_factory=lambda: machine.fresh(RULE))
    effects: list[tuple[int, str]] = field(default_factory=list)

    def say(self, said: str, begin: int = 0) -> None:
        """A word for each hour from `begin` on: F fires, N does not, R has recovered."""
        for hour, each in enumerate(said, begin):
            bucket = BEGIN + timedelta(hours=hour)
            verdict = Verdict(
                "firing" if each == "F" else "not_firing", "", "", int(bucket.timestamp()), recovered=each == "R"
            )
            done = machine.after(self.state, self.rule, verdict, bucket + timedelta(hours=1))
            self.state = done.state
            if done.effect is not None:
                self.effects.append((hour, done.effect))


def test_a_day_of_firing_opens_when_the_day_is_over() -> None:
    rule = Standing()
    rule.say("F" * 30)
    assert rule.effects == [(23, "open")]
    assert rule.state.firing_since == BEGIN
    assert len(rule.state.marks) * HOUR < 1_440 * 60


def test_what_breaks_it_begins_it_anew() -> None:
    rule = Standing()
    rule.say("F" * 20 + "N" + "F" * 24)
    assert rule.effects == [(44, "open")]
    assert rule.state.firing_since == BEGIN + timedelta(hours=21)


def test_a_late_correction_breaks_it() -> None:
    rule = Standing()
    rule.say("F" * 22)
    rule.say("N", 15)
    rule.say("F" * 18, 22)
    assert rule.effects == [(39, "open")]


def test_late_data_of_what_was_forgotten_changes_nothing() -> None:
    rule = Standing()
    rule.say("F" * 22)
    before = rule.state.marks, rule.state.firing_before
    rule.say("N", 2)
    rule.say("N", -1)
    # Another policy may keep more marks from now on.
    rule.rule = RULE.model_copy(update={"policy": RULE.policy.model_copy(update={"out_of": 5})})
    rule.say("N", 2)
    assert (rule.state.marks, rule.state.firing_before) == before


def test_nothing_is_remembered_beyond_an_edit() -> None:
    rule = Standing()
    rule.say("F" * 20)
    rule.rule = RULE.model_copy(update={"revision": 2})
    rule.say("F" * 24, 20)
    assert rule.effects == [(43, "open")]


def test_nothing_is_remembered_beyond_an_end() -> None:
    rule = Standing()
    rule.say("F" * 24 + "R" + "F" * 24)
    assert rule.effects == [(23, "open"), (24, "resolve"), (48, "open")]
    assert rule.state.firing_since == BEGIN + timedelta(hours=25)
    rule.state = machine.closed(rule.state, BEGIN + timedelta(hours=49))
    rule.say("F" * 22, 49)
    assert rule.state.phase == "pending"
