"""Any sequence of verdicts, repeats, edits, snoozes and lost commits: one open incident, told of once, no flapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Literal, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import Verdict
from functions.alerts.incidents import chronicle, machine
from functions.alerts.records import AlertRule, Incident, RuleState
from functions.alerts.spec import MetricSeries, Policy
from hedgerow.models import Connection

START = 1_795_000_800 // 3_600 * 3_600
BEGIN = datetime.fromtimestamp(START, UTC)
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
Kind = Literal["firing", "not_firing", "waiting", "errored"]


class Kept:
    """A store of one rule's records: a commit is all or nothing, and may be lost."""

    def __init__(self, policy: Policy) -> None:
        self.rule = AlertRule(
            id="rule_1",
            tenant_id="ten_1",
            connection_id="con_1",
            name="Any",
            series=MetricSeries(name="posthog_events", grain="hour"),
            condition=Threshold(above=1),
            policy=policy,
            created_at=BEGIN,
            updated_at=BEGIN,
        )
        self.state: RuleState = machine.fresh(self.rule)
        self.incidents: dict[str, Incident] = {}
        self.told: list[tuple[str, str]] = []
        self.now = BEGIN

    def judge(self, verdict: Verdict, *, dies: bool) -> None:
        open_one = self.incidents.get(self.state.incident_id or "")
        done = machine.after(self.state, self.rule, verdict, self.now, open_one)
        assert done == machine.after(self.state, self.rule, verdict, self.now, open_one), "the same in, the same out"
        incident = open_one
        if done.effect == "open":
            assert open_one is None
            incident = chronicle.opened(done, self.rule, CONNECTION, verdict, self.now)
            assert incident.id not in self.incidents
        elif open_one is not None:
            incident = chronicle.after(open_one, done, self.rule, verdict, self.now)
        else:
            assert done.effect is None
        if dies:
            return
        self.state = done.state
        if incident is not None:
            self.incidents[incident.id] = incident
            if done.effect is not None:
                self.told.append((incident.id, done.effect))

    def check(self) -> None:
        opened = [each for each in self.incidents.values() if each.state == "open"]
        assert len(opened) <= 1
        assert (self.state.phase == "open") == bool(opened)
        assert self.state.incident_id == (opened[0].id if opened else None)
        ordered = sorted(self.incidents.values(), key=lambda each: each.opened_at)
        cool = timedelta(minutes=self.rule.policy.cooldown_minutes)
        for earlier, later in pairwise(ordered):
            assert earlier.resolved_at is not None
            assert later.opened_at - earlier.resolved_at >= cool
        for each in ordered:
            effects = [effect for id, effect in self.told if id == each.id]
            assert effects[0] == "open"
            assert effects.count("open") == 1
            assert effects.count("resolve") == (each.state == "resolved")
            assert effects.count("worse") <= machine.MOST_WORSE + self.snoozes
            assert len(each.timeline) <= chronicle.LONGEST
            assert each.since <= each.opened_at
        assert {id for id, _ in self.told} <= self.incidents.keys()
        assert (
            len(self.state.marks) <= max(self.rule.policy.out_of, self.rule.policy.recover_after) + machine.SPARE_MARKS
        )
        buckets = [mark.bucket for mark in self.state.marks]
        assert buckets == sorted(set(buckets))

    snoozes = 0


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    fire_after = draw(st.integers(1, 4))
    return Policy(
        fire_after=fire_after,
        out_of=fire_after + draw(st.integers(0, 3)),
        recover_after=draw(st.integers(1, 3)),
        minimum_minutes=draw(st.sampled_from([0, 0, 30, 150, 1_440])),
        cooldown_minutes=draw(st.sampled_from([0, 60, 240])),
    )


verdicts = st.tuples(
    st.just("verdict"),
    st.sampled_from(cast("list[Kind]", ["firing", "firing", "not_firing", "not_firing", "waiting", "errored"])),
    st.integers(-6, 0),
    st.booleans(),
    st.floats(0, 1e6),
    st.booleans(),
)
others = st.tuples(
    st.sampled_from(["edit", "snooze", "snooze_rule", "acknowledge", "policy"]),
    st.just("firing"),
    st.integers(0, 600),
    st.booleans(),
    st.just(0.0),
    st.just(False),
)


@settings(max_examples=500, deadline=None)
@given(
    policies(),
    st.lists(st.tuples(st.integers(0, 200), st.one_of(verdicts, verdicts, verdicts, others)), max_size=60),
    st.data(),
)
def test_whatever_comes(
    policy: Policy, steps: list[tuple[int, tuple[str, Kind, int, bool, float, bool]]], data: st.DataObject
) -> None:
    kept = Kept(policy)
    for minutes, (what, said, number, flag, observed, dies) in steps:
        kept.now += timedelta(minutes=minutes)
        if what == "verdict":
            bucket = (int(kept.now.timestamp()) // 3_600 - 1 + number) * 3_600
            recovered = said == "not_firing" and flag
            verdict = Verdict(said, said, said, bucket, observed, high=1, recovered=recovered, is_incomplete=flag)
            for _ in range(data.draw(st.integers(1, 3)) if dies else 1):
                kept.judge(verdict, dies=dies)
            kept.judge(verdict, dies=False)
        elif what == "edit":
            kept.rule = kept.rule.model_copy(update={"revision": kept.rule.revision + 1})
        elif what == "snooze_rule":
            kept.rule = kept.rule.model_copy(update={"snoozed_until": kept.now + timedelta(minutes=number)})
        elif what == "policy":
            # A policy may be edited without the marks being dropped; a longer cool-down counts from now on.
            shorter = kept.rule.policy.model_copy(update={"out_of": kept.rule.policy.out_of + 2})
            kept.rule = kept.rule.model_copy(update={"policy": shorter})
        elif kept.state.incident_id is not None:
            incident = kept.incidents[kept.state.incident_id]
            if what == "snooze":
                kept.snoozes += 1
                until = kept.now + timedelta(minutes=number)
                kept.state = kept.state.model_copy(update={"snoozed_until": until})
                incident = incident.model_copy(update={"snoozed_until": until})
            else:
                incident = chronicle.stepped(incident, "acknowledged", "Seen.", kept.now)
            kept.incidents[incident.id] = incident
        kept.check()


@settings(max_examples=200, deadline=None)
@given(policies(), st.lists(st.sampled_from(["firing", "recovered", "neither"]), min_size=1, max_size=25), st.randoms())
def test_without_an_end_in_between_the_order_does_not_matter(policy: Policy, said: list[str], random: Random) -> None:
    """The same buckets in any order leave the same marks, as long as no incident came between them."""
    quiet = policy.model_copy(update={"fire_after": 30, "out_of": 30})
    one, other = Kept(quiet), Kept(quiet)
    one.now = other.now = BEGIN + timedelta(days=3)
    hours = list(range(len(said)))
    for hour in hours:
        one.judge(_plain(said[hour], hour), dies=False)
    random.shuffle(hours)
    for hour in hours:
        other.judge(_plain(said[hour], hour), dies=False)
    assert one.state.marks == other.state.marks


def _plain(said: str, hour: int) -> Verdict:
    state: Kind = "firing" if said == "firing" else "not_firing"
    return Verdict(state, said, said, START + hour * 3_600, 1.0, recovered=said == "recovered")
