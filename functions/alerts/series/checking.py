"""Whether a series can be had, and whether a condition makes sense for it: refused with the remedy. Pure."""

from __future__ import annotations

from math import isfinite

from functions.alerts.conditions.kinds import Condition
from functions.alerts.series.combining import grain_of
from functions.alerts.series.measuring import parts_of
from functions.alerts.series.sources import HOURLY_METRICS, SUMMED, measure_of
from functions.alerts.spec import (
    DifferenceSeries,
    EventSeries,
    FlagSeries,
    MetricSeries,
    Plain,
    RatioSeries,
    SeriesSpec,
)
from hedgerow.catalogue import EVENT_PREFIX, FLAG_PREFIX, METRICS, metric_of
from hedgerow.errors import InvalidError
from hedgerow.measures import MEASURE_PREFIX

FIXED = tuple(metric.name for metric in METRICS if "<" not in metric.name)
_LEAST_LIKENESS = 70
_NEAR = 3


def check(spec: SeriesSpec) -> None:
    """Refuse, as `InvalidError`, a series that nothing can measure."""
    parts = parts_of(spec)
    for plain in parts:
        _check_texts(plain)
        if isinstance(plain, MetricSeries):
            _check_metric(plain)
        _check_sums(plain)
    if isinstance(spec, FlagSeries) and spec.key is not None:
        _check_text(spec.key, "key")
    if not isinstance(spec, RatioSeries | DifferenceSeries):
        return
    if len({plain.grain for plain in parts}) > 1:
        raise _invalid(
            "grain_mismatch",
            "The sides of the series are cut by different grains.",
            "Give every side the same `grain`.",
        )
    if len({plain.by if isinstance(plain, EventSeries) else None for plain in parts}) > 1:
        raise _invalid(
            "by_mismatch",
            "The sides of the series are not broken down alike.",
            "Give every side the same `by`, or none; a metric cannot be broken down: write it as an event.",
        )
    if isinstance(spec, RatioSeries) and len(spec.to) > 1 and any(_is_mean(plain) for plain in spec.to):
        raise _invalid(
            "sum_of_means",
            "Means and percentiles cannot be added up to what the ratio is of.",
            "Use count, persons or sum in `to`, or give `to` one series only.",
        )


def check_pair(spec: SeriesSpec, condition: Condition) -> None:
    """Refuse, as `InvalidError`, a condition that makes no sense for this series."""
    said = _mismatch(spec, condition)
    if said is not None:
        detail, hint = said
        raise InvalidError(
            detail,
            code="condition_does_not_fit",
            hint=hint,
            members={"field": "condition", "condition": condition.kind},
        )


def _mismatch(spec: SeriesSpec, condition: Condition) -> tuple[str, str] | None:
    kind = condition.kind
    if kind == "stale_flag":
        if spec.kind == "flag":
            return None
        return (
            "`stale_flag` judges the variants of feature flags.",
            'Use the series {"kind": "flag"}, with or without a `key`.',
        )
    if spec.kind == "flag" and spec.key is None and kind != "new_value":
        return (f"`{kind}` judges one flag, and this series is of all of them.", "Name the flag in `key`.")
    if kind == "new_value" and not (spec.kind == "flag" or (spec.kind == "event" and spec.by is not None)):
        return (
            "`new_value` watches the values of a breakdown, and this series has none.",
            "Use an event series with `by`, or a flag series.",
        )
    if spec.kind in ("sync", "backlog") and kind != "threshold":
        return (
            f"This series is how things stand now; `{kind}` needs what was before.",
            "Use `threshold`, such as above 3 intervals, or above 900 seconds.",
        )
    if spec.kind in ("ratio", "difference") and kind == "no_data":
        return (
            f"A {spec.kind} is silent below its minimum, which is no missing data.",
            "Watch one of its events with a `no_data` rule of its own.",
        )
    return _mismatch_so_far(spec, condition) if grain_of(spec) == "so_far" else None


def _mismatch_so_far(spec: SeriesSpec, condition: Condition) -> tuple[str, str] | None:
    if condition.kind in ("no_data", "new_value"):
        return (f"`{condition.kind}` is of whole buckets, not of a day so far.", "Use the grain `hour` or `day`.")
    if condition.kind == "threshold" and condition.below is not None and spec.kind in ("metric", "event"):
        return (
            "Every day begins at 0, so that `below` a number would fire each morning.",
            "Use `change` or `anomaly`, which compare with the same part of earlier days, or the grain `day`.",
        )
    return None


def _check_metric(plain: MetricSeries) -> None:
    if metric_of(plain.name) is None or plain.name.startswith(MEASURE_PREFIX):
        raise _unknown(plain.name)
    if plain.grain == "day" or measure_of(plain) is not None:
        return
    if plain.grain == "so_far":
        raise _no_sum(f"`{plain.name}` of a day is not the sum of its hours.")
    hourly = ", ".join(f"`{name}`" for name in HOURLY_METRICS)
    raise InvalidError(
        f"`{plain.name}` is not counted by hour.",
        code="not_hourly",
        hint=f"Use the grain `day`. By hour there are {hourly} and `event:<name>`; others as a series of kind `event`.",
        members={"field": "series.grain"},
    )


def _check_sums(plain: Plain) -> None:
    measure = measure_of(plain) if plain.grain == "so_far" else None
    if measure is not None and measure.math not in SUMMED:
        told = f"`{plain.name}`" if isinstance(plain, MetricSeries) else f"`{measure.math}`"
        raise _no_sum(f"{told} of a day is not the sum of its hours.")


def _no_sum(detail: str) -> InvalidError:
    return InvalidError(
        detail,
        code="not_summed",
        hint="A day so far is for counts and sums of events. Use the grain `day`, or `hour`, or count the events.",
        members={"field": "series.grain"},
    )


def _unknown(name: str) -> InvalidError:
    from rapidfuzz import fuzz, process

    likely = process.extract(name.lower(), FIXED, scorer=fuzz.WRatio, limit=_NEAR, score_cutoff=_LEAST_LIKENESS)
    near = [str(found[0]) for found in likely]
    if not name.startswith((EVENT_PREFIX, FLAG_PREFIX)):
        near.append(f"{EVENT_PREFIX}{name[:200]}")
    meant = f"Did you mean {' or '.join(f'`{each}`' for each in near)}? " if near else ""
    return InvalidError(
        f"There is no metric `{name[:200]}`.",
        code="unknown_metric",
        hint=f"{meant}GET /v1/metrics/catalog lists every metric; an event's is `event:<name>`, a flag's `flag:<key>:<variant>`.",
        members={"field": "series.name", "near": near},
    )


def _check_texts(plain: Plain) -> None:
    if isinstance(plain, MetricSeries):
        _check_text(plain.name, "name")
        return
    for field, text in (("event", plain.event), ("of", plain.of), ("by", plain.by)):
        _check_text(text, field)
    for each in plain.where:
        _check_text(each.property, "where")
        for value in each.values:
            if isinstance(value, float) and not isfinite(value):
                raise _invalid("filter_not_finite", "A filter's value is no number.", "Use a finite number.")
            _check_text(value, "where")


def _check_text(text: object, field: str) -> None:
    """A lone surrogate can neither be stored nor asked for, a NUL is in no name; the rest is the channels' to escape."""
    if not isinstance(text, str) or ("\x00" not in text and _is_encodable(text)):
        return
    raise InvalidError(
        f"`{field}` holds characters that no name can hold.",
        hint="Leave out NUL characters and halves of surrogate pairs.",
        members={"field": f"series.{field}"},
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_mean(plain: Plain) -> bool:
    return isinstance(plain, EventSeries) and plain.math in ("avg", "p95")


def _invalid(code: str, detail: str, hint: str) -> InvalidError:
    return InvalidError(detail, code=code, hint=hint, members={"field": "series"})
