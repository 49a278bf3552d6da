"""No data: so many whole buckets without a point, or with nothing but zeros. Silent buckets are not missing."""

from __future__ import annotations

from bisect import bisect_right

from functions.alerts.conditions import newest, sentences
from functions.alerts.conditions.history import History
from functions.alerts.conditions.kinds import NoData
from functions.alerts.conditions.series import DAY, HOUR, Series, Verdict


def judge(condition: NoData, series: Series) -> Verdict:
    """The verdict on the buckets that are over at `until`."""
    if not series.begins:
        return Verdict("errored", "warming_up", f"{series.name} has no point yet, so nothing can be missing.")
    last, slack = last_with_something(condition, series), HOUR if series.seconds == DAY else 0
    if last is None:
        since, what = series.begins[0] - series.seconds, "nothing but zeros"
    else:
        since, what = last, "no point" if last == series.begins[-1] else "nothing"
    silent = bisect_right(series.silent, series.until - series.seconds) - bisect_right(series.silent, since)
    missed = max(0, (series.until - since + slack) // series.seconds - 1 - silent)
    fires = missed >= condition.buckets
    allowed = sentences.buckets(condition.buckets, series.seconds)
    known = f"the last was {sentences.bucket_told(series, since)}" if last is not None else "there never was any"
    return Verdict(
        "firing" if fires else "not_firing",
        "no_data" if fires else "has_data",
        f"{series.name}: {what} for {sentences.buckets(missed, series.seconds)}, {known}; {allowed} would be remarkable."
        if missed
        else f"{series.name} has data up to {sentences.bucket_told(series, since)}.",
        since + missed * series.seconds if missed else since,
        series.values[-1] if not missed else 0.0,
        score=float(missed),
        recovered=missed == 0,
        numbers={"missed": float(missed)},
    )


def last_with_something(condition: NoData, series: Series) -> int | None:
    """Begin of the newest bucket that holds something; one that is over but has not wholly arrived counts as if it did."""
    for place in range(len(series.begins) - 1, -1, -1):
        if _holds(condition, series, place):
            return series.begins[place]
    return None


def _holds(condition: NoData, series: Series, place: int) -> bool:
    """Late is not nothing; but the zero of a bucket that still runs says nothing of those before it."""
    if series.values[place] != 0 or not condition.zero_is_none:
        return True
    is_late = series.arrived is not None and series.arrived[place] < newest.COMPLETE
    return is_late and newest.end_of(series, place) <= series.until


def history(condition: NoData, series: Series) -> History:
    """Every bucket at its own end, those without a point too, up to the newest that has one."""
    import numpy as np

    begins, holds, ends = _with_missing(condition, series)
    at, grain = np.asarray(begins, dtype=np.int64), series.seconds
    start = begins[0] - grain if begins else 0
    last = np.maximum.accumulate(np.where(np.asarray(holds, dtype=bool), at, start)) if begins else at
    until, silent = np.asarray(ends, dtype=np.int64), np.asarray(series.silent, dtype=np.int64)
    quiet = np.searchsorted(silent, until - grain, "right") - np.searchsorted(silent, last, "right")
    slack = HOUR if grain == DAY else 0
    missed = np.maximum(0, (until - last + slack) // grain - 1 - quiet)
    none = np.full(len(begins), np.nan)
    return History(
        at, missed >= condition.buckets, missed == 0, missed.astype(float), none, none, until <= series.until
    )


def _with_missing(condition: NoData, series: Series) -> tuple[list[int], list[bool], list[int]]:
    """Begin, whether it holds something, and end of each bucket from the first point to the last."""
    grain = series.seconds
    begins: list[int] = []
    holds: list[bool] = []
    ends: list[int] = []
    slack = HOUR if grain == DAY else grain // 2
    for place, begin in enumerate(series.begins):
        while begins and begin - (missing := begins[-1] + grain) > slack:
            begins.append(missing)
            holds.append(False)
            ends.append(missing + grain)
        begins.append(begin)
        holds.append(_holds(condition, series, place))
        ends.append(newest.end_of(series, place))
    return begins, holds, ends
