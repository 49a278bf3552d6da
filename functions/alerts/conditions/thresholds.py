"""The threshold: a number the user chose, with another one, if wished, at which it is well again."""

from __future__ import annotations

from functions.alerts.conditions import sentences
from functions.alerts.conditions.history import History
from functions.alerts.conditions.kinds import Threshold
from functions.alerts.conditions.series import Series, Verdict


def judge_at(condition: Threshold, series: Series, place: int) -> Verdict:
    """The verdict on one bucket."""
    value = series.values[place]
    above, below, unit = condition.above, condition.below, series.unit
    if above is None and below is None:
        return Verdict(
            "errored", "no_threshold", f"{series.name}: the rule has no threshold; give `above`, `below` or both."
        )
    shown = f"{series.name}: {sentences.number(value, unit)}"
    is_above, is_below = above is not None and value > above, below is not None and value < below
    if condition.inside and above is not None and below is not None:
        fires = not (is_above or is_below)
        distance = min(value - below, above - value)
        where = "between" if fires else "not between"
        reason, told = "inside_band", f"{shown}, {where} {sentences.band(below, above, unit)}."
    else:
        fires = is_above or is_below
        distance = max(value - above if above is not None else -_FAR, below - value if below is not None else -_FAR)
        if is_above and above is not None:
            reason, told = "above_threshold", f"{shown}, above the threshold of {sentences.number(above, unit)}."
        elif is_below and below is not None:
            reason, told = "below_threshold", f"{shown}, below the threshold of {sentences.number(below, unit)}."
        else:
            reason, told = "within_threshold", f"{shown}, within {_limits(condition, series)}."
    return Verdict(
        "firing" if fires else "not_firing",
        reason if fires or not condition.inside else "outside_band",
        told,
        series.begins[place],
        value,
        below,
        above,
        distance,
        recovered=not fires and _has_recovered(condition, value),
    )


def history(condition: Threshold, series: Series) -> History:
    """Every bucket."""
    import numpy as np

    values = np.asarray(series.values, dtype=np.float64)
    high = np.inf if condition.above is None else condition.above
    low = -np.inf if condition.below is None else condition.below
    has_one = condition.above is not None or condition.below is not None
    outside = (values > high) | (values < low)
    if condition.inside:
        firing, recovered, score = ~outside, outside, np.minimum(values - low, high - values)
    else:
        firing = outside
        well_below = high if condition.recover_below is None else condition.recover_below
        well_above = low if condition.recover_above is None else condition.recover_above
        recovered = ~firing & (values <= well_below) & (values >= well_above)
        score = np.maximum(values - high, low - values)
    count = len(values)
    return History(
        np.asarray(series.begins, dtype=np.int64),
        firing & has_one,
        recovered & has_one,
        score if has_one else np.full(count, np.nan),
        np.full(count, np.nan if condition.below is None else condition.below),
        np.full(count, np.nan if condition.above is None else condition.above),
        np.full(count, has_one),
    )


_FAR = float("inf")


def _has_recovered(condition: Threshold, value: float) -> bool:
    if condition.inside:
        return True
    if condition.recover_below is not None and value > condition.recover_below:
        return False
    return condition.recover_above is None or value >= condition.recover_above


def _limits(condition: Threshold, series: Series) -> str:
    if condition.above is None:
        return f"its threshold of at least {sentences.number(condition.below or 0, series.unit)}"
    if condition.below is None:
        return f"its threshold of at most {sentences.number(condition.above, series.unit)}"
    return sentences.band(condition.below, condition.above, series.unit)
