"""What the sync must measure for rules: the same question once, whoever asks."""

from __future__ import annotations

import pytest

from functions.alerts.series.measuring import MOST_HOURLY_SERIES, measures_of, merge_measures
from functions.alerts.spec import (
    BacklogSeries,
    DifferenceSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    RatioSeries,
    SeriesSpec,
    SyncSeries,
)
from hedgerow.errors import InvalidError
from hedgerow.measures import MOST_MEASURES, Filter, Measure

FAILED, COMPLETED = EventSeries(event="failed"), EventSeries(event="completed")


@pytest.mark.parametrize(
    "spec",
    [
        MetricSeries(name="posthog_dau"),
        MetricSeries(name="event:order.completed"),
        MetricSeries(name="posthog_wau", grain="hour"),
        SyncSeries(),
        BacklogSeries(),
        FlagSeries(),
    ],
)
def test_what_the_sync_stores_anyway_or_cannot_count_needs_no_measure(spec: SeriesSpec) -> None:
    assert measures_of(spec) == ()


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("posthog_events", Measure(hourly=True)),
        ("posthog_dau", Measure(math="persons", hourly=True)),
        ("posthog_pageviews", Measure(event="$pageview", hourly=True)),
        ("posthog_exceptions", Measure(event="$exception", hourly=True)),
        ("posthog_flag_evaluations", Measure(event="$feature_flag_called", hourly=True)),
        ("event:a:b", Measure(event="a:b", hourly=True)),
    ],
)
def test_metrics_by_hour_are_measured(name: str, measure: Measure) -> None:
    assert measures_of(MetricSeries(name=name, grain="so_far")) == (measure,)
    assert measures_of(MetricSeries(name=name, grain="hour")) == (measure,)


def test_both_sides_are_measured_each_question_once() -> None:
    ratio = RatioSeries(of=FAILED, to=(FAILED, COMPLETED))
    assert {measure.event for measure in measures_of(ratio)} == {"failed", "completed"}
    assert len(measures_of(ratio)) == 2
    assert len(measures_of(DifferenceSeries(of=FAILED, less=COMPLETED))) == 2


def test_filters_in_another_order_are_the_same_question() -> None:
    plan, paid = Filter(property="plan", values=("a", "b")), Filter(property="paid", values=(True, 1))
    turned = Filter(property="plan", values=("b", "a", "b")), Filter(property="paid", values=(1, True))
    one, other = EventSeries(event="x", where=(plan, paid)), EventSeries(event="x", where=turned[::-1])
    assert measures_of(one) == measures_of(other)
    (measure,) = measures_of(one)
    assert len(measure.where[0].values) == len(measure.where[1].values) == 2


def test_by_hour_where_anybody_wants_hours_in_an_order_of_its_own() -> None:
    hourly = measures_of(EventSeries(event="failed", grain="hour"))
    daily, other = measures_of(FAILED), measures_of(COMPLETED)
    merged = merge_measures([("a", daily), ("b", hourly), ("c", other), ("d", daily)])
    assert {measure.event: measure.hourly for measure in merged} == {"failed": True, "completed": False}
    assert merged == merge_measures([("c", other), ("b", hourly)])
    assert daily[0].id == hourly[0].id


def test_too_many_are_refused_with_the_rules_that_need_most() -> None:
    needs = [(f"rule {number}", measures_of(EventSeries(event=f"e{number}"))) for number in range(MOST_MEASURES)]
    assert len(merge_measures(needs)) == MOST_MEASURES
    hungry = measures_of(RatioSeries(of=FAILED, to=(COMPLETED,)))
    with pytest.raises(InvalidError) as refused:
        merge_measures([*needs, ("hungry", hungry)])
    assert refused.value.code == "too_many_measures"
    assert "`hungry` (2)" in refused.value.hint


def test_too_many_hourly_series_are_refused_with_the_rules_that_need_most() -> None:
    broken_down = [
        (f"by {number}", measures_of(EventSeries(event=f"e{number}", by="method", grain="hour"))) for number in range(5)
    ]
    plain = [(f"rule {number}", measures_of(EventSeries(event=f"p{number}", grain="hour"))) for number in range(20)]
    assert len(merge_measures([*broken_down, *plain])) == 25
    daily = ("daily", measures_of(EventSeries(event="e", by="method")))
    assert merge_measures([*broken_down, *plain, daily])
    with pytest.raises(InvalidError) as refused:
        merge_measures([*broken_down, *plain, ("one more", measures_of(EventSeries(event="p", grain="hour")))])
    assert refused.value.code == "too_many_hours"
    assert (refused.value.members["hourly_series"], refused.value.members["most"]) == (121, MOST_HOURLY_SERIES)
    assert "`by 0` (20), `by 1` (20), `by 2` (20)" in refused.value.hint
