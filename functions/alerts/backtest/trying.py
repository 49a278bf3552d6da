"""A whole back-test of one series: report, forecast, and the settings around it where wished. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.alerts.backtest.backtesting import in_words, walked
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.forecasting import Forecast, forecast
from functions.alerts.backtest.histories import Judged, judged, judged_values
from functions.alerts.backtest.nearby import MOST_SETTINGS, Nearby, nearby
from functions.alerts.backtest.reports import Report
from functions.alerts.conditions.kinds import Condition, NewValue
from functions.alerts.conditions.series import Series
from functions.alerts.spec import Policy
from hedgerow.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Tried:
    """What a back-test says."""

    report: Report
    forecast: Forecast
    nearby: Nearby | None


def tried(
    condition: Condition,
    policy: Policy,
    series: Series,
    *,
    labels: Sequence[Label] = (),
    begin: int | None = None,
    to: int | None = None,
    settings: int = 0,
    seen: Mapping[str, Sequence[int]] | None = None,
    useful: int = 0,
    useless: int = 0,
) -> Tried:
    """Try a condition and policy; `settings` is how many around it to try too, 0 for none.

    `seen` has the instants of each value, for `new_value`; `useful` and `useless` are what
    people said of the rule's incidents so far.
    """

    def judging(each: Condition) -> Judged:
        if isinstance(each, NewValue) and seen is not None:
            return judged_values(each, seen, series)
        return judged(each, series)

    history = judging(condition)
    report = in_words(history, walked(history, policy, labels=labels, begin=begin, to=to))
    if not report.buckets:
        raise InvalidError(
            f"{series.name} has no point in the time asked for.",
            code="no_points",
            hint="Check the first and the last day.",
        )
    beside = None
    if settings:
        most = min(settings, MOST_SETTINGS)
        beside = nearby(condition, policy, series, judging, labels=labels, begin=begin, to=to, most=most)
    return Tried(report, forecast(report, useful=useful, useless=useless), beside)
