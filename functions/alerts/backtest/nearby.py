"""Settings around a rule's own, each tried on the same history, so that one is chosen and not guessed. Pure.

A setting is the condition with its number moved, and N of M beside it; a condition's
history is judged once and walked with every policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from functions.alerts.backtest.backtesting import walked
from functions.alerts.backtest.files import Label
from functions.alerts.backtest.forecasting import Forecast, forecast, percent
from functions.alerts.backtest.histories import Judged
from functions.alerts.backtest.reports import Report
from functions.alerts.backtest.scoring import Scores
from functions.alerts.backtest.varying import Variant, variants
from functions.alerts.conditions.kinds import Condition, NewValue
from functions.alerts.conditions.series import Series
from functions.alerts.spec import Policy

N_OF_M = ((1, 1), (2, 2), (2, 3), (3, 3), (3, 5))
MOST_SETTINGS = 50
# One false alarm a month is still read; at ten a channel is muted.
BEARABLE_A_MONTH = 1.0

Judging = Callable[[Condition], Judged]


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting: its words, what it would have told, what to expect of it, the steps from the own one."""

    words: str
    report: Report
    forecast: Forecast
    distance: int

    @property
    def expected_false_a_month(self) -> float | None:
        """None where too little was tried to say."""
        return self.forecast.expected_false_a_month

    @property
    def is_own(self) -> bool:
        """Whether it is the rule as it was asked about."""
        return self.distance == 0


@dataclass(frozen=True, slots=True)
class Nearby:
    """Every setting tried, the own one first; the one to choose, None where none can be told to be better, and why."""

    trials: tuple[Trial, ...]
    chosen: Trial | None
    why: str


def nearby(
    condition: Condition,
    policy: Policy,
    series: Series,
    judging: Judging,
    *,
    labels: Sequence[Label] = (),
    begin: int | None = None,
    to: int | None = None,
    most: int = MOST_SETTINGS,
) -> Nearby:
    """Try up to `most` settings; `judging` gives the history of a condition over the series."""
    # A value is new once: to wait for a second time is never to tell.
    policies = [policy] if isinstance(condition, NewValue) else _policies(policy)
    trials: list[Trial] = []
    for variant in islice(variants(condition, series), max(1, most // len(policies))):
        history = judging(variant.condition)
        for number, each in enumerate(policies):
            report = walked(history, each, labels=labels, begin=begin, to=to)
            trials.append(_trial(variant, number, report))
    chosen = _chosen(trials)
    return Nearby(tuple(trials), chosen, _why_none(trials) if chosen is None else _why(chosen, trials[0]))


def _policies(policy: Policy) -> list[Policy]:
    """The rule's own N of M first."""
    own = (policy.fire_after, policy.out_of)
    others = [each for each in N_OF_M if each != own][: len(N_OF_M) - 1]
    return [policy.model_copy(update={"fire_after": least, "out_of": of}) for least, of in (own, *others)]


def _trial(variant: Variant, number: int, report: Report) -> Trial:
    policy = report.policy
    words = f"{variant.words}, {policy.fire_after} of {policy.out_of}"
    return Trial(words, report, forecast(report), variant.distance + number)


def _chosen(trials: Sequence[Trial]) -> Trial | None:
    """With labels the best F1; without, the own setting or the nearest that fires and whose false alarms are bearable.

    What never fired is not chosen: nothing says that it ever would.
    """
    own = trials[0]
    if own.report.labels is not None:
        best = min(trials, key=lambda trial: (-_f1(trial), len(trial.report.incidents), trial.distance))
        return best if _f1(best) else None
    firing = [trial for trial in trials if trial.expected_false_a_month is not None and trial.report.incidents]
    if not own.report.incidents or not firing:
        return None
    bearable = [trial for trial in firing if _is_bearable(trial)]
    if bearable:
        return min(bearable, key=lambda trial: (trial.distance, -len(trial.report.incidents)))
    fewest = min(firing, key=lambda trial: (trial.report.is_stuck, _false(trial), trial.distance))
    return None if fewest.report.is_stuck else fewest


def _why_none(trials: Sequence[Trial]) -> str:
    own = trials[0]
    if own.report.labels is not None:
        return "Nothing to recommend: no setting tried finds a labelled incident; another condition may suit better."
    if not own.report.judged:
        return "Nothing could be judged: no setting can be told from another on so short a history."
    if isinstance(own.report.condition, NewValue):
        return "Choose by the firings: which new values matter is yours to say."
    if not any(trial.report.incidents for trial in trials):
        return "Nothing to recommend: no setting tried would have fired, and no label says that one should have."
    if not own.report.incidents:
        return (
            "Nothing to recommend: as it is, it would not have fired. Whether that is right is told by --labels, "
            "or by you, from the firings of the others."
        )
    if own.expected_false_a_month is None:
        return "Nothing to recommend: too short a time to tell one setting from another."
    stuck = min(trial.report.share_firing for trial in trials if trial.report.incidents)
    return f"None: whatever fires is open {percent(stuck)} of the time or more; another condition may suit better."


def _why(chosen: Trial, own: Trial) -> str:
    if chosen.report.labels is not None:
        return _why_by_labels(chosen, chosen.report.labels, own)
    false = _counted(chosen)
    if _is_bearable(chosen) and chosen.is_own:
        return f"Keep it as it is: {false}, which people bear (up to {BEARABLE_A_MONTH:.0f})."
    if _is_bearable(chosen) and own.report.is_stuck:
        return f"{chosen.words}: {false}; as it is, it would be open {percent(own.report.share_firing)} of the time."
    if _is_bearable(chosen):
        return (
            f"{chosen.words}: the nearest with at most {BEARABLE_A_MONTH:.0f} {_what(chosen)} a month, "
            f"{false} instead of {own.expected_false_a_month:.1f}."
        )
    return f"{chosen.words}: the fewest of all tried, and still {false}; another condition may suit better."


def _counted(trial: Trial) -> str:
    return f"about {trial.expected_false_a_month:.1f} {_what(trial)}s a month"


def _what(trial: Trial) -> str:
    return "doubtful firing" if trial.forecast.is_estimate else "false alarm"


def _why_by_labels(chosen: Trial, scores: Scores, own: Trial) -> str:
    best = f"finds {scores.found} of {scores.labels} labels, {percent(scores.precision)} of its incidents are right (F1 {scores.f1:.2f})"
    if chosen.is_own:
        return f"Keep it as it is: it {best}, the best of all tried."
    return f"{chosen.words}: {best}, against F1 {_f1(own):.2f} as it is."


def _is_bearable(trial: Trial) -> bool:
    return _false(trial) <= BEARABLE_A_MONTH and not trial.report.is_stuck


def _f1(trial: Trial) -> float:
    return trial.report.labels.f1 if trial.report.labels is not None else 0.0


def _false(trial: Trial) -> float:
    return trial.expected_false_a_month or 0.0
