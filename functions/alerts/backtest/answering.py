"""One call of the back-test API: what is asked for checked, its series fetched, every value tried.

Owns the call's limits. The trying itself is pure and runs beside the event loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from functions.alerts.backtest import beginnings, past
from functions.alerts.backtest.files import (
    LARGEST,
    LAST_INSTANT,
    MOST_LABELS,
    Label,
    instant_of,
    labels_of,
    series_from,
)
from functions.alerts.backtest.nearby import MOST_SETTINGS
from functions.alerts.backtest.shapes import ReportShape, ValuesShape, report_shape
from functions.alerts.backtest.trying import tried
from functions.alerts.conditions.kinds import Condition, NewValue, StaleFlag
from functions.alerts.conditions.series import Series
from functions.alerts.rules import ruling
from functions.alerts.series import checking
from functions.alerts.series.naming import name_of
from functions.alerts.series.past import with_data
from functions.alerts.spec import Policy, SeriesSpec
from hedgerow.app import App
from hedgerow.errors import InvalidError
from hedgerow.keys import Caller
from hedgerow.ownership import connection_of

# Two years of hours, and what is judged by before them.
MOST_BUCKETS = 20_000
# Settings times buckets: some seconds of arithmetic, which long histories and breakdowns share.
MOST_TRIED = MOST_BUCKETS * 20
FEWEST_SETTINGS = 5
MOST_INCIDENTS = 200

Point = tuple[Annotated[str, Field(max_length=40)] | float, float]


class Wanted(BaseModel):
    """Exactly one of `rule`, `series` (with `condition`) and `points` (with `condition`).

    `connection` is needed but for points; `condition` and `policy` beside a rule are tried
    instead of its own. `from` and `to` are local days or instants, both included; labels are
    pairs of instants; points pairs of an instant (ISO 8601, or epoch seconds) and a number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection: Annotated[str, Field(max_length=100)] | None = None
    rule: Annotated[str, Field(max_length=100)] | None = None
    series: SeriesSpec | None = None
    points: Annotated[tuple[Point, ...], Field(max_length=MOST_BUCKETS)] | None = None
    condition: Condition | None = None
    policy: Policy | None = None
    begin: Annotated[str, Field(max_length=40)] | None = Field(default=None, alias="from")
    to: Annotated[str, Field(max_length=40)] | None = None
    labels: Annotated[tuple[tuple[str, str], ...], Field(max_length=MOST_LABELS)] = ()
    nearby: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """All that the trying needs, fetched and checked."""

    condition: Condition
    policy: Policy
    series: tuple[Series, ...]
    labels: tuple[Label, ...]
    begin: int | None
    to: int | None
    nearby: bool
    name: str = ""
    remarks: tuple[str, ...] = ()
    useful: int = 0
    useless: int = 0


async def question_of(app: App, caller: Caller, wanted: Wanted) -> Question:
    """What is to be tried, with its series; refusals name the field."""
    if sum(each is not None for each in (wanted.rule, wanted.series, wanted.points)) != 1:
        raise _invalid(
            "series", "Give exactly one of `rule`, `series` and `points`.", "GET /v1/connections lists yours."
        )
    labels = labels_of(wanted.labels)
    if wanted.points is not None:
        return await asyncio.to_thread(_of_points, wanted, wanted.points, labels)
    connection = await connection_of(app, caller, wanted.connection or "")
    rule = None if wanted.rule is None else await ruling.rule_of(app, connection, wanted.rule)
    spec = rule.series if rule is not None else wanted.series
    condition = wanted.condition or (rule.condition if rule is not None else None)
    if condition is None or spec is None:
        raise _invalid("condition", "`condition` is missing.", 'For example {"kind": "anomaly"}.')
    if isinstance(condition, StaleFlag):
        raise _invalid("condition", "When a flag became stale is not kept.", "Its rule tells what is stale now.")
    checking.check_pair(spec, condition)
    asked = past.window(app, connection, wanted.begin, wanted.to)
    found = await past.past_of(app, connection, spec, asked)
    known = [with_data(spec, each) for each in found.series]
    inside = tuple(each for each in known if any(asked.begin <= begin <= asked.to for begin in each.begins))
    if not inside:
        raise beginnings.nothing(spec, found.series, asked.begin, asked.to)
    return Question(
        condition,
        wanted.policy or (rule.policy if rule is not None else Policy()),
        inside,
        labels,
        asked.begin,
        asked.to,
        wanted.nearby,
        name_of(spec),
        (*found.remarks, *_quiet(spec, inside, asked)),
        rule.useful if rule is not None else 0,
        rule.useless if rule is not None else 0,
    )


def answer(question: Question) -> ReportShape | ValuesShape:
    """The report, or one for each value of a breakdown. Pure; seconds of work at most."""
    if isinstance(question.condition, NewValue):
        return _of_values(question, question.condition)
    for series in question.series:
        _refuse_endless(series)
    settings = _settings(question.series) if question.nearby else 0
    reports = [_tried(question, series, settings) for series in question.series]
    is_broken_down = any(series.value is not None for series in question.series)
    return ValuesShape(values=reports) if is_broken_down else reports[0]


def _quiet(spec: SeriesSpec, found: Sequence[Series], asked: past.Window) -> tuple[str, ...]:
    """Of one series; the values of a breakdown are each quiet in their own time."""
    return beginnings.quiet(spec, found[0], asked.begin, asked.to) if len(found) == 1 else ()


def _settings(series: Sequence[Series]) -> int:
    buckets = sum(len(each.begins) for each in series)
    return max(FEWEST_SETTINGS, min(MOST_SETTINGS // len(series), MOST_TRIED // max(1, buckets)))


def _refuse_endless(series: Series) -> None:
    """Buckets without a point are judged too, so it is the time that counts."""
    span = series.begins[-1] + series.seconds - series.begins[0] if series.begins else 0
    if span > MOST_BUCKETS * series.seconds:
        raise InvalidError(
            f"{series.name} is {span // series.seconds:,} buckets long; {MOST_BUCKETS:,} can be tried.",
            code="too_long",
            hint="Give a shorter time, or days instead of hours.",
            members={"field": "points"},
        )


def _of_points(wanted: Wanted, points: Sequence[Point], labels: tuple[Label, ...]) -> Question:
    if wanted.condition is None:
        raise _invalid("condition", "`condition` is missing.", 'For example {"kind": "anomaly"}.')
    if isinstance(wanted.condition, NewValue | StaleFlag):
        raise _invalid(
            "condition", f"{wanted.condition.kind} judges values, not points.", "Give a connection's series."
        )
    instants = [_instant(at, number) for number, (at, _) in enumerate(points)]
    for number, (_, value) in enumerate(points):
        if not abs(value) <= LARGEST:
            raise _invalid(f"points.{number}", f"`points.{number}` is no usable number.", "Leave gaps out.")
    series, remarks = series_from("points", instants, [value for _, value in points])
    begin = instant_of(wanted.begin, "`from`") if wanted.begin else None
    to = instant_of(wanted.to, "`to`") if wanted.to else None
    policy = wanted.policy or Policy()
    return Question(wanted.condition, policy, (series,), labels, begin, to, wanted.nearby, remarks=remarks)


def _of_values(question: Question, condition: NewValue) -> ReportShape:
    """The values of a breakdown as one history: when a value had any, by its instants."""
    seen = {
        series.value: [begin for begin, value in zip(series.begins, series.values, strict=True) if value > 0]
        for series in question.series
        if series.value is not None
    }
    begins = sorted({begin for series in question.series for begin in series.begins})
    union = replace(
        question.series[0], name=question.name, value=None, begins=begins, values=[0.0] * len(begins), arrived=None
    )
    return _tried(question, union, _settings([union]) if question.nearby else 0, seen)


def _tried(question: Question, series: Series, settings: int, seen: dict[str, list[int]] | None = None) -> ReportShape:
    told = tried(
        question.condition,
        question.policy,
        series,
        labels=question.labels,
        begin=question.begin,
        to=question.to,
        settings=settings,
        seen=seen,
        useful=question.useful,
        useless=question.useless,
    )
    shorter = beginnings.shorter(told.report, question.begin, question.to)
    report = replace(told.report, remarks=(*question.remarks, *shorter, *told.report.remarks))
    return report_shape(report, told.forecast, told.nearby, most=max(1, MOST_INCIDENTS // len(question.series)))


def _instant(at: str | float, number: int) -> int:
    if isinstance(at, str):
        return instant_of(at, f"`points.{number}`")
    if not 0 <= at <= LAST_INSTANT:
        raise _invalid(f"points.{number}", f"`points.{number}` is not between 1970 and 2200.", "Write epoch seconds.")
    return math.floor(at)


def _invalid(field: str, detail: str, hint: str) -> InvalidError:
    return InvalidError(detail, hint=hint, members={"field": field})
