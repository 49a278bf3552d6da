"""What a rule's series say now: for each value of its breakdown the verdicts, oldest bucket first.

Buckets that ended since the last look are judged one by one, so that a rule sees what its
back-test saw however seldom it is looked at, and those already marked are judged again,
because late data moves them. Decides nothing about incidents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from functions.alerts.conditions import flags, judging, values
from functions.alerts.conditions.kinds import Anomaly, Change, NewValue, NoData, StaleFlag, Threshold
from functions.alerts.conditions.series import DAY, HOUR, Series, Verdict
from functions.alerts.incidents import health, machine, missing
from functions.alerts.incidents.waking import grain_of
from functions.alerts.records import AlertRule, RuleState
from functions.alerts.series import reading
from functions.alerts.spec import FlagSeries, SyncSeries
from hedgerow import tiers
from hedgerow.app import App
from hedgerow.errors import HedgerowError
from hedgerow.models import Connection

MOST_BUCKETS = 48
"""Buckets judged in one look: two days by the hour."""

ANOMALY_DAYS = 100
HISTORY_DAYS = 35


@dataclass(frozen=True, slots=True)
class Look:
    """One value's verdicts, given where the rule stood. `seed`: buckets from before its first verdict."""

    value: str | None
    verdicts: Callable[[RuleState], tuple[Verdict, ...]]
    seed: Callable[[RuleState], tuple[Verdict, ...]] = lambda _: ()


async def look(app: App, connection: Connection, rule: AlertRule, now: datetime) -> list[Look]:
    """A look at every value there is now; one that errored where the series cannot be had."""
    try:
        return await _look(app, connection, rule, now)
    except HedgerowError as error:
        if error.transient:
            raise
        return [steady(None, Verdict("errored", error.code, f"{error.detail} {error.hint}".strip()))]


def steady(value: str | None, verdict: Verdict) -> Look:
    """The same verdict wherever the rule stood."""
    return Look(value, lambda _: (verdict,))


async def _look(app: App, connection: Connection, rule: AlertRule, now: datetime) -> list[Look]:
    condition, spec = rule.condition, rule.series
    days = days_of(rule)
    if isinstance(condition, StaleFlag) and isinstance(spec, FlagSeries):
        grouped = await reading.read_flags(app, connection, spec, days=days, now=now)
        if spec.key is not None:
            return [steady(None, flags.judge_flag(condition, spec.key, grouped.get(spec.key, {})))]
        return [steady(key, flags.judge_flag(condition, key, variants)) for key, variants in grouped.items()]
    found = await reading.read(app, connection, spec, days=days, now=now)
    if isinstance(condition, NewValue):
        return [steady(None, values.judge_new_values(condition, _by_value(spec, found), int(now.timestamp())))]
    if isinstance(spec, SyncSeries) and isinstance(condition, Threshold):
        every = tiers.interval(connection, tiers.load(app.settings.tiers_file))
        return [steady(None, health.judge_sync(connection, condition, series, every)) for series in found]
    asked_at = connection.progress.last_success_at
    return [_look_at(rule, series, asked_at) for series in found]


def days_of(rule: AlertRule) -> int:
    """How many days of its series a rule must see to be judged, with the buckets it may judge again."""
    condition, grain = rule.condition, grain_of(rule.series) or HOUR
    marked = max(rule.policy.out_of, rule.policy.recover_after) + machine.SPARE_MARKS
    again = math.ceil(min(marked, MOST_BUCKETS) * grain / DAY) + 2
    match condition:
        case Anomaly():
            return ANOMALY_DAYS + again
        case NewValue() | StaleFlag():
            return condition.days + 2
        case NoData():
            return math.ceil(condition.buckets * grain / DAY) + HISTORY_DAYS
        case Change():
            return max(9, math.ceil(condition.periods * grain / DAY) + 1) + again
    return again


def _look_at(rule: AlertRule, series: Series, asked_at: datetime | None) -> Look:
    newest = judging.judge(rule.condition, series)

    def verdicts(state: RuleState) -> tuple[Verdict, ...]:
        marked = {mark.bucket for mark in state.marks} if state.revision == rule.revision else set()
        last = max(marked, default=None)
        wanted = (begin for begin in series.begins if begin in marked or (last is not None and begin > last))
        older = _judged(rule, series, newest, wanted)
        return (*older, missing.with_policy(newest, rule, series, asked_at))

    def seed(state: RuleState) -> tuple[Verdict, ...]:
        if state.marks and state.revision == rule.revision:
            return ()
        count = max(rule.policy.out_of, rule.policy.recover_after) - 1
        earlier = [begin for begin in series.begins if newest.bucket is None or begin < newest.bucket]
        return _judged(rule, series, newest, earlier[len(earlier) - count :] if count else ())

    return Look(series.value, verdicts, seed)


def _judged(rule: AlertRule, series: Series, newest: Verdict, wanted: Iterable[int]) -> tuple[Verdict, ...]:
    """Verdicts of these buckets before the newest judged one, each as of its own end."""
    limit = series.begins[-1] if newest.bucket is None and series.begins else newest.bucket
    chosen = {begin for begin in wanted if limit is not None and begin < limit}
    places = [place for place, begin in enumerate(series.begins) if begin in chosen][-MOST_BUCKETS:]
    judged = (judging.judge(rule.condition, _until(series, place)) for place in places)
    # What cannot be judged by itself, such as a bucket before any history, says nothing new.
    return tuple(verdict for verdict in judged if verdict.bucket in chosen)


def _until(series: Series, place: int) -> Series:
    """The series as it would look had it ended with this bucket."""
    arrived = series.arrived
    return replace(
        series,
        begins=series.begins[: place + 1],
        values=series.values[: place + 1],
        arrived=None if arrived is None else arrived[: place + 1],
        until=min(series.until, _end(series, place)),
    )


def _end(series: Series, place: int) -> int:
    """When a bucket ended. A local day may be an hour shorter or longer: its neighbour knows."""
    begin = series.begins[place]
    if place + 1 < len(series.begins) and series.begins[place + 1] - begin <= series.seconds + HOUR:
        return series.begins[place + 1]
    return begin + series.seconds


def _by_value(spec: object, found: Iterable[Series]) -> Mapping[str, Series]:
    is_of_flags = isinstance(spec, FlagSeries) and spec.key is None
    return {(series.name if is_of_flags else series.value or series.name): series for series in found}
