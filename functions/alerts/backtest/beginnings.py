"""From where on a series of a connection has any past, and why it has none. Pure.

Whoever counts events writes zeros for the time before the first one: that is no history, and
nothing is judged, learnt or forecast from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.alerts.backtest.reports import Report
from functions.alerts.conditions.series import DAY, Series
from functions.alerts.series.naming import name_of
from functions.alerts.series.past import with_data
from functions.alerts.spec import DifferenceSeries, RatioSeries, SeriesSpec
from hedgerow.errors import InvalidError


def shorter(report: Report, begin: int | None, to: int | None) -> tuple[str, ...]:
    """A remark where the data begins a day or more after the time that was to be tried."""
    if begin is None or report.begin - begin < DAY:
        return ()
    wanted = max(report.seconds, (to or report.to) - begin)
    days = max(1, round(report.seconds / DAY))
    whole = _days(max(days, round(wanted / DAY)))
    return (f"There is data for {days:,} of the {whole} asked for: those were tried.",)


def quiet(spec: SeriesSpec, series: Series, begin: int, to: int) -> tuple[str, ...]:
    """A remark where buckets hold too little to speak."""
    silent = sum(begin <= each <= to for each in series.silent)
    if not silent or not isinstance(spec, RatioSeries | DifferenceSeries):
        return ()
    return (f"{silent:,} bucket{'' if silent == 1 else 's'} held less than the `minimum` of {spec.minimum:g}: silent.",)


def nothing(spec: SeriesSpec, found: Sequence[Series], begin: int, to: int) -> InvalidError:
    """Why there is no point to try: silenced, never counted, or unknown."""
    name = name_of(spec)
    if isinstance(spec, RatioSeries | DifferenceSeries) and any(quiet(spec, each, begin, to) for each in found):
        return _no_points(
            f"{name}: every bucket asked for holds less than its `minimum` of {spec.minimum:g}, and is silent.",
            "Lower `minimum`, or judge it by day instead of by hour; a rule stays silent just so.",
        )
    if any(series.begins for series in found) and not any(with_data(spec, series).begins for series in found):
        return _no_points(f"{name}: nothing but zeros, so there is no past to try.", "Try again once it has happened.")
    return _no_points(
        "There is no point of this series in the time asked for.",
        "Check the name and the days; `hedgerow metrics` shows what is stored.",
    )


def _days(number: int) -> str:
    return f"{number:,} day{'' if number == 1 else 's'}"


def _no_points(detail: str, hint: str) -> InvalidError:
    return InvalidError(detail, code="no_points", hint=hint)
