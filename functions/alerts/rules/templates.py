"""Templates: a rule from one word and a few settings. To add one, add a row at the foot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from functions.alerts.conditions.kinds import Anomaly, Change, Condition, StaleFlag, Threshold
from functions.alerts.severity import Severity
from functions.alerts.spec import (
    BacklogSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    RatioSeries,
    RuleForm,
    SeriesSpec,
    SyncSeries,
)
from hedgerow.errors import InvalidError

Setting = str | float | bool
Settings = dict[str, Setting]


@dataclass(frozen=True, slots=True)
class Template:
    """A rule to be. `settings` are what may be set, with what they are when nobody does; None: left out."""

    name: str
    title: str
    about: str
    series: Callable[[Settings], SeriesSpec]
    condition: Callable[[Settings], Condition]
    settings: dict[str, Setting | None] = field(default_factory=dict)
    severity: Severity = "warning"

    def form(self, given: Settings) -> RuleForm:
        """The rule this template makes with these settings; `InvalidError` for one it has not, or of the wrong sort."""
        unknown = sorted(set(given) - set(self.settings))
        if unknown:
            known = ", ".join(sorted(self.settings)) or "none"
            raise InvalidError(
                f"The template `{self.name}` has no setting `{unknown[0][:60]}`.",
                code="unknown_setting",
                hint=f"Its settings: {known}.",
            )
        settings: Settings = {}
        for name, usual in self.settings.items():
            value = given.get(name, usual)
            if value is not None:
                settings[name] = _of_the_same_sort(name, value, usual)
        return RuleForm(
            name=self.title,
            series=self.series(settings),
            condition=self.condition(settings),
            severity=self.severity,
        )


def template_of(name: str) -> Template:
    """The template of this name."""
    for template in TEMPLATES:
        if template.name == name:
            return template
    raise InvalidError(
        f"There is no template `{name[:60]}`.",
        code="unknown_template",
        hint=f"Templates are {', '.join(each.name for each in TEMPLATES)}.",
    )


def _of_the_same_sort(name: str, value: Setting, usual: Setting | None) -> Setting:
    """A number where a number is usual, text elsewhere: the command line brings everything as text."""
    if not isinstance(usual, float):
        return str(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidError(f"`{name}` is not a number.", hint=f"Write it such as {usual:g}.", members={"field": name})
    return number


def _number(settings: Settings, name: str) -> float:
    return float(settings[name])


def _text(settings: Settings, name: str) -> str | None:
    return str(settings[name]) if name in settings else None


def _drop(settings: Settings) -> Condition:
    return Change(
        against="same_weekday",
        direction="drop",
        percent=_number(settings, "percent"),
        minimum=_number(settings, "minimum"),
    )


def _unusual(settings: Settings) -> Condition:
    return Anomaly(sensitivity=_number(settings, "sensitivity"), minimum=_number(settings, "minimum"))


def _rise(settings: Settings) -> Condition:
    return Anomaly(sensitivity=_number(settings, "sensitivity"), direction="rise", minimum=_number(settings, "minimum"))


def _failures(settings: Settings) -> SeriesSpec:
    by = _text(settings, "by")
    failed = EventSeries(event=_text(settings, "failed"), by=by)
    return RatioSeries(
        of=failed,
        to=(failed, EventSeries(event=_text(settings, "completed"), by=by)),
        minimum=_number(settings, "minimum"),
    )


def _volume(settings: Settings) -> SeriesSpec:
    return EventSeries(
        event=_text(settings, "event"), math="sum", of=_text(settings, "amount"), by=_text(settings, "by")
    )


def _conversion(settings: Settings) -> SeriesSpec:
    return RatioSeries(
        of=EventSeries(event=_text(settings, "event"), math="persons"),
        to=(EventSeries(event=_text(settings, "visits"), math="persons"),),
        minimum=_number(settings, "minimum"),
    )


TEMPLATES: tuple[Template, ...] = (
    Template(
        "dau_drop",
        "Drop in daily active users",
        "Daily active users well below the same weekday a week before.",
        lambda _: MetricSeries(name="posthog_dau"),
        _drop,
        {"percent": 30.0, "minimum": 20.0},
    ),
    Template(
        "mau_drop",
        "Drop in monthly active users",
        "Monthly active users below the mean of the week before. They move slowly: a few percent are much.",
        lambda _: MetricSeries(name="posthog_mau"),
        lambda settings: Change(
            against="trailing_mean",
            direction="drop",
            percent=_number(settings, "percent"),
            minimum=_number(settings, "minimum"),
        ),
        {"percent": 5.0, "minimum": 20.0},
    ),
    Template(
        "error_spike",
        "Spike in exceptions",
        "More `$exception` events in an hour than is usual at this weekday and hour.",
        lambda _: MetricSeries(name="posthog_exceptions", grain="hour"),
        _rise,
        {"sensitivity": 0.0, "minimum": 10.0},
        severity="critical",
    ),
    Template(
        "payment_failure_rate",
        "Payment failure rate",
        "Failed payments in percent of all, more than is usual on this weekday. With `by`, such as method, each value by itself.",
        _failures,
        lambda settings: Anomaly(sensitivity=_number(settings, "sensitivity"), direction="rise"),
        {
            "failed": "payment.failed",
            "completed": "payment.completed",
            "by": None,
            "minimum": 20.0,
            "sensitivity": 0.0,
        },
        severity="critical",
    ),
    Template(
        "transaction_volume",
        "Unusual transaction volume",
        "The sum of amounts, each currency by itself, outside of what is usual on this weekday.",
        _volume,
        _unusual,
        {
            "event": "payment.completed",
            "amount": "amount_minor",
            "by": "currency",
            "minimum": 0.0,
            "sensitivity": 0.0,
        },
    ),
    Template(
        "signup_conversion",
        "Sign-up conversion",
        "Persons who signed up in percent of those who visited, well below the same weekday a week before.",
        _conversion,
        lambda settings: Change(against="same_weekday", direction="drop", percent=_number(settings, "percent")),
        {"event": "user.signed_up", "visits": "$pageview", "percent": 40.0, "minimum": 50.0},
    ),
    Template(
        "flag_errors",
        "Feature flag errors",
        "Flag checks that failed, each kind of error by itself (`$feature_flag_error`, which newer SDKs send), more than usual.",
        lambda _: EventSeries(event="$feature_flag_called", by="$feature_flag_error"),
        _rise,
        {"sensitivity": 0.0, "minimum": 10.0},
    ),
    Template(
        "stale_flag",
        "Stale feature flag",
        "A flag nobody asked for, or that gave everybody the same answer, for a month. `flag` names one; else every flag.",
        lambda settings: FlagSeries(key=_text(settings, "flag")),
        lambda settings: StaleFlag(days=int(_number(settings, "days"))),
        {"flag": None, "days": 30.0},
        severity="info",
    ),
    Template(
        "sync_stale",
        "Sync stale",
        "No sync succeeded for several of the tier's intervals.",
        lambda _: SyncSeries(),
        lambda settings: Threshold(above=_number(settings, "intervals")),
        {"intervals": 3.0},
    ),
    Template(
        "capture_backlog",
        "Capture backlog",
        "The oldest event in the outbox has waited longer than this many minutes.",
        lambda _: BacklogSeries(),
        lambda settings: Threshold(above=60 * _number(settings, "minutes"), recover_below=60.0),
        {"minutes": 15.0},
        severity="critical",
    ),
)
