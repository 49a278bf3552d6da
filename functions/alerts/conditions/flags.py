"""Stale flags: a feature flag that nobody called, or that gave everybody the same answer, for so many days."""

from __future__ import annotations

from collections.abc import Mapping

from functions.alerts.conditions import newest, sentences
from functions.alerts.conditions.kinds import StaleFlag
from functions.alerts.conditions.series import DAY, Series, Verdict


def judge_flag(condition: StaleFlag, key: str, variants: Mapping[str, Series]) -> Verdict:
    """The verdict on one flag, by the persons that each of its variants was given to."""
    known = [series for series in variants.values() if series.begins]
    if not known:
        return Verdict("errored", "no_points", f"Flag {key!r} has never been called, as far as is known.")
    until = max(series.until for series in known)
    begin = min(series.begins[0] for series in known)
    have, span = (until - begin) // DAY, sentences.buckets(condition.days, DAY)
    if have < condition.days:
        told = f"Flag {key!r}: {sentences.buckets(have, DAY)} of history, {span} are needed to call it stale."
        return Verdict("errored", "warming_up", told, numbers={"have": have, "needed": condition.days})
    since = until - condition.days * DAY
    persons = {variant: _since(series, since) for variant, series in variants.items()}
    given = {variant: count for variant, count in persons.items() if count > 0}
    bucket, total = max(series.begins[-1] for series in known), sum(given.values())
    if len(given) > 1:
        told = f"Flag {key!r} gave {len(given)} different answers in the last {span}."
        return Verdict("not_firing", "in_use", told, bucket, float(len(given)), recovered=True)
    if not given:
        if any(_is_late(series) for series in known):
            return Verdict(
                "waiting", "incomplete", f"Flag {key!r}: no calls in the last {span}, but not all has arrived.", bucket
            )
        return Verdict("firing", "not_called", f"Nobody called flag {key!r} in the last {span}.", bucket, 0.0)
    only = next(iter(given))
    told = f"Flag {key!r} gave everybody {only!r} in the last {span}, {sentences.number(total, 'count')} times a person and day."
    return Verdict("firing", "one_answer", told, bucket, 1.0, numbers={"persons": total})


def _since(series: Series, since: int) -> float:
    return sum(value for begin, value in zip(series.begins, series.values, strict=True) if begin >= since)


def _is_late(series: Series) -> bool:
    return series.arrived is not None and series.arrived[-1] < newest.COMPLETE
