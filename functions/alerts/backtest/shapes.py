"""A back-test as JSON: of the API, and of `hedgerow alerts backtest --json`. Times are ISO 8601 in UTC, lengths in seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from functions.alerts.backtest.forecasting import Forecast
from functions.alerts.backtest.nearby import Nearby, Trial
from functions.alerts.backtest.reports import Report
from functions.alerts.backtest.scoring import Scores
from functions.alerts.conditions.kinds import Condition
from functions.alerts.conditions.series import Unit
from functions.alerts.spec import Policy


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True, validate_by_name=True)


class IncidentShape(_Shape):
    """`from` is the bucket whose verdict opened it, `to` the last in which it was open, both by their beginnings."""

    begin: str = Field(alias="from")
    to: str
    peak: float | None
    reason: str


class ToldIncident(IncidentShape):
    """With what a person would have been told, and when at the earliest."""

    since: str
    told_at: str
    peak_at: str
    sentence: str
    is_open: bool
    is_doubtful: bool


class LabelScores(_Shape):
    """`median_delay` is in seconds."""

    precision: float
    recall: float
    f1: float
    median_delay: float | None


class ForecastShape(_Shape):
    """`words` for people; `basis` is what the expectation of false alarms rests on.

    Where `is_estimate`, those expected are doubtful firings: nobody said which were false.
    """

    words: str
    firings: int
    days: float
    on_holidays: int
    expected_false_a_month: float | None
    basis: str
    is_estimate: bool


class TrialShape(_Shape):
    """One setting beside the own one, which is the first."""

    words: str
    condition: Condition
    fire_after: int
    out_of: int
    firings: int
    hours_firing: float
    expected_false_a_month: float | None
    is_estimate: bool
    labels: LabelScores | None = None


class NearbyShape(_Shape):
    """`chosen` is the place in `settings` of the one to take, null where there is none; `why` says why."""

    settings: list[TrialShape]
    chosen: int | None
    why: str


class ReportShape(_Shape):
    """One series tried. `value` is that of a breakdown; `labels` and `nearby` are left out where not asked for."""

    name: str
    value: str | None
    unit: Unit
    grain: int
    begin: str = Field(alias="from")
    to: str
    buckets: int
    judged: int
    condition: Condition
    policy: Policy
    incidents: list[ToldIncident]
    firings: int = Field(description="How many there were; of very many the first are listed.")
    hours_firing: float
    labels: LabelScores | None = None
    forecast: ForecastShape
    nearby: NearbyShape | None = None
    remarks: list[str]


class ValuesShape(_Shape):
    """A breakdown tried: one report for each value."""

    values: list[ReportShape]


def brief(report: Report) -> dict[str, object]:
    """The least a program needs: grain, incidents, and scores where labels were given."""
    incidents = [
        IncidentShape(begin=iso(each.begin), to=iso(each.to), peak=each.peak, reason=each.reason).model_dump()
        for each in report.incidents
    ]
    said: dict[str, object] = {"grain": report.grain, "incidents": incidents}
    if (scores := scores_shape(report.labels)) is not None:
        said["labels"] = scores.model_dump()
    return said


def report_shape(report: Report, forecast: Forecast, nearby: Nearby | None, most: int | None = None) -> ReportShape:
    """All of it, or the first `most` incidents with how many there were."""
    told = report.incidents[:most]
    cut = (f"The first {len(told)} of {len(report.incidents):,} incidents are listed.",)
    return ReportShape(
        name=report.name,
        value=report.value,
        unit=report.unit,
        grain=report.grain,
        begin=iso(report.begin),
        to=iso(report.to),
        buckets=report.buckets,
        judged=report.judged,
        condition=report.condition,
        policy=report.policy,
        incidents=[
            ToldIncident(
                begin=iso(each.begin),
                to=iso(each.to),
                peak=each.peak,
                reason=each.reason,
                since=iso(each.since),
                told_at=iso(each.told_at),
                peak_at=iso(each.peak_at),
                sentence=each.sentence,
                is_open=each.is_open,
                is_doubtful=each.is_doubtful,
            )
            for each in told
        ],
        firings=len(report.incidents),
        hours_firing=round(report.hours_firing, 2),
        labels=scores_shape(report.labels),
        forecast=forecast_shape(forecast),
        nearby=None if nearby is None else nearby_shape(nearby),
        remarks=[*report.remarks, *(cut if len(told) < len(report.incidents) else ())],
    )


def forecast_shape(forecast: Forecast) -> ForecastShape:
    """The forecast."""
    return ForecastShape(
        words=forecast.words,
        firings=forecast.firings,
        days=forecast.days,
        on_holidays=forecast.on_holidays,
        expected_false_a_month=forecast.expected_false_a_month,
        basis=forecast.basis,
        is_estimate=forecast.is_estimate,
    )


def nearby_shape(nearby: Nearby) -> NearbyShape:
    """The settings tried."""
    chosen = None if nearby.chosen is None else nearby.trials.index(nearby.chosen)
    return NearbyShape(settings=[_trial(trial) for trial in nearby.trials], chosen=chosen, why=nearby.why)


def scores_shape(scores: Scores | None) -> LabelScores | None:
    """The four figures."""
    if scores is None:
        return None
    return LabelScores(precision=scores.precision, recall=scores.recall, f1=scores.f1, median_delay=scores.median_delay)


def iso(instant: int) -> str:
    """2026-03-12T14:00:00Z."""
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _trial(trial: Trial) -> TrialShape:
    report = trial.report
    return TrialShape(
        words=trial.words,
        condition=report.condition,
        fire_after=report.policy.fire_after,
        out_of=report.policy.out_of,
        firings=len(report.incidents),
        hours_firing=round(report.hours_firing, 2),
        expected_false_a_month=trial.expected_false_a_month,
        is_estimate=trial.forecast.is_estimate,
        labels=scores_shape(report.labels),
    )
