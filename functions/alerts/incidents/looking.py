"""What a rule's series say now: for each value of its breakdown the verdicts, oldest bucket first.

Buckets that ended since the last look are judged one by one, so that a rule sees what its
back-test saw however seldom it is looked at, and those already marked are judged again,
because late data moves them. Of a day so far the newest is the day under way, and those
before it are judged as whole days. Decides nothing about incidents.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from functions.alerts.conditions import flags, judging, values
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NewValue, NoData, StaleFlag, Threshold
from functions.alerts.conditions.newest import end_of
from functions.alerts.conditions.series import DAY, HOUR, Series, Verdict
from functions.alerts.incidents import breakdown, health, machine, missing
from functions.alerts.incidents.waking import grain_of, is_so_far
from functions.alerts.records import AlertRule, RuleState
from functions.alerts.series import partial, reading
from functions.alerts.series.past import with_data
from functions.alerts.spec import DifferenceSeries, EventSeries, FlagSeries, RatioSeries, SeriesSpec, SyncSeries
from hedgerow import tiers
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.models import Connection

MOST_BUCKETS = 48
"""Buckets judged in one look: two days by the hour."""

MOST_BACK = 3
"""Buckets before one that is waited for, of which a rule that has judged none yet takes the newest it can judge."""

ANOMALY_DAYS = 100
HISTORY_DAYS = 35
STALE_DAYS = 90
NEWS = 2 * DAY
"""Seconds after which an unseen bucket's verdict is no news any more; at least three buckets are."""


@dataclass(frozen=True, slots=True)
class Look:
    """One value's verdicts, given where the rule stood. `seed`: buckets from before its first verdict."""

    value: str | None
    verdicts: Callable[[RuleState], tuple[Verdict, ...]]
    seed: Callable[[RuleState], tuple[Verdict, ...]] = lambda _: ()

    async def judged(self, state: RuleState) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
        """The verdicts and the seeds for a rule that stood so. In a thread: many buckets may take seconds."""
        return await asyncio.to_thread(lambda: (self.verdicts(state), self.seed(state)))


async def look(
    app: App, connection: Connection, rule: AlertRule, now: datetime, kept: Collection[str | None] = ()
) -> list[Look]:
    """A look at every value there is now, of a breakdown at the most frequent ones and those `kept`.

    `InvalidError` where the series cannot be had.
    """
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
    if not found and not _has_values(spec):
        raise InvalidError(
            "The series cannot be read.", code="no_series", hint="Save the rule anew: it says what is wrong."
        )
    found = breakdown.chosen(spec, found, kept)
    if is_so_far(spec):
        over = await reading.read(app, connection, partial.whole_days(spec), days=days, now=now)
        whole = {series.value: missing.as_known(condition, series, connection.progress) for series in over}
        pairs = [(series, whole.get(series.value, _none(series))) for series in found]
    else:
        if grain_of(spec):  # What is of an instant was not asked of anybody.
            found = [missing.as_known(condition, series, connection.progress) for series in found]
        pairs = [(series, series) for series in found]
    if isinstance(condition, Anomaly | Change):
        pairs = [(with_data(spec, series), with_data(spec, earlier)) for series, earlier in pairs]
    return await asyncio.to_thread(lambda: [_look_at(rule, series, connection, earlier) for series, earlier in pairs])


def steady(value: str | None, verdict: Verdict) -> Look:
    """The same verdict wherever the rule stood."""
    return Look(value, lambda _: (verdict,))


def days_of(rule: AlertRule) -> int:
    """How many days of its series a rule must see to be judged, with the buckets it may judge again."""
    condition, grain = rule.condition, grain_of(rule.series) or HOUR
    marked = max(rule.policy.out_of, rule.policy.recover_after) + machine.SPARE_MARKS
    again = math.ceil(min(marked, MOST_BUCKETS) * grain / DAY) + 2
    match condition:
        case Anomaly():
            return ANOMALY_DAYS + again
        case NewValue():
            return condition.days + 3
        case StaleFlag():
            # A flag that nobody calls must still be seen long after it went stale.
            return condition.days + STALE_DAYS
        case NoData():
            return math.ceil(condition.buckets * grain / DAY) + HISTORY_DAYS
        case Change():
            return max(9, math.ceil(condition.periods * grain / DAY) + 1) + again
    return again


def _look_at(rule: AlertRule, series: Series, connection: Connection, earlier: Series) -> Look:
    """`earlier` has the buckets before the newest one, which is of `series`: the same one, but for a day so far."""
    newest = judging.judge(rule.condition, series)

    def verdicts(state: RuleState) -> tuple[Verdict, ...]:
        marked = {mark.bucket for mark in state.marks} if state.revision == rule.revision else set()
        unseen = max(marked, default=earlier.until)
        news = earlier.until - max(NEWS, 4 * earlier.seconds)
        wanted = [begin for begin in earlier.begins if begin in marked or (begin > unseen and begin >= news)]
        if not marked and newest.state == "waiting":
            # It may never be whole before the next one ends: until then the last that can be judged counts.
            wanted = [begin for begin in earlier.begins if news <= begin < (newest.bucket or 0)][-MOST_BACK:]
            older = _judged(rule, earlier, newest, wanted)[-1:]
        else:
            older = _judged(rule, earlier, newest, wanted)
        return (*older, missing.with_policy(newest, rule, series, connection.progress))

    def seed(state: RuleState) -> tuple[Verdict, ...]:
        if state.marks and state.revision == rule.revision:
            return ()
        count = max(rule.policy.out_of, rule.policy.recover_after) - 1
        before = [begin for begin in earlier.begins if newest.bucket is None or begin < newest.bucket]
        return _judged(rule, earlier, newest, before[len(before) - count :] if count else ())

    return Look(series.value, verdicts, seed)


def _judged(rule: AlertRule, series: Series, newest: Verdict, wanted: Iterable[int]) -> tuple[Verdict, ...]:
    """Verdicts of these buckets before the newest judged one, each as of its own end."""
    limit = series.begins[-1] if newest.bucket is None and series.begins else newest.bucket
    chosen = {begin for begin in wanted if limit is not None and begin < limit}
    places = [place for place, begin in enumerate(series.begins) if begin in chosen][-MOST_BUCKETS:]
    judged = (judging.judge(rule.condition, _up_to(rule.condition, series, place)) for place in places)
    # What cannot be judged by itself, such as a bucket that never came whole, says nothing new.
    said = ("firing", "not_firing")
    return tuple(verdict for verdict in judged if verdict.bucket in chosen and verdict.state in said)


def _up_to(condition: Condition, series: Series, place: int) -> Series:
    """The series as it would look had it ended with this bucket; as late as it is now, so that late data has come."""
    arrived = series.arrived
    return replace(
        series,
        begins=series.begins[: place + 1],
        values=series.values[: place + 1],
        arrived=None if arrived is None else arrived[: place + 1],
        # What is not there yet is missing only from a series that goes on.
        until=end_of(series, place) if isinstance(condition, NoData) else series.until,
    )


def _none(series: Series) -> Series:
    """The series without a bucket."""
    return replace(series, begins=(), values=(), arrived=())


def _has_values(spec: SeriesSpec) -> bool:
    """May there rightly be no series at all, because no value was seen?"""
    plain = spec.of if isinstance(spec, RatioSeries | DifferenceSeries) else spec
    return isinstance(plain, FlagSeries) or (isinstance(plain, EventSeries) and plain.by is not None)


def _by_value(spec: SeriesSpec, found: Iterable[Series]) -> Mapping[str, Series]:
    is_of_flags = isinstance(spec, FlagSeries) and spec.key is None
    return {(series.name if is_of_flags else series.value or series.name): series for series in found}
