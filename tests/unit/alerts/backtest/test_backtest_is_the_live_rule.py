"""A back-test tells what the live rule would have: each bucket judged at its end by `judge`, stepped by the machine."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from functions.alerts.backtest.backtesting import backtest
from functions.alerts.conditions import judging
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NoData, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series
from functions.alerts.incidents import machine
from functions.alerts.records import AlertRule
from functions.alerts.spec import MetricSeries, Policy

if TYPE_CHECKING:
    from hedgerow.measures import Grain

FIRST = 1_767_225_600
AT = datetime(2026, 1, 1, tzinfo=UTC)


def series_of(seconds: int, count: int, seed: int) -> Series:
    """A weekly shape with noise, drops and spikes, and some buckets missing."""
    rng = random.Random(seed)
    begins: list[int] = []
    values: list[float] = []
    missing = 0
    for number in range(count):
        missing = missing - 1 if missing else rng.choice((1, 3, 3)) * (rng.random() < 0.03)
        if missing:
            continue
        begin = FIRST + number * seconds
        value = 200 + 40 * ((begin // DAY) % 7) + rng.gauss(0, 8)
        if rng.random() < 0.04:
            value *= rng.choice((0.2, 2.5, 0.0))
        begins.append(begin)
        values.append(value)
    return Series("sales", seconds, begins, values, begins[-1] + seconds)


def live(condition: Condition, policy: Policy, series: Series, begins: list[int]) -> list[tuple[int, int, int | None]]:
    """(since, told at, ended at) of each incident, as the machine opens and ends them."""
    grain: Grain = "day" if series.seconds == DAY else "hour"
    rule = AlertRule(
        id="rule_1",
        tenant_id="ten_1",
        connection_id="con_1",
        name="rule",
        series=MetricSeries(name="posthog_dau", grain=grain),
        condition=condition,
        policy=policy,
        created_at=AT,
        updated_at=AT,
    )
    state, told = machine.fresh(rule), list[tuple[int, int, int | None]]()
    ends = [begin + series.seconds for begin in begins]
    for number, end in enumerate(ends):
        known = sum(begin < end for begin in series.begins)
        cut = Series(series.name, series.seconds, series.begins[:known], series.values[:known], end)
        nexts = ends[number + 1] if number + 1 < len(ends) else end
        now: float = end
        while True:
            done = machine.after(state, rule, judging.judge(condition, cut), datetime.fromtimestamp(now, UTC))
            state = done.state
            if done.effect == "open" and state.firing_since is not None:
                told.append((int(state.firing_since.timestamp()), int(now), None))
            elif done.effect == "resolve":
                told[-1] = (*told[-1][:2], int(now))
            if state.phase != "pending" or state.due_at is None or state.due_at.timestamp() >= nexts:
                break
            now = state.due_at.timestamp()
    return told


POLICIES = (Policy(), Policy(fire_after=2, out_of=3, recover_after=2, cooldown_minutes=180))
CONDITIONS: tuple[Condition, ...] = (
    Threshold(above=500, below=60, recover_below=450, recover_above=100),
    Change(percent=40),
    Change(against="previous", direction="drop", percent=60),
    Anomaly(),
    NoData(buckets=2),
)


@pytest.mark.parametrize("policy", POLICIES, ids=("plain", "n_of_m"))
@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.kind)
@pytest.mark.parametrize(("seconds", "count"), [(DAY, 200), (HOUR, 900)], ids=("days", "hours"))
def test_the_incidents_are_those_of_the_live_rule(
    condition: Condition, policy: Policy, seconds: int, count: int
) -> None:
    series = series_of(seconds, count, seed=5)
    report = backtest(condition, policy, series)
    assert report.incidents or policy.fire_after > 1, "there is something to compare"
    buckets = list(series.begins)
    if isinstance(condition, NoData):
        buckets = [FIRST + number * seconds for number in range(count) if FIRST + number * seconds <= series.begins[-1]]
    assert [(each.since, each.told_at) for each in report.incidents] == [
        each[:2] for each in live(condition, policy, series, buckets)
    ]
