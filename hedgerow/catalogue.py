"""The metric catalogue: every metric's name, unit, meaning and HogQL. To add one, add a row.

`family` says which part of the combined query computes it (functions/sync/hogql.py):
day        one aggregate over the events of a local day; `hogql` is that aggregate
session    one aggregate over the sessions that began on a local day; `hogql` likewise
trailing   distinct persons over `trailing_days` local days ending with the day
new_users  persons without an event in the span before the day
event      one series for each event name; the row is its pattern
flag       one series for each flag and variant; the row is its pattern
measure    what an alert rule asks for beside these (hedgerow/measures.py); the row is its pattern
listing    counted from PostHog's list of feature flags, not from events
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hedgerow.measures import MEASURE_PREFIX

Family = Literal["day", "session", "trailing", "new_users", "event", "flag", "measure", "listing"]
Unit = Literal["count", "seconds", "number"]

TOP_EVENTS = 100
TOP_FLAGS = 50
EVENT_PREFIX = "event:"
FLAG_PREFIX = "flag:"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, or with `<…>` in its name the pattern of many."""

    name: str
    unit: Unit
    family: Family
    description: str
    definition: str
    hogql: str = ""
    trailing_days: int = 0


METRICS: tuple[Metric, ...] = (
    Metric(
        "posthog_dau",
        "count",
        "day",
        "Daily active users",
        "Distinct persons with any event on the local day, as PostHog knows persons when asked: later merges rewrite past days.",
        "uniqExact(person_id)",
    ),
    Metric(
        "posthog_wau",
        "count",
        "trailing",
        "Weekly active users",
        "Distinct persons with any event on the day or the six local days before it.",
        trailing_days=7,
    ),
    Metric(
        "posthog_mau",
        "count",
        "trailing",
        "Monthly active users",
        "Distinct persons with any event on the day or the 29 local days before it; not a calendar month.",
        trailing_days=30,
    ),
    Metric(
        "posthog_new_users",
        "count",
        "new_users",
        "New users today",
        "Persons, after merges, with an event on the local day and none in the {new_users_days} days before it.",
    ),
    Metric(
        "posthog_events",
        "count",
        "day",
        "Total events tracked",
        "Events of the local day, every name included, as many as PostHog holds when asked.",
        "count()",
    ),
    Metric(
        "posthog_pageviews",
        "count",
        "day",
        "Page views",
        "`$pageview` events of the local day.",
        "countIf(event = '$pageview')",
    ),
    Metric(
        "posthog_sessions",
        "count",
        "session",
        "User sessions",
        "Distinct non-empty `$session_id`, counted on the local day of the session's first event, which is looked for over the two days before: an id used for longer counts again.",
        "count()",
    ),
    Metric(
        "posthog_session_duration",
        "seconds",
        "session",
        "Average session duration",
        "Mean of last minus first event over the sessions that began on the local day; a session of one event counts as 0.",
        "sum(lasted) / count() / 1000000",
    ),
    Metric(
        "posthog_feature_flags",
        "count",
        "listing",
        "Active feature flags",
        "Feature flags active when they were last listed on that day, at most every six hours; nothing before the first listing.",
    ),
    Metric(
        "posthog_flag_evaluations",
        "count",
        "day",
        "Flag evaluations",
        "`$feature_flag_called` events of the local day. SDKs send one per person, flag and value, not one per check.",
        "countIf(event = '$feature_flag_called')",
    ),
    Metric(
        "posthog_exceptions",
        "count",
        "day",
        "Exceptions",
        "`$exception` events of the local day.",
        "countIf(event = '$exception')",
    ),
    Metric(
        "event:<name>",
        "count",
        "event",
        "One event",
        f"Events of this name on the local day; kept for the {TOP_EVENTS} most frequent names of each window and for pinned ones.",
    ),
    Metric(
        "flag:<key>:<variant>",
        "count",
        "flag",
        "Persons by flag variant",
        f"Distinct persons on the local day with a `$feature_flag_called` of this flag and response; for the {TOP_FLAGS} most called flags.",
    ),
    Metric(
        "measure:<id>",
        "number",
        "measure",
        "A measure of an alert rule",
        "What a rule counts, adds up or averages of an event on the local day, by the values of a property where it says so; GET /v1/metrics/explain shows the query.",
    ),
)


def metric_of(name: str) -> Metric | None:
    """The row a series belongs to; None for a name no row makes."""
    for metric in METRICS:
        if metric.name == name and "<" not in metric.name:
            return metric
    if name.startswith(EVENT_PREFIX) and len(name) > len(EVENT_PREFIX):
        return next(metric for metric in METRICS if metric.family == "event")
    if name.startswith(FLAG_PREFIX) and name.count(":") >= 2:
        return next(metric for metric in METRICS if metric.family == "flag")
    if name.startswith(MEASURE_PREFIX) and len(name) > len(MEASURE_PREFIX):
        return next(metric for metric in METRICS if metric.family == "measure")
    return None


def definition(metric: Metric, new_users_days: int) -> str:
    """The metric's definition with the settings that are part of it."""
    return metric.definition.replace("{new_users_days}", str(new_users_days))


def fixed(family: Family) -> tuple[Metric, ...]:
    """The metrics of a family."""
    return tuple(metric for metric in METRICS if metric.family == family)
