"""The settings around a condition's own: its number moved up and down, the own one first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from pydantic import ValidationError

from functions.alerts.backtest.histories import shown
from functions.alerts.backtest.thresholds import bands, fixed, is_unset, rounded
from functions.alerts.conditions.kinds import Anomaly, Change, Condition, NewValue, NoData, StaleFlag, Threshold
from functions.alerts.conditions.series import Series

FACTORS = (1.15, 0.85, 1.3, 0.7, 1.5, 0.6, 2.0, 0.5, 3.0)
# Beside a change whose size is chosen from the series' own past.
PERCENTS = (30.0, 20.0, 40.0, 15.0, 50.0, 10.0, 75.0, 25.0, 100.0)
BUCKETS = (1, 2, 3, 4, 6, 8, 12, 24, 48)
DAYS = (7, 14, 30, 45, 60, 90, 120, 180, 365)


@dataclass(frozen=True, slots=True)
class Variant:
    """A condition, the own one or beside it; `distance` counts the steps away from it."""

    words: str
    condition: Condition
    distance: int


def variants(condition: Condition, series: Series) -> Iterator[Variant]:
    """The condition itself, then those around it that a rule could have, the nearest first."""
    yield Variant(_words(condition), condition, 0)
    for number, each in enumerate(filter(_can_be_saved, _around(condition, series))):
        yield Variant(_words(each), each, number // 2 + 1)


def _can_be_saved(condition: Condition) -> bool:
    try:
        type(condition).model_validate(condition.model_dump())
    except ValidationError:
        return False
    return True


def _around(condition: Condition, series: Series) -> Iterator[Condition]:
    match condition:
        case Threshold():
            yield from _thresholds(condition, series)
        case Change() if condition.percent is None and condition.absolute is None:
            for percent in PERCENTS:
                yield condition.model_copy(update={"percent": percent})
        case Change():
            for factor in FACTORS:
                yield condition.model_copy(
                    update={
                        "percent": _times(condition.percent, factor),
                        "absolute": _times(condition.absolute, factor),
                    }
                )
        case Anomaly():
            for factor in FACTORS:
                yield condition.model_copy(update={"sensitivity": rounded(_sensitivity(condition) * factor, 3)})
        case NoData():
            for buckets in _nearest(BUCKETS, condition.buckets):
                yield condition.model_copy(update={"buckets": buckets})
        case NewValue() | StaleFlag():
            for days in _nearest(DAYS, condition.days):
                yield condition.model_copy(update={"days": days})


def _thresholds(condition: Threshold, series: Series) -> Iterator[Threshold]:
    """Numbers moved away from the series' middle and towards it: twice as far is half as touchy, wherever zero is."""
    middle = median(series.values) if series.values else 0.0
    chosen = bands(series) if is_unset(condition) or _is_astray(condition, middle) else []
    own = _on_the_sides_of(condition, fixed(chosen[-1])) if chosen else condition
    for factor in ((1.0,) if chosen else ()) + FACTORS:
        numbers = {
            name: None if number is None else rounded(middle + (number - middle) * factor)
            for name, number in own.model_dump(exclude={"kind", "inside"}).items()
        }
        try:
            yield Threshold.model_validate({**numbers, "inside": own.inside})
        except ValidationError:
            # Rounded together, or turned round: such a threshold cannot be.
            continue


def _is_astray(condition: Threshold, middle: float) -> bool:
    """Whether it fires more than half of the time, so that nothing around it is worth a try."""
    is_above = condition.above is not None and condition.above <= middle
    is_below = condition.below is not None and condition.below >= middle
    return not condition.inside and (is_above or is_below)


def _on_the_sides_of(condition: Threshold, chosen: Threshold) -> Threshold:
    if is_unset(condition):
        return chosen
    above, below = condition.above is not None, condition.below is not None
    sides = {"above": chosen.above if above else None, "below": chosen.below if below else None}
    return condition if set(sides.values()) == {None} else Threshold.model_validate(sides)


def _sensitivity(condition: Anomaly) -> float:
    from functions.alerts.conditions.anomaly import SENSITIVITY

    return condition.sensitivity or SENSITIVITY


def _times(number: float | None, factor: float) -> float | None:
    return None if number is None else rounded(number * factor)


def _nearest(numbers: Sequence[int], own: int) -> list[int]:
    return sorted((number for number in numbers if number != own), key=lambda number: abs(number - own))


def _words(condition: Condition) -> str:
    match condition:
        case Threshold():
            return _threshold_words(condition)
        case Change():
            return _change_words(condition)
        case Anomaly():
            default = "" if condition.sensitivity else ", the default"
            return f"bar of {_sensitivity(condition):g} MADs{default}"
        case NoData():
            return f"nothing for {condition.buckets} bucket{'' if condition.buckets == 1 else 's'}"
        case NewValue() | StaleFlag():
            return f"{condition.days} days"


def _change_words(condition: Change) -> str:
    percent = f"{shown(condition.percent)} %" if condition.percent is not None else ""
    absolute = shown(condition.absolute) if condition.absolute is not None else ""
    size = " and ".join(part for part in (percent, absolute) if part) or "of unusual size"
    way = {"drop": "a drop", "rise": "a rise", "both": "a change"}[condition.direction]
    return f"{way} {size}" if size.startswith("of") else f"{way} of {size}"


def _threshold_words(condition: Threshold) -> str:
    if is_unset(condition):
        return "chosen as it goes"
    above = "" if condition.above is None else f"above {shown(condition.above)}"
    below = "" if condition.below is None else f"below {shown(condition.below)}"
    if condition.inside:
        return f"between {shown(condition.below or 0.0)} and {shown(condition.above or 0.0)}"
    return " or ".join(part for part in (below, above) if part)
