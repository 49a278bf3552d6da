"""Series and conditions that cannot be had or judged are refused, each with its remedy."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import TypeAdapter

from functions.alerts.conditions.kinds import Condition
from functions.alerts.series.checking import check, check_pair
from functions.alerts.spec import SeriesSpec
from hedgerow.errors import InvalidError

SERIES: TypeAdapter[SeriesSpec] = TypeAdapter(SeriesSpec)
CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)
Fields = dict[str, object]

COUNT: Fields = {"kind": "event", "event": "a"}
BY: Fields = {**COUNT, "by": "method"}
HOURLY: Fields = {**COUNT, "grain": "hour"}
SO_FAR: Fields = {**COUNT, "grain": "so_far"}
MEAN: Fields = {**COUNT, "math": "avg", "of": "amount"}
METRIC: Fields = {"kind": "metric", "name": "posthog_dau"}
RATIO: Fields = {"kind": "ratio", "of": BY, "to": [BY]}
DIFFERENCE: Fields = {"kind": "difference", "of": COUNT, "less": METRIC}
FLAG: Fields = {"kind": "flag", "key": "checkout"}


def metric(name: str, grain: Literal["day", "hour", "so_far"] = "day") -> Fields:
    return {"kind": "metric", "name": name, "grain": grain}


@pytest.mark.parametrize(
    "fields",
    [
        METRIC,
        metric("posthog_dau", "hour"),
        metric("event:x", "hour"),
        metric("flag:a:b"),
        RATIO,
        DIFFERENCE,
        FLAG,
        {**DIFFERENCE, "of": MEAN},
        {"kind": "sync"},
        {**COUNT, "event": "émission 💥\n"},
        metric("posthog_pageviews", "so_far"),
        metric("event:x", "so_far"),
        {**SO_FAR, "math": "sum", "of": "amount", "by": "currency"},
        {"kind": "ratio", "of": SO_FAR, "to": [SO_FAR]},
    ],
)
def test_what_can_be_measured_is_let_through(fields: Fields) -> None:
    check(SERIES.validate_python(fields))


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        (metric("posthog_dua"), "unknown_metric", "`posthog_dau`"),
        (metric("Daily active"), "unknown_metric", "`event:Daily active`"),
        (metric("pageviews"), "unknown_metric", "`posthog_pageviews`"),
        (metric("event:"), "unknown_metric", "catalog"),
        (metric("measure:msr_0"), "unknown_metric", "catalog"),
        *((metric(f"posthog_{name}", "hour"), "not_hourly", "grain `day`") for name in ("wau", "mau", "new_users")),
        *((metric(f"posthog_{name}", "hour"), "not_hourly", "`posthog_dau`") for name in ("sessions", "feature_flags")),
        (metric("flag:a:b", "hour"), "not_hourly", "event:<name>"),
        ({"kind": "ratio", "of": BY, "to": [BY, COUNT]}, "by_mismatch", "same `by`"),
        ({"kind": "difference", "of": BY, "less": METRIC}, "by_mismatch", "write it as an event"),
        ({"kind": "ratio", "of": HOURLY, "to": [COUNT]}, "grain_mismatch", "same `grain`"),
        ({"kind": "difference", "of": SO_FAR, "less": HOURLY}, "grain_mismatch", "same `grain`"),
        *(
            (metric(f"posthog_{name}", "so_far"), "not_summed", "counts and sums")
            for name in ("dau", "wau", "sessions")
        ),
        (metric("flag:a:b", "so_far"), "not_summed", "grain `day`"),
        ({**SO_FAR, "math": "persons"}, "not_summed", "counts and sums"),
        ({**SO_FAR, "math": "p95", "of": "amount"}, "not_summed", "counts and sums"),
        ({"kind": "ratio", "of": SO_FAR, "to": [{**MEAN, "grain": "so_far"}]}, "not_summed", "counts and sums"),
        ({"kind": "ratio", "of": COUNT, "to": [MEAN, COUNT]}, "sum_of_means", "count, persons or sum"),
        ({"kind": "ratio", "of": metric("posthog_duo"), "to": [COUNT]}, "unknown_metric", "posthog_dau"),
        ({**COUNT, "event": "a\x00b"}, "invalid", "NUL"),
        ({**COUNT, "where": [{"property": "p", "values": [float("nan")]}]}, "filter_not_finite", "finite"),
    ],
)
def test_what_cannot_is_refused_with_the_remedy(fields: Fields, code: str, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check(SERIES.validate_python(fields))
    assert refused.value.code == code
    assert said in refused.value.hint


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        (FLAG, {"kind": "stale_flag"}),
        ({"kind": "flag"}, {"kind": "stale_flag"}),
        ({"kind": "flag"}, {"kind": "new_value"}),
        (FLAG, {"kind": "threshold", "below": 3}),
        (BY, {"kind": "new_value"}),
        (BY, {"kind": "no_data"}),
        (RATIO, {"kind": "anomaly"}),
        ({"kind": "sync"}, {"kind": "threshold", "above": 3}),
        ({"kind": "backlog"}, {"kind": "threshold", "above": 900}),
        (METRIC, {"kind": "change", "percent": 20}),
        (SO_FAR, {"kind": "change", "percent": 20}),
        (SO_FAR, {"kind": "anomaly"}),
        (SO_FAR, {"kind": "threshold", "above": 20}),
        ({"kind": "ratio", "of": SO_FAR, "to": [SO_FAR]}, {"kind": "threshold", "below": 20}),
    ],
)
def test_pairs_that_make_sense(fields: Fields, condition: Fields) -> None:
    check_pair(SERIES.validate_python(fields), CONDITION.validate_python(condition))


@pytest.mark.parametrize(
    ("fields", "condition", "said"),
    [
        (COUNT, {"kind": "stale_flag"}, '"flag"'),
        ({"kind": "flag"}, {"kind": "threshold", "below": 3}, "`key`"),
        (COUNT, {"kind": "new_value"}, "`by`"),
        (RATIO, {"kind": "new_value"}, "`by`"),
        (RATIO, {"kind": "no_data"}, "rule of its own"),
        (DIFFERENCE, {"kind": "no_data"}, "rule of its own"),
        *(
            ({"kind": kind}, {"kind": how}, "threshold")
            for kind in ("sync", "backlog")
            for how in ("no_data", "anomaly")
        ),
        ({"kind": "backlog"}, {"kind": "change", "percent": 5}, "threshold"),
        (SO_FAR, {"kind": "no_data"}, "`hour`"),
        ({**SO_FAR, "by": "method"}, {"kind": "new_value"}, "`day`"),
        (SO_FAR, {"kind": "threshold", "below": 20}, "same part"),
        (metric("event:x", "so_far"), {"kind": "threshold", "above": 90, "below": 20}, "same part"),
    ],
)
def test_pairs_that_make_none_are_refused_with_the_remedy(fields: Fields, condition: Fields, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_pair(SERIES.validate_python(fields), CONDITION.validate_python(condition))
    assert refused.value.code == "condition_does_not_fit"
    assert said in refused.value.hint
