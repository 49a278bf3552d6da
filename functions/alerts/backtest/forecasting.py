"""What to expect of a rule, in the user's words, from what it would have told of the past. Pure.

An estimate, and said to be one: the past is one sample, and whether a firing was false is
known only where labels or people's ratings say so. Elsewhere firings are called doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from functions.alerts.backtest.doubting import BRIEF_BUCKETS
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.holidays import holiday
from functions.alerts.backtest.reports import PastIncident, Report
from functions.alerts.conditions.kinds import NewValue
from functions.alerts.conditions.series import DAY, HOUR

MONTH = 30.44 * DAY
# A shorter time says nothing about a month.
LEAST_SECONDS = 14 * DAY
# So many ratings say more about a rule than how long its incidents last.
ENOUGH_RATINGS = 3
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """`words` is for people. `basis` says what the expectation of false alarms rests on.

    `expected_false_a_month` is None where too little was tried to say; where `is_estimate`, it
    counts doubtful firings, as nobody said which were false.
    """

    words: str
    firings: int
    days: float
    on_holidays: int
    expected_false_a_month: float | None
    basis: str
    is_estimate: bool = False


def forecast(report: Report, *, useful: int = 0, useless: int = 0) -> Forecast:
    """The forecast of a rule from its back-test. `useful` and `useless` are what people said of its incidents so far."""
    days = report.seconds / DAY
    firings = len(report.incidents)
    names = [_holiday_of(each, report.zone) for each in report.incidents]
    on_holidays = sum(name is not None for name in names)
    false = _false(report, names, useful=useful, useless=useless)
    judged = min(report.seconds, report.judged * report.grain)
    rate = false.firings * MONTH / judged if false.firings is not None and judged >= LEAST_SECONDS else None
    said = [_told(report, firings, on_holidays)]
    if rate is not None:
        said.append(_expected(rate, judged, is_estimate=false.is_estimate))
    elif judged and false.firings is not None:
        false = _False(None, "not known, as less than two weeks were judged")
        said.append(f"{_length(judged)} judged are too few to say how many false alarms to expect")
    said.append(_seen(report, report.scored))
    words = "; ".join(part for part in said if part)
    expected = None if rate is None else round(rate, 2)
    return Forecast(f"{words}.", firings, round(days, 2), on_holidays, expected, false.basis, false.is_estimate)


def span(seconds: float) -> str:
    """A length of time as people say it: 25 min, 2 h, 3 days."""
    if seconds < 1.5 * HOUR and seconds != HOUR:
        return f"{max(1, round(seconds / 60))} min"
    if seconds < 2 * DAY:
        return f"{round(seconds / HOUR)} h"
    return f"{round(seconds / DAY)} days"


def percent(share: float) -> str:
    """A share as people read it: 36 %."""
    return f"{share * 100:.0f} %"


def day_of(instant: int, zone: str) -> str:
    """The local day of an instant: 12 March 2026."""
    local = _local(instant, zone)
    return f"{local.day} {local:%B %Y}"


def _told(report: Report, firings: int, on_holidays: int) -> str:
    span_said = _length(report.seconds)
    if not report.judged:
        why = report.why_not.removesuffix(".").removeprefix(f"{report.name}: ")
        return f"nothing could be judged in {span_said}: {why or 'the history is too short for this condition'}"
    said = f"{firings or 'no'} firing{'' if firings == 1 else 's'} in {span_said}"
    if report.is_stuck:
        said = f"{said}, open {percent(report.share_firing)} of the time, so it tells little"
    if not on_holidays:
        return said
    if firings == 1:
        return f"{said}, on a public holiday"
    holidays = "a public holiday" if on_holidays == 1 else "public holidays"
    return f"{said}, {'all' if on_holidays == firings else on_holidays} of them {holidays}"


def _expected(rate: float, seconds: int, *, is_estimate: bool) -> str:
    if not rate:
        # Nothing in so long: the rule of three, with 95 % certainty.
        return f"expect no false alarms, at most {3 * MONTH / seconds:.1f} a month"
    what = "doubtful firing" if is_estimate else "false alarm"
    if rate < 0.05:
        return f"expect a {what} in years, not months"
    return f"expect {rate:.1f} {what}s a month"


class _False(NamedTuple):
    """How many of the firings were false alarms, and how that is known; None where it is not."""

    firings: float | None
    basis: str
    is_estimate: bool = False


def _false(report: Report, holidays: Sequence[str | None], *, useful: int, useless: int) -> _False:
    if report.labels is not None:
        false = sum(each.begin not in report.right for each in report.incidents)
        return _False(false, "firings that meet no label")
    if useful + useless >= ENOUGH_RATINGS:
        share = useless / (useful + useless)
        basis = f"{useless} of {useful + useless} incidents of this rule were rated useless"
        return _False(len(report.incidents) * share, basis)
    if isinstance(report.condition, NewValue):
        return _False(None, "not known, as nobody has said which new values matter")
    doubtful = sum(name is not None or each.is_doubtful for each, name in zip(report.incidents, holidays, strict=True))
    basis = (
        "an estimate: doubtful are firings on public holidays, and those barely out of the ordinary "
        f"that ended by themselves within {BRIEF_BUCKETS} buckets"
    )
    return _False(doubtful, basis, is_estimate=True)


def _seen(report: Report, labels: Sequence[Label]) -> str:
    """What it would have seen: the labelled spans, or without labels the greatest firing."""
    if not labels:
        return _greatest(report)
    seen: list[str] = []
    missed: list[str] = []
    for label in labels:
        day = day_of(label.begin, report.zone)
        first = next(
            (each for each in report.incidents if each.begin <= label.to and each.to + report.grain > label.begin), None
        )
        if first is None:
            missed.append(day)
        else:
            seen.append(f"that of {day} after {span(max(report.grain, first.told_at - label.begin))}")
    parts = []
    if seen:
        parts.append(f"would have seen {_few(seen)}")
    if missed:
        parts.append(f"would have missed {_few([f'that of {day}' for day in missed])}")
    return " and ".join(parts)


def _greatest(report: Report) -> str:
    rated = [
        each
        for each in report.incidents
        if each.score is not None and not each.is_doubtful and _holiday_of(each, report.zone) is None
    ]
    if not rated:
        return ""
    most = max(rated, key=lambda each: abs(each.score or 0.0))
    what = {"below": "drop", "drop": "drop", "above": "rise", "rise": "rise", "no": "silence", "new": "new value"}
    word = next((said for part, said in what.items() if part in most.reason.split("_")), "incident")
    return f"would have seen the {word} of {day_of(most.since, report.zone)} after {span(most.told_at - most.since)}"


def _length(seconds: int) -> str:
    return f"{round(seconds / DAY)} days" if seconds >= 1.5 * DAY else span(seconds)


def _few(said: list[str]) -> str:
    shown = said[:MOST_NAMED]
    if len(said) > MOST_NAMED:
        return f"{', '.join(shown)} and {len(said) - MOST_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _holiday_of(incident: PastIncident, zone: str) -> str | None:
    return holiday(_local(incident.begin, zone), zone)


def _local(instant: int, zone: str) -> date:
    return datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(zone)).date()
