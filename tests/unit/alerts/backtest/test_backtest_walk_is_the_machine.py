"""The walk of a back-test says what the incident machine says, verdict by verdict and tick by tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.alerts.backtest.walking import Marks, walk
from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import HOUR, Verdict
from functions.alerts.incidents import machine
from functions.alerts.records import AlertRule
from functions.alerts.spec import MetricSeries, Policy

START = 1_767_225_600
AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """An incident as both tell it; `ended_at` None: still open."""

    since: int
    opened_at: int
    ended_at: int | None


def policies(*minimums: int) -> st.SearchStrategy[Policy]:
    def built(least: int, more: int, recover: int, minimum: int, cooldown: int) -> Policy:
        return Policy(
            fire_after=least,
            out_of=least + more,
            recover_after=recover,
            minimum_minutes=minimum,
            cooldown_minutes=cooldown,
        )

    return st.builds(
        built,
        st.integers(1, 3),
        st.integers(0, 3),
        st.integers(1, 3),
        st.sampled_from(minimums),
        st.sampled_from((0, 30, 60, 90, 180, 400)),
    )


def rule_of(policy: Policy) -> AlertRule:
    return AlertRule(
        id="alr_1",
        tenant_id="ten_1",
        connection_id="con_1",
        name="rule",
        series=MetricSeries(name="posthog_dau", grain="hour"),
        condition=Threshold(above=1),
        policy=policy,
        created_at=AT,
        updated_at=AT,
    )


def by_machine(policy: Policy, buckets: list[tuple[int, str]]) -> list[Seen]:
    """Each bucket is judged at its end; between two ends every tick that is due judges the newest one again."""
    rule = rule_of(policy)
    state = machine.fresh(rule)
    seen: list[Seen] = []

    def judge(hour: int, said: str, now: int) -> None:
        nonlocal state
        verdict = Verdict(
            "firing" if said == "fires" else "not_firing",
            "",
            "",
            bucket=START + hour * HOUR,
            recovered=said == "recovered",
        )
        done = machine.after(state, rule, verdict, datetime.fromtimestamp(now, UTC))
        state = done.state
        if done.effect == "open" and state.firing_since is not None:
            seen.append(Seen(int(state.firing_since.timestamp()), now, None))
        if done.effect == "resolve":
            seen[-1] = Seen(seen[-1].since, seen[-1].opened_at, now)

    for number, (hour, said) in enumerate(buckets):
        end = START + (hour + 1) * HOUR
        judge(hour, said, end)
        following = START + (buckets[number + 1][0] + 1) * HOUR if number + 1 < len(buckets) else end
        while state.phase == "pending" and state.due_at is not None and state.due_at.timestamp() < following:
            judge(hour, said, int(state.due_at.timestamp()))
    return seen


def by_walk(policy: Policy, buckets: list[tuple[int, str]]) -> list[Seen]:
    begins = [START + hour * HOUR for hour, _ in buckets]
    ends = [begin + HOUR for begin in begins]
    marks = Marks(
        range(len(buckets)),
        begins,
        ends,
        [said == "fires" for _, said in buckets],
        [said == "recovered" for _, said in buckets],
    )
    return [
        Seen(begins[each.since], each.opened_at, None if each.is_open else ends[each.last + 1])
        for each in walk(policy, marks)
    ]


@settings(max_examples=400, deadline=None)
@given(
    policies(0, 0, 60, 120, 200),
    st.lists(
        st.tuples(st.sampled_from((1, 1, 1, 2, 5)), st.sampled_from(("fires", "fires", "recovered", "neither"))),
        max_size=40,
    ),
)
def test_the_walk_opens_and_ends_what_the_machine_does(policy: Policy, steps: list[tuple[int, str]]) -> None:
    hour = 0
    buckets: list[tuple[int, str]] = []
    for step, said in steps:
        hour += step
        buckets.append((hour, said))
    assert by_walk(policy, buckets) == by_machine(policy, buckets)


@settings(max_examples=400, deadline=None)
@given(
    policies(900, 1_440, 2_000, 4_320),
    st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from(("fires", "fires", "fires", "recovered", "neither"))), max_size=12
    ),
)
def test_they_agree_on_firings_longer_than_the_marks_that_are_kept(policy: Policy, runs: list[tuple[int, str]]) -> None:
    # A run that does not fire is short, so that what fires around it still counts for N of M.
    said = [said for length, said in runs for _ in range(length if said == "fires" else 1 + length // 20)]
    buckets = list(enumerate(said))
    assert by_walk(policy, buckets) == by_machine(policy, buckets)


def test_a_day_of_firing_opens_after_a_day() -> None:
    policy = Policy(fire_after=2, out_of=3, minimum_minutes=1_440)
    # One of three that does not fire breaks nothing yet: two of them do.
    for said in (["fires"] * 30, [*["fires"] * 22, "neither", *["fires"] * 7]):
        (seen,) = by_walk(policy, list(enumerate(said)))
        assert [seen] == by_machine(policy, list(enumerate(said)))
        assert (seen.since, seen.opened_at) == (START, START + 24 * HOUR)
    broken = list(enumerate([*["fires"] * 22, "neither", "neither", *["fires"] * 23]))
    assert by_walk(policy, broken) == by_machine(policy, broken) == []


def test_a_bucket_that_ends_with_the_cool_down_has_its_say_first() -> None:
    policy = Policy(cooldown_minutes=180)
    said = ("fires", "recovered", "fires", "fires", "neither", "fires")
    seen = by_walk(policy, list(enumerate(said)))
    assert seen == by_machine(policy, list(enumerate(said)))
    assert [(each.opened_at - START) / HOUR for each in seen] == [1, 6]


def test_what_fired_before_the_begin_counts_but_opens_nothing() -> None:
    begins = [START + hour * HOUR for hour in range(4)]
    ends = [begin + HOUR for begin in begins]
    marks = Marks(range(4), begins, ends, [True, True, False, True], [False, False, True, False])
    (only,) = walk(Policy(), marks, begin=begins[2])
    assert (only.opened, only.is_open) == (3, True)
    (second,) = walk(Policy(fire_after=2, out_of=3), marks, begin=begins[2])
    assert (second.since, second.opened) == (0, 3)
